// What all explorers share: sliders whose state the address keeps, and one way to draw.
"use strict";

window.moelaws = (() => {
  const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  let clips = 0;

  function element(name, attributes = {}, ...children) {
    const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "clipPath", "title"].includes(name);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value != null) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child != null));
    return made;
  }

  function digits(value, count = 3) {
    if (!Number.isFinite(value)) return "–";
    if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) {
      const [mantissa, power] = value.toExponential(count - 1).split("e");
      const raised = String(Number(power)).replace("-", "⁻").replace(/\d/g, (digit) => SUPERSCRIPTS[digit]);
      return Number(mantissa) === 1 ? `10${raised}` : `${Number(mantissa)}·10${raised}`;
    }
    return String(Math.abs(value) >= 10 ** count ? Math.round(value) : Number(value.toPrecision(count)));
  }

  const percent = (share, count = 2) => `${digits(100 * share, count)} %`;

  const logAxis = (title, min, max, show) => ({ title, min, max, show, log: true });

  function range(count, from, to, log = true) {
    const [low, high] = log ? [Math.log(from), Math.log(to)] : [from, to];
    const values = Array.from({ length: count }, (_, place) => low + ((high - low) * place) / (count - 1));
    return log ? values.map(Math.exp) : values;
  }

  // Between which nodes of a rising list a value lies, and where between them.
  function within(nodes, value) {
    const below = Math.max(0, Math.min(nodes.length - 2, nodes.findLastIndex((node) => node <= value)));
    return [below, Math.min(1, Math.max(0, (value - nodes[below]) / (nodes[below + 1] - nodes[below])))];
  }

  function quantiles(values, shares) {
    const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    return shares.map((share) => {
      const place = share * (sorted.length - 1), below = Math.floor(place);
      const above = Math.min(below + 1, sorted.length - 1);
      return sorted.length ? sorted[below] + (sorted[above] - sorted[below]) * (place - below) : NaN;
    });
  }

  function ticks({ min, max, log }) {
    const found = [];
    if (log) {
      const decades = Math.log10(max / min);
      const steps = decades > 2.5 ? [1] : decades > 1.2 ? [1, 3] : [1, 1.5, 2, 3, 4, 5, 7];
      const every = Math.max(1, Math.ceil(decades / 7));
      for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power += 1) {
        if (power % every) continue;
        for (const step of steps) found.push(step * 10 ** power);
      }
    } else {
      const rough = (max - min) / 5, unit = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].find((factor) => factor * unit >= rough) * unit;
      for (let place = Math.ceil(min / step); place * step <= max * (1 + 1e-9); place += 1) found.push(place * step);
    }
    return found.filter((value) => value >= min * (1 - 1e-9) && value <= max * (1 + 1e-9));
  }

  // One picture. `items` are drawn in their order: shade, band, line, bars, dots, mark, rule.
  function chart({ width, height = 250, label, x, y, items }) {
    const left = 58, right = 14, top = 12, bottom = 46;
    const scaled = (axis, value) => {
      const [low, high, here] = axis.log ? [axis.min, axis.max, value].map(Math.log) : [axis.min, axis.max, value];
      return (here - low) / (high - low);
    };
    const px = (value) => left + scaled(x, value) * (width - left - right);
    const py = (value) => height - bottom - scaled(y, value) * (height - top - bottom);
    const inside = (values) => values.every((value) => Number.isFinite(value));
    const path = (points) => {
      let pen = "M";
      return points.map(([a, b]) => {
        const at = [px(a), py(b)];
        if (!inside(at)) { pen = "M"; return ""; }
        const step = `${pen}${at[0].toFixed(1)} ${at[1].toFixed(1)}`;
        pen = "L";
        return step;
      }).join("");
    };
    const clip = `explorer-clip-${clips += 1}`;
    const frame = { x: left, y: top, width: width - left - right, height: height - top - bottom };
    const svg = element("svg", { class: "explorer-chart", width, height, viewBox: `0 0 ${width} ${height}`,
      role: items.some((item) => item.press) ? "group" : "img", "aria-label": label },
      element("clipPath", { id: clip }, element("rect", frame)));
    const body = element("g", { "clip-path": `url(#${clip})` });
    for (const value of ticks(x)) {
      svg.append(element("line", { class: "grid", x1: px(value), x2: px(value), y1: top, y2: height - bottom }),
        element("text", { x: px(value), y: height - bottom + 17, "text-anchor": "middle" }, (x.show ?? digits)(value)));
    }
    for (const value of ticks(y)) {
      svg.append(element("line", { class: "grid", x1: left, x2: width - right, y1: py(value), y2: py(value) }),
        element("text", { x: left - 6, y: py(value) + 4, "text-anchor": "end" }, (y.show ?? digits)(value)));
    }
    svg.append(body,
      element("text", { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, x.title),
      element("text", { x: 0, y: 0, "text-anchor": "middle",
        transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)` }, y.title));
    for (const item of items) {
      const kind = item.class ?? "";
      if (item.shade) {
        const [from, to] = item.shade.map((value) => Math.min(Math.max(px(value), left), width - right));
        if (to > from) body.append(element("rect", { class: "shade", ...frame, x: from, width: to - from }));
      } else if (item.band) {
        const known = item.band.filter((row) => inside([px(row[0]), py(row[1]), py(row[2])]));
        const back = [...known].reverse().map(([a, , c]) => [a, c]);
        if (known.length) {
          const there = path(known.map(([a, b]) => [a, b]));
          body.append(element("path", { class: `band ${kind}`, d: `${there}L${path(back).slice(1)}Z` }));
        }
      } else if (item.line) {
        body.append(element("path", { class: `line ${kind}`, d: path(item.line) }));
      } else if (item.dots) {
        item.dots.forEach(([a, b, words], place) => {
          if (!inside([px(a), py(b)])) return;
          const dot = element("circle", { class: `dot ${kind}`, cx: px(a), cy: py(b), r: item.press ? 6 : item.dots.length > 30 ? 2.5 : 4 },
            words ? element("title", {}, words) : null);
          if (item.press) item.press(dot, place, words);
          (item.press ? svg : body).append(dot);
        });
      } else if (item.mark) {
        const [a, b, words] = item.mark;
        if (!inside([px(a), py(b)])) continue;
        const end = px(a) > (left + width - right) / 2;
        body.append(element("path", { class: "mark", transform: `translate(${px(a)} ${py(b)})`,
          d: "M0-7L7 0L0 7L-7 0Z" }, element("title", {}, words || item.label || "printed")),
          element("text", { class: "words", x: px(a) + (end ? -11 : 11), y: py(b) + 4,
            "text-anchor": end ? "end" : "start" }, width < 500 ? "" : words));
      } else if (item.rule) {
        body.append(element("line", { class: "rule", x1: px(item.rule), x2: px(item.rule), y1: top, y2: height - bottom }));
      }
    }
    const named = items.filter((item) => item.label);
    const legend = element("ul", { class: "explorer-legend" }, ...named.map((item) => element("li", {},
      element("span", { class: `key ${item.shade ? "shade" : item.band ? "band" : item.line ? "line" : item.mark ? "mark" : "dot"} ${item.class ?? ""}`, "aria-hidden": "true" }),
      item.label)));
    return element("div", { class: "explorer-picture" }, svg, legend);
  }

  // A table that opens with a click, so that a page stays short.
  function table(caption, head, rows) {
    return element("details", {}, element("summary", {}, caption), element("div", { class: "pst-scrollable-table-container", tabindex: "0", role: "region", "aria-label": caption },
      element("table", { class: "table" }, element("caption", {}, caption),
        element("thead", {}, element("tr", {}, ...head.map((word) => element("th", { scope: "col" }, word)))),
        element("tbody", {}, ...rows.map(([first, ...rest]) => element("tr", {},
          element("th", { scope: "row" }, first), ...rest.map((cell) => element("td", {}, cell))))))));
  }

  const written = (value) => (typeof value === "number" ? String(Number(value.toPrecision(5))) : value);

  // A control holds its own value; `read` gives it, `set` shows another.
  function control(key, spec, changed) {
    const id = `explorer-${key}-${spec.name}`;
    const label = element("label", { for: id }, spec.label);
    if (spec.options) {
      const input = element("select", { id, onchange: changed },
        ...spec.options.map(([value, words]) => element("option", { value }, words)));
      return { spec, set: (value) => { input.value = value; }, read: () => input.value,
        valid: (text) => spec.options.some(([value]) => value === text) && text,
        box: element("div", { class: "explorer-control" }, label, input) };
    }
    const inner = spec.log ? Math.log10 : (value) => value, outer = spec.log ? (value) => 10 ** value : (value) => value;
    const output = element("output", { for: id });
    const input = element("input", { id, type: "range", min: inner(spec.min), max: inner(spec.max),
      step: spec.step ?? (inner(spec.max) - inner(spec.min)) / 200 });
    let value = spec.value;
    const show = () => {
      output.textContent = (spec.show ?? digits)(value);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      const moved = outer(Number(input.value));
      value = spec.whole ? Math.round(moved) : Number(moved.toPrecision(4));
      show();
      changed();
    });
    return { spec, read: () => value,
      set: (given) => { value = given; input.value = inner(given); show(); },
      limit: (max) => { input.max = inner(max); if (value > max) { value = max; input.value = inner(max); show(); } },
      valid: (text) => text !== "" && Number(text) >= spec.min && Number(text) <= spec.max && Number(text),
      box: element("div", { class: "explorer-control" }, label, output, input) };
  }

  // `draw(state, width, change)` returns a sentence, and nodes to show.
  function explorer(key, { name, controls, extra = {}, draw, note, link = () => {} }) {
    const cell = document.querySelector(`.tag_explorer-${key}`);
    if (!cell) return;
    const state = { ...extra };
    const asked = new URLSearchParams(window.location.search);
    const made = controls.map((spec) => control(key, spec, () => update()));
    const says = element("p", { class: "explorer-says", role: "status" });
    const place = element("div", { class: "explorer-pictures" });
    const reset = element("button", { type: "button", class: "explorer-reset", onclick: () => start(false) }, "Reset");
    const box = element("div", { class: "explorer", role: "group", "aria-label": name },
      element("p", { class: "explorer-name" }, name, reset),
      element("div", { class: "explorer-controls" }, ...made.map((one) => one.box)), says, place,
      element("p", { class: "explorer-note" }, `${note} The address of the page keeps the settings.`));
    let width = 0;

    function start(fromAddress) {
      for (const one of made) {
        const text = fromAddress ? asked.get(`${key}.${one.spec.name}`) : null;
        const valid = text === null ? false : one.valid(text);
        one.set(valid === false ? one.spec.value : valid);
      }
      for (const [part, value] of Object.entries(extra)) {
        const text = fromAddress ? asked.get(`${key}.${part}`) : null;
        state[part] = text === null ? value : text;
      }
      update();
    }

    function update() {
      for (const one of made) state[one.spec.name] = one.read();
      link(state, Object.fromEntries(made.map((one) => [one.spec.name, one])));
      for (const one of made) state[one.spec.name] = one.read();
      keep();
      show();
    }

    function keep() {
      const query = new URLSearchParams(window.location.search);
      const usual = [...controls.map((spec) => [spec.name, spec.value]), ...Object.entries(extra)];
      for (const [part, value] of usual) {
        if (String(state[part]) === String(value)) query.delete(`${key}.${part}`);
        else query.set(`${key}.${part}`, written(state[part]));
      }
      const text = query.toString();
      try {
        window.history.replaceState(null, "", `${window.location.pathname}${text ? `?${text}` : ""}${window.location.hash}`);
      } catch { /* a page opened from a file has no address to change */ }
    }

    function show() {
      if (!width) return;
      const focused = document.activeElement?.dataset?.place, open = place.querySelector("details")?.open;
      const [sentence, ...nodes] = draw(state, width, (part, value) => { state[part] = value; keep(); show(); });
      says.textContent = sentence;
      place.replaceChildren(...nodes);
      if (open) place.querySelector("details").open = true;
      if (focused) place.querySelector(`[data-place="${focused}"]`)?.focus();
    }

    const figure = cell.querySelector(".cell_output figure") ?? cell.querySelector(".cell_output") ?? cell;
    const picture = figure.querySelector("img");
    const still = picture?.closest(".picture, .lead-figure") ?? picture;
    figure.prepend(box);
    if (still) {
      const caption = figure.querySelector("figcaption");
      const name = caption?.querySelector(".caption-number")?.textContent.trim() ?? "Figure";
      box.after(element("details", { class: "explorer-still" }, element("summary", {}, `${name}, still`), still, caption));
      // So a link to the figure opens it.
      still.id = figure.id;
      figure.removeAttribute("id");
    }
    start(true);
    new ResizeObserver(() => {
      if (place.clientWidth === width) return;
      width = place.clientWidth;
      show();
    }).observe(place);
  }

  return { laws: {}, data: {}, logAxis, chart, digits, element, explorer, percent, quantiles, range, table, within };
})();
