// From a budget to layers and experts: Wan et al. (2026), Eqs. 2 and 3.
"use strict";

(() => {
  const { laws, logAxis, chart, digits, explorer, percent, range, table } = window.moelaws;
  const data = window.moelaws.data.wan2026;
  const STEP = 8, NEAR = [0.02, 0.1, 0.5];

  const law = (name, flops) => data.laws[name][0] * flops ** data.laws[name][1];
  const nearest = (flops) => data.scales.reduce((one, other) =>
    (Math.abs(Math.log(other.flops / flops)) < Math.abs(Math.log(one.flops / flops)) ? other : one));

  function fixed(flops) {
    const scale = nearest(flops);
    const projections = 2 * scale.head * (scale.heads + scale.kvHeads), scores = 6 * data.sequence * scale.heads * scale.head;
    return { projections, scores, idle: data.routed - data.topK, used: data.topK + 1, gamma: data.gamma, scale };
  }

  function account({ d, dense, moe, expert }, setting) {
    const experts = 3 * d * expert * moe, layers = dense + moe;
    const active = setting.projections * d * layers + 3 * setting.gamma * d * d * dense + setting.used * experts;
    return { M: 6 * active + setting.scores * layers, active, total: active + setting.idle * experts };
  }

  // Eq. 3 solved for layers and experts; exact, not rounded, and null where there is no such architecture.
  function solve({ M, active, total }, d, setting) {
    const layers = (M - 6 * active) / setting.scores, experts = (total - active) / setting.idle;
    const rest = active - setting.used * experts;
    if (!(layers > 0 && experts > 0 && rest > 0)) return null;
    const dense = (rest - setting.projections * d * layers) / (3 * setting.gamma * d * d);
    if (dense < -1e-9 * layers || dense >= layers * (1 - 1e-9)) return null;
    const kept = Math.max(dense, 0);
    return { d, dense: kept, moe: layers - kept, expert: experts / (3 * d * (layers - kept)) };
  }

  // Whole layers, and widths that are multiples of eight, with the smallest of the largest deviations from sizes and width.
  function round(sizes, d, setting) {
    for (const near of NEAR) {
      const found = within(near, sizes, d, setting);
      if (found && found.deviation <= near) return found;
    }
    return null;
  }

  function within(near, sizes, d, setting) {
    // The work of attention scores is the rest of M, and both may be off.
    const off = (sizes.M + 6 * sizes.active) * near, rest = sizes.M - 6 * sizes.active;
    const most = Math.floor((rest + off) / setting.scores);
    let found = null;
    for (let width = Math.ceil((d * (1 - near)) / STEP) * STEP; width <= d * (1 + near); width += STEP) {
      for (let all = Math.max(2, Math.ceil((rest - off) / setting.scores)); all <= most; all += 1) {
        for (let dense = 1; dense < all; dense += 1) {
          const worst = (expert) => {
            const has = account({ d: width, dense, moe: all - dense, expert }, setting);
            return Math.max(Math.abs(width / d - 1), ...Object.keys(sizes).map((name) => Math.abs(has[name] / sizes[name] - 1)));
          };
          // The deviation is convex in the experts' width: their part of N says where to look.
          const about = (sizes.total - account({ d: width, dense, moe: all - dense, expert: 0 }, setting).total)
            / (3 * width * (all - dense) * (setting.used + setting.idle));
          let expert = Math.max(STEP, Math.round(about / STEP) * STEP);
          while (expert > STEP && worst(expert - STEP) < worst(expert)) expert -= STEP;
          while (worst(expert + STEP) < worst(expert)) expert += STEP;
          const deviation = worst(expert);
          if (!found || deviation < found.deviation) found = { d: width, dense, moe: all - dense, expert, deviation };
        }
      }
    }
    return found;
  }

  laws.wan2026 = { fixed, account, solve, round };

  const X = logAxis("width d", 200, 6000);

  explorer("wan2026", {
    name: "From a budget and two ratios to an architecture",
    note: "Heads (the paper’s Table 4) and dots (widths that were trained, the paper’s Tables 16 to 21) are those of the nearest budget; one shared and 288 routed experts, eight active.",
    controls: [
      { name: "flops", label: "Budget, FLOP", min: 1e17, max: 3e21, log: true, value: 3e20 },
      { name: "expansion", label: "N/Nₐ, all over active", min: 8, max: 31, step: 0.5, value: 22 },
      { name: "density", label: "M/Nₐ, FLOP a parameter", min: 6.5, max: 18, step: 0.1, value: 8.2 },
      { name: "width", label: "Width d", min: 200, max: 6000, log: true, whole: true, value: 1880 },
    ],
    draw: (state, width) => {
      const setting = fixed(state.flops), M = law("M", state.flops), active = M / state.density;
      const sizes = { M, active, total: active * state.expansion };
      const shape = solve(sizes, state.width, setting), along = range(241, X.min, X.max).map((d) => solve(sizes, d, setting));
      const feasible = along.filter((one) => one !== null).map((one) => one.d);
      const [low, high] = feasible.length ? [feasible[0], feasible[feasible.length - 1]] : [X.max, X.max];
      const [first, last] = [data.scales[0].flops, data.scales[data.scales.length - 1].flops];
      const outside = state.flops < first * 0.999 || state.flops > last * 1.001;
      const whole = shape && round(sizes, state.width, setting);
      const sentence = (shape
        ? `${digits(shape.dense)} dense layers and ${digits(shape.moe)} with experts of width ${digits(shape.expert)}` + (whole
          ? `; in whole numbers ${whole.dense}, ${whole.moe} and ${whole.expert} at width ${whole.d}, with a rounding error of ${percent(whole.deviation)}.` : "; no whole numbers are near.")
        : feasible.length ? `No architecture has these sizes at this width; widths from ${digits(low)} to ${digits(high)} do.` : "No architecture of any width has these sizes.")
        + (outside ? " The paper trained nothing at this budget." : "");
      const rows = [
        ["M, FLOP per token", digits(M), "printed, the paper’s Eq. 2"],
        ["tokens", digits(state.flops / M), "computed, C/M"],
        ["M/Nₐ", digits(state.density), `yours; stand-in for a law that is printed in a figure only: ${digits(6 + law("density", state.flops))}`],
        ["N/Nₐ", digits(state.expansion), `yours; printed for the nearest budget: ${digits(setting.scale.expansion)}`],
        ["Nₐ, active parameters", digits(active), "computed, M over M/Nₐ"],
        ["N, all parameters", digits(sizes.total), "computed"],
        ["width", digits(state.width, 4), `yours; stand-in, the middles of the printed sweeps: ${digits(law("width", state.flops), 4)}`],
        ["heads, their width", `${setting.scale.heads}, ${setting.scale.head}`, "printed at the nearest budget"],
        ["layers and experts", shape ? `${digits(shape.dense)} + ${digits(shape.moe)}, ${digits(shape.expert)}` : "–", "computed, the paper’s Eq. 3 solved"],
      ];
      const scale = setting.scale, trained = scale.rows.map((row) => row[0]);
      const shades = [{ shade: [X.min, outside ? X.max : Math.min(...trained)], label: "nothing trained" }, { shade: [outside ? X.max : Math.max(...trained), X.max] }];
      const middle = scale.rows[Math.floor(scale.rows.length / 2)];
      const values = (name) => along.map((one) => (one ? [one.d, one[name]] : [NaN, NaN]));
      const most = Math.max(4, ...along.map((one) => (one ? one.dense + one.moe : 0)), ...scale.rows.map((row) => row[1] + row[2])) * 1.15;
      const layers = chart({ width, label: `Layers over the width. ${sentence}`, x: X, y: { title: "layers", min: 0, max: most },
        items: [...shades, { line: values("moe"), class: "moe", label: "with experts" }, { line: values("dense"), class: "dense", label: "dense" }, { rule: state.width },
          { dots: scale.rows.map((row) => [row[0], row[2], `width ${row[0]}: ${row[2]} layers with experts`]), class: "moe", label: `trained at ${digits(scale.flops, 1)} FLOP` },
          { dots: scale.rows.map((row) => [row[0], row[1], `width ${row[0]}: ${row[1]} dense layers`]), class: "dense" },
          { mark: [middle[0], middle[2], ""], label: "median of the tried widths" }] });
      const experts = chart({ width, height: 190, label: `Width of an expert over the width. ${sentence}`, x: X,
        y: logAxis("width of an expert", 30, 1e4),
        items: [...shades, { line: values("expert"), class: "moe", label: "width of an expert" }, { rule: state.width },
          { dots: scale.rows.map((row) => [row[0], row[3], `width ${row[0]}: experts of ${row[3]}`]), class: "moe" }] });
      return [sentence, layers, experts, table("Where each number comes from", ["quantity", "value", "source"], rows)];
    },
  });
})();
