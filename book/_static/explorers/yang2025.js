// The time of a decoding step by what it is spent on: the book's sum, fitted to tables of Yang et al. (2025).
"use strict";

(() => {
  const { laws, logAxis, chart, digits, explorer, range, within } = window.moelaws;
  const data = window.moelaws.data.yang2025;
  for (const model of Object.values(data)) model.cells = model.cells.map(([requests, topK, ms]) => ({ requests, topK, ms }));
  const PARTS = ["overhead", "weights always read", "distinct experts", "key-value cache", "prefill", "decode arithmetic", "per request"];

  // Milliseconds by part, for concurrent requests and active experts of a model, with its fitted coefficients.
  laws.yang2025 = ({ requests, topK, tokensIn = 1024, tokensOut = 1024, overhead = 1 }, model) => {
    const { coefficients: [constant, perGb, perTflop, perRequest], routed } = model;
    const context = tokensIn + tokensOut / 2;
    const distinct = -routed * Math.expm1(requests * Math.log1p(-topK / routed));
    const work = (2 * requests * (model.always + topK * model.expert)) / model.bytes / 1e3;
    return [
      overhead * constant,
      1e3 * perGb * model.always,
      1e3 * perGb * model.expert * distinct,
      1e3 * perGb * requests * context * model.cache,
      1e3 * (perGb * (requests / tokensOut) * (model.always + routed * model.expert) + (perTflop * work * tokensIn) / tokensOut),
      1e3 * perTflop * work,
      perRequest * requests,
    ];
  };

  const total = (parts) => parts.reduce((a, b) => a + b, 0);
  const X = logAxis("concurrent requests", 1, 2000);

  explorer("yang2025", {
    name: "What a step of decoding is spent on, and what fewer active experts gain",
    note: "Fitted to the loads of up to 128 requests, prompts and outputs of 1,024 tokens each; grey: outside these loads. Dots: measured cells of the paper’s Tables 8 and 9. The speed-up is over the unmodified model with the same overhead.",
    controls: [
      { name: "model", label: "Model", value: "DeepSeek-V2-Lite", options: Object.entries(data).map(([name, model]) => [name, `${name}, ${model.machine}`]) },
      { name: "topK", label: "Active experts", min: 1, max: 8, whole: true, step: 1, value: 2 },
      { name: "requests", label: "Concurrent requests", min: 1, max: 2000, log: true, whole: true, value: 16 },
      { name: "overhead", label: "Overhead, times fitted", min: 0, max: 3, step: 0.1, value: 1 },
    ],
    link: (state, controls) => controls.topK.limit(data[state.model].topK),
    draw: (state, width) => {
      const model = data[state.model];
      const step = (requests, topK) => laws.yang2025({ requests, topK, overhead: state.overhead }, model);
      const gain = (requests) => total(step(requests, model.topK)) / total(step(requests, state.topK));
      // Intervals are those of the fitted overhead.
      const fitted = state.overhead === 1;
      const interval = (requests) => {
        const [below, share] = within(model.loads.map(Math.log), Math.log(requests));
        const rows = model.reach[state.topK - 1];
        return [0, 1].map((end) => rows[below][end] * (1 - share) + rows[below + 1][end] * share);
      };
      const here = step(state.requests, state.topK), along = range(49, X.min, X.max);
      const cells = model.cells.filter((cell) => cell.topK === state.topK);
      const whole = new Map(model.cells.filter((cell) => cell.topK === model.topK).map((cell) => [cell.requests, cell.ms]));
      const loads = [...whole.keys()], from = Math.min(...loads), to = model.fittedTo;
      const largest = PARTS[here.indexOf(Math.max(...here))];
      const covered = state.requests >= from && state.requests <= to && model.cells.some((cell) => cell.topK === state.topK);
      const sentence = `A step takes ${digits(total(here))} ms, the largest part ${largest} (${digits(Math.max(...here))} ms); ${state.topK} instead of ${model.topK} active experts are ${digits(gain(state.requests))} times as fast${fitted ? ` (95 % interval ${interval(state.requests).map((end) => digits(end)).join(" to ")})` : ""}.`
        + (covered ? "" : ` Outside what the law was fitted to: ${from} to ${to} requests and the measured numbers of active experts.`);
      const shades = [{ shade: [X.min, from], label: "law not fitted" }, { shade: [to, X.max] }];
      const heights = along.map((requests) => step(requests, state.topK));
      const layer = (place) => along.map((requests, row) => [requests, total(heights[row].slice(0, place)), total(heights[row].slice(0, place + 1))]);
      const most = 1.1 * Math.max(total(here), ...cells.filter((cell) => cell.requests <= model.fittedTo).map((cell) => cell.ms));
      const times = chart({ width, label: `Time of a step by parts. ${sentence}`, x: X,
        y: { title: "milliseconds", min: 0, max: most },
        items: [...PARTS.map((name, place) => ({ band: layer(place), class: `part-${place}`, label: `${name}: ${digits(here[place])} ms` })),
          ...shades, { rule: state.requests },
          { dots: cells.map((cell) => [cell.requests, cell.ms, `${cell.requests} requests: ${digits(cell.ms)} ms measured`]), class: "ink", label: "measured" }] });
      const speeds = chart({ width, height: 190, label: `Speed-up over requests. ${sentence}`, x: X,
        y: { title: "speed-up", min: 0.8, max: Math.max(2, ...along.map(gain)) },
        items: [...shades, ...(fitted ? [{ band: along.map((requests) => [requests, ...interval(requests)]), class: "moe", label: "95 % interval over resampled loads" }] : []), { line: [[X.min, 1], [X.max, 1]], class: "ink dashed" }, { line: along.map((requests) => [requests, gain(requests)]), class: "moe", label: "fitted sum" }, { rule: state.requests },
          { dots: cells.map((cell) => [cell.requests, whole.get(cell.requests) / cell.ms, `${cell.requests} requests: ${digits(whole.get(cell.requests) / cell.ms)} times`]), class: "ink", label: "measured" }] });
      return [sentence, times, speeds];
    },
  });
})();
