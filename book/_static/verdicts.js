// One table of all verdicts that filters, from the lists by paper that the page holds.
"use strict";

(() => {
  const STEP = 15;
  const place = document.getElementById("verdict-table");
  const { papers, groups } = JSON.parse(place.dataset.words);
  const rows = [...place.querySelectorAll("tbody tr")];
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const evidence = Object.fromEntries([...new Set(rows.map((row) => row.dataset.evidence))].filter(Boolean).sort().map((kind) => [kind, kind]));
  const FIELDS = { paper: ["Paper", papers], group: ["Verdict", groups], evidence: ["Evidence", evidence] };
  let shown = STEP;

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function labelled(name, input) {
    input.id = `filter-${name.toLowerCase()}`;
    return element("div", { class: "filter" }, element("label", { for: input.id }, name), input);
  }
  const inputs = { text: element("input", { type: "search", placeholder: "a word, or an id" }) };
  for (const [field, [, options]] of Object.entries(FIELDS)) {
    inputs[field] = element("select", {}, element("option", { value: "" }, "all"),
      ...Object.entries(options).map(([value, name]) => element("option", { value }, name)));
  }
  const count = element("p", { class: "filter-count", role: "status" });
  const more = element("button", { type: "button", onclick: () => { shown += 5 * STEP; show(); } });
  const table = element("table", { class: "all-verdicts" }, element("caption", {}, "Verdicts of all papers"),
    place.querySelector("thead").cloneNode(true), element("tbody", {}));
  const form = element("form", { class: "filters", role: "search", "aria-label": "Filter the verdicts" },
    labelled("Text", inputs.text), ...Object.entries(FIELDS).map(([field, [name]]) => labelled(name, inputs[field])),
    element("button", { type: "reset" }, "Reset"));
  const exports = element("p", { class: "exports" }, "Export what is listed: ",
    element("button", { type: "button", onclick: () => save("csv") }, "CSV"), " ",
    element("button", { type: "button", onclick: () => save("json") }, "JSON"));

  const matches = (row) => Object.keys(FIELDS).every((field) => !inputs[field].value || row.dataset[field] === inputs[field].value)
    && inputs.text.value.toLowerCase().split(/\s+/).every((word) => words.get(row).includes(word));

  function show() {
    const found = rows.filter(matches);
    const counts = Object.entries(groups).map(([key, name]) => [found.filter((row) => row.dataset.group === key).length, name]);
    count.textContent = `${found.length} of ${rows.length} claims`
      + (found.length ? `: ${counts.filter(([number]) => number).map(([number, name]) => `${number} ${name}`).join(", ")}.` : ".");
    table.tBodies[0].replaceChildren(...found.slice(0, shown));
    more.hidden = found.length <= shown;
    more.textContent = `Show ${Math.min(found.length - shown, 5 * STEP)} more`;
    const query = new URLSearchParams(window.location.search);
    for (const [field, input] of Object.entries(inputs)) {
      if (input.value) query.set(field, input.value);
      else query.delete(field);
    }
    const text = query.toString();
    try {
      window.history.replaceState(null, "", `${window.location.pathname}${text ? `?${text}` : ""}${window.location.hash}`);
    } catch { /* a page opened from a file has no address to change */ }
  }

  function save(kind) {
    const listed = rows.filter(matches).map((row) => {
      const [statement, printed, , verdict] = [...row.cells].slice(1).map((cell) => cell.textContent);
      return { id: row.dataset.id, place: row.querySelector(".place").textContent, statement, printed,
        computed: JSON.parse(row.dataset.value), unit: row.dataset.unit, verdict, evidence: row.dataset.evidence };
    });
    const written = (value) => `"${String(typeof value === "object" ? JSON.stringify(value) : value).replaceAll('"', '""')}"`;
    const lines = [Object.keys(listed[0] ?? {}), ...listed.map(Object.values)].map((line) => line.map(written).join(","));
    const text = kind === "json" ? JSON.stringify(listed, null, 1) : `${lines.join("\r\n")}\r\n`;
    const address = URL.createObjectURL(new Blob([text], { type: kind === "json" ? "application/json" : "text/csv" }));
    element("a", { href: address, download: `verdicts.${kind}` }).click();
    URL.revokeObjectURL(address);
  }

  const again = () => { shown = STEP; show(); };
  form.addEventListener("input", again);
  form.addEventListener("reset", () => window.setTimeout(again));
  form.addEventListener("submit", (event) => event.preventDefault());
  const asked = new URLSearchParams(window.location.search);
  for (const [field, input] of Object.entries(inputs)) input.value = asked.get(field) ?? "";
  for (const field of Object.keys(FIELDS)) if (inputs[field].selectedIndex < 0) inputs[field].value = "";
  const named = rows.find((row) => `#${row.id}` === window.location.hash);
  if (named) inputs.text.value = named.id;
  place.replaceChildren(form, count, table, more, exports);
  show();
})();
