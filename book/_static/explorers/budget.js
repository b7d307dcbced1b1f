// What laws advise, from tables.
"use strict";

(() => {
  const { laws, logAxis, chart, digits, explorer, table, within } = window.moelaws;
  const data = window.moelaws.data.budget, two = (x) => digits(x, 2);

  laws.budget = (name, flops, served) => {
    const { sizes, tokens } = data.laws[name];
    const [row, up] = within(data.flops, Math.log(flops)), [cell, on] = within(data.served, Math.log(served));
    const along = (cells) => (tokens ? cells[cell] * (1 - on) + cells[cell + 1] * on : cells[0]);
    const at = (rows) => Math.exp(along(rows[row]) * (1 - up) + along(rows[row + 1]) * up);
    return [at(sizes), tokens ? at(tokens) : flops / 6 / at(sizes)];
  };

  explorer("budget", {
    name: "What every law would build",
    note: "Least FLOP at the loss of the budget's best; hours at 40 % of peak. A law with × gives no loss: serving does not move it.",
    controls: [
      { name: "flops", label: "Budget, FLOP", value: 1e22, ...logAxis("", 1e18, 1e25) },
      { name: "served", label: "Tokens served", value: 1e13, ...logAxis("", 1e8, 1e17) },
      { name: "device", label: "Machine", value: "H100-80G-SXM", options: data.devices.map(([name]) => [name, name]) },
    ],
    draw: ({ flops, served, device }, width) => {
      const dots = { moe: [], dense: [] }, hourly = new Map(data.devices).get(device);
      const rows = Object.entries(data.laws).map(([name, { kind, label }]) => {
        const [n, d] = laws.budget(name, flops, served), total = 6 * n * d + 2 * n * served;
        dots[kind].push([n, d, label]);
        return [label, ...[n, d, total, total / hourly].map(two)];
      });
      const sizes = dots.moe.filter((dot) => !dot[2].endsWith("×")).map(([n]) => n);
      const far = ([n, d]) => Math.abs(Math.log(6 * n * d / flops));
      const near = [...data.models].sort((a, b) => far(a) - far(b)).slice(0, 3);
      const sentence = `Mixtures of experts: ${two(Math.min(...sizes))} to ${two(Math.max(...sizes))} active. Nearest models: ${near.map(([n, d, name]) => `${name} (${two(n)} on ${two(d)})`).join(", ")}.`;
      return [sentence,
        chart({ width, label: sentence, x: logAxis("active parameters", 1e7, 1e13), y: logAxis("tokens", 1e9, 1e15),
          items: [{ line: [[1e7, flops / 6e7], [1e13, flops / 6e13]], class: "ink", label: "budget" },
            { dots: data.models, class: "ink", label: "public models" },
            { dots: dots.moe, class: "moe", label: "laws of mixtures" },
            { dots: dots.dense, class: "dense", label: "dense laws" }] }),
        table("By law", ["law", "active", "tokens", "FLOP", "hours"], rows)];
    },
  });
})();
