// Chinchilla's law fitted in the browser: how loss, delta and rows move the exponents.
"use strict";

(() => {
  const { laws, chart, digits, explorer, percent, quantiles } = window.moelaws;
  const data = window.moelaws.data.fitting;
  const DRAWS = 200, GRID = Array.from({ length: 16 }, (_, place) => 0.05 + place * 0.08), LARGEST = 3;

  // Unknowns are the logarithms of E, A and B, and the exponents; the size N and tokens D of a row are logarithms.
  const terms = ([E, A, B, alpha, beta], row) => [Math.exp(E), Math.exp(A - alpha * row.N), Math.exp(B - beta * row.D)];
  const predict = (theta, row) => terms(theta, row).reduce((a, b) => a + b);

  // Solve a small symmetric system by elimination; null where it is singular.
  function solve(matrix, right) {
    const rows = matrix.map((row, place) => [...row, right[place]]), n = rows.length;
    for (let column = 0; column < n; column += 1) {
      let pivot = column;
      for (let row = column + 1; row < n; row += 1) if (Math.abs(rows[row][column]) > Math.abs(rows[pivot][column])) pivot = row;
      [rows[column], rows[pivot]] = [rows[pivot], rows[column]];
      if (!(Math.abs(rows[column][column]) > 1e-300)) return null;
      for (let row = 0; row < n; row += 1) {
        if (row === column) continue;
        const factor = rows[row][column] / rows[column][column];
        for (let place = column; place <= n; place += 1) rows[row][place] -= factor * rows[column][place];
      }
    }
    return rows.map((row, place) => row[n] / row[place]);
  }

  const normal = (size) => [Array.from({ length: size }, () => new Array(size).fill(0)), new Array(size).fill(0)];
  function add(matrix, right, slopes, error, weight) {
    for (let one = 0; one < slopes.length; one += 1) {
      right[one] += weight * slopes[one] * error;
      for (let two = 0; two < slopes.length; two += 1) matrix[one][two] += weight * slopes[one] * slopes[two];
    }
  }

  // For given exponents the law is linear: the best pair of a grid is the start.
  function start(rows, weights) {
    let found = null, least = Infinity;
    for (const alpha of GRID) {
      for (const beta of GRID) {
        const [matrix, right] = normal(3);
        const slopes = rows.map((row) => [1, Math.exp(-alpha * (row.N - rows[0].N)), Math.exp(-beta * (row.D - rows[0].D))].map((value) => value / row.loss));
        slopes.forEach((slope, place) => add(matrix, right, slope, 1, weights[place]));
        const linear = solve(matrix, right);
        if (!linear || linear[1] <= 0 || linear[2] <= 0) continue;
        linear[0] = Math.max(linear[0], 1e-3);
        const cost = slopes.reduce((sum, slope, place) => sum + weights[place] * (slope[0] * linear[0] + slope[1] * linear[1] + slope[2] * linear[2] - 1) ** 2, 0);
        if (cost < least) {
          least = cost;
          found = [Math.log(linear[0]), Math.log(linear[1]) + alpha * rows[0].N, Math.log(linear[2]) + beta * rows[0].D, alpha, beta];
        }
      }
    }
    return found;
  }

  // Levenberg and Marquardt's steps on log errors; a Huber loss weighs each square by its share.
  function fit(rows, { delta = Infinity, weights = rows.map(() => 1), from = null, steps = 400 } = {}) {
    let theta = from ?? start(rows, weights);
    if (!theta) return null;
    const errors = (at) => rows.map((row) => Math.log(predict(at, row) / row.loss));
    const cost = (all) => all.reduce((sum, error, place) => {
      const size = Math.abs(error);
      return sum + weights[place] * (size <= delta ? size * size / 2 : delta * (size - delta / 2));
    }, 0);
    let now = errors(theta), value = cost(now), damping = 1e-3;
    for (let count = 0; count < steps; count += 1) {
      const [matrix, right] = normal(5);
      rows.forEach((row, place) => {
        const [E, A, B] = terms(theta, row), L = E + A + B;
        const share = Math.min(1, delta / Math.max(Math.abs(now[place]), 1e-300));
        add(matrix, right, [E / L, A / L, B / L, (-A * row.N) / L, (-B * row.D) / L], -now[place], weights[place] * share);
      });
      matrix.forEach((line, place) => { line[place] *= 1 + damping; line[place] += 1e-14; });
      const step = solve(matrix, right), next = step && theta.map((part, place) => part + step[place]);
      const after = next && next[3] > 0 && next[3] < LARGEST && next[4] > 0 && next[4] < LARGEST ? errors(next) : null;
      const better = after ? cost(after) : Infinity;
      if (better < value) {
        const gained = (value - better) / value;
        [theta, now, value, damping] = [next, after, better, Math.max(damping / 5, 1e-12)];
        if (gained < 1e-13) break;
      } else {
        damping *= 6;
        if (damping > 1e8) break;
      }
    }
    return { theta, cost: value };
  }

  // A generator of random numbers that every browser has alike (mulberry32).
  function generator(seed) {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  // Fits to resampled groups of rows.
  function resampled(rows, best, delta) {
    const groups = [...new Set(rows.map((row) => row.group))], random = generator(1);
    return Array.from({ length: DRAWS }, () => {
      const times = new Map();
      for (let count = 0; count < groups.length; count += 1) {
        const group = groups[Math.floor(random() * groups.length)];
        times.set(group, (times.get(group) ?? 0) + 1);
      }
      return fit(rows, { delta, weights: rows.map((row) => times.get(row.group) ?? 0), from: best, steps: 60 }).theta;
    });
  }

  laws.fitting = {
    fit,
    loss: (theta, n, d) => predict([...theta.slice(0, 3).map(Math.log), ...theta.slice(3)], { N: Math.log(n), D: Math.log(d) }),
  };

  const sets = Object.fromEntries(Object.entries(data).map(([name, set]) => [name, { ...set,
    rows: set.rows.map(([n, d, loss, group]) => ({ n, d, loss, group, N: Math.log(n), D: Math.log(d) })) }]));
  let current = 0;

  explorer("fitting", {
    name: "Fit Chinchilla's law here",
    note: `Press a dot (or use the arrow keys and space) to leave its run out. Intervals hold 95 % of ${DRAWS} fits to resampled runs; runs that share a trunk are drawn together.`,
    controls: [
      { name: "runs", label: "Runs", value: "simulated", options: Object.entries(sets).map(([name, set]) => [name, set.name]) },
      { name: "loss", label: "Loss", value: "squares", options: [["squares", "squares of log errors"], ["huber", "Huber, linear beyond δ"]] },
      { name: "delta", label: "δ, in log loss", min: 1e-4, max: 0.1, log: true, value: 1e-3 },
    ],
    extra: { out: "" },
    draw: (state, width, change) => {
      const set = sets[state.runs], delta = state.loss === "huber" ? state.delta : Infinity;
      const out = new Set(state.out.split(",").filter((text) => /^\d+$/.test(text)).map(Number).filter((place) => place < set.rows.length));
      const rows = set.rows.filter((_, place) => !out.has(place));
      const found = rows.length > 5 ? fit(rows, { delta }) : null;
      if (!found) return ["Too few runs are left to fit five coefficients. Take some back."];
      const draws = resampled(rows, found.theta, delta);
      const ends = (of) => quantiles(draws.map(of), [0.025, 0.975]);
      const beyond = { N: Math.log(10 * Math.max(...set.rows.map((row) => row.n))), D: Math.log(10 * Math.max(...set.rows.map((row) => row.d))) };
      const written = (of) => { const [low, high] = ends(of); return `${digits(of(found.theta))} (${digits(low)} to ${digits(high)})`; };
      const sentence = `From ${rows.length} of ${set.rows.length} runs: α is ${written((theta) => theta[3])}, β is ${written((theta) => theta[4])}, E is ${written((theta) => Math.exp(theta[0]))}. At ten times the largest size and tokens, where no run lies, the law says ${written((theta) => predict(theta, beyond))}.`;
      const residuals = set.rows.map((row) => 100 * Math.log(row.loss / predict(found.theta, row)));
      const [least, most] = [Math.min(...set.rows.map((row) => row.d)), Math.max(...set.rows.map((row) => row.d))];
      const reach = Math.max(0.5, ...residuals.map(Math.abs)) * 1.15;
      const toggle = (place) => {
        if (out.has(place)) out.delete(place); else out.add(place);
        change("out", [...out].sort((a, b) => a - b).join(","));
      };
      current = Math.min(current, set.rows.length - 1);
      const press = (dot, place, words) => {
        const kept = !out.has(place);
        for (const [name, value] of Object.entries({ role: "checkbox", "aria-checked": kept, "aria-label": words, tabindex: place === current ? 0 : -1, "data-place": place })) dot.setAttribute(name, value);
        if (!kept) dot.classList.add("out");
        dot.addEventListener("click", () => { current = place; toggle(place); });
        dot.addEventListener("keydown", (event) => {
          const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
          if (by) {
            current = (place + by + set.rows.length) % set.rows.length;
            const circles = dot.parentNode.querySelectorAll("[data-place]");
            dot.setAttribute("tabindex", -1);
            circles[current].setAttribute("tabindex", 0);
            circles[current].focus();
          } else if (event.key === " " || event.key === "Enter") toggle(place);
          else return;
          event.preventDefault();
        });
      };
      const errors = chart({ width, label: "Runs in the fit: loss above the law, in per cent, over training tokens. Each is a box to tick.",
        x: { title: "training tokens", min: least / 3, max: most * 3, log: true, show: (value) => digits(value, 1) },
        y: { title: "loss above the law, %", min: -reach, max: reach },
        items: [{ shade: [least / 3, least], label: "no run" }, { shade: [most, most * 3] }, { line: [[least / 3, 0], [most * 3, 0]], class: "ink", label: "law" },
          { dots: set.rows.map((row, place) => [row.d, residuals[place], `run with ${digits(row.n)} parameters and ${digits(row.d)} tokens, ${percent(residuals[place] / 100)} off`]), class: "dense", label: "runs; hollow: left out", press }] });
      const exponents = [["β", 4, 1], ["α", 3, 2]];
      const { known } = set, all = [...ends((theta) => theta[3]), ...ends((theta) => theta[4]), ...known];
      const [low, high] = [Math.min(...all), Math.max(...all)], margin = (high - low) / 4;
      const shown = chart({ width, height: 170, label: `Exponents with intervals. ${sentence}`,
        x: { title: "exponent", min: low - margin, max: high + 2 * margin },
        y: { title: "", min: 0, max: 3, show: (value) => exponents.find((one) => one[2] === value)?.[0] ?? "" },
        items: exponents.flatMap(([, place, height]) => {
          const reached = ends((theta) => theta[place]);
          return [{ line: reached.map((end) => [end, height]), class: "moe thick", label: place === 4 ? "95 % interval" : null },
            { dots: [[found.theta[place], height, ""]], class: "moe", label: place === 4 ? "fit" : null },
            { mark: [known[place - 3], height, ""], label: place === 4 ? set.source : null }];
        }) });
      return [sentence, errors, shown];
    },
  });
})();
