// Efficiency leverage by the joint law of Tian et al. (2025), Eq. 13.
"use strict";

(() => {
  const { laws, logAxis, chart, digits, explorer, percent, range, within } = window.moelaws;
  const data = window.moelaws.data.tian2025;
  const readings = data.readings.map(([activation, granularity, flops, leverage]) => ({ activation, granularity, flops, leverage }));

  // Leverage for an activation ratio, a granularity and a compute; an infinite A_max is null.
  laws.tian2025 = ({ activation, granularity, flops, granularityBase = 2, flopsBase = 10 }, theta) => {
    const end = theta.A_max === null ? 0 : 1 / theta.A_max;
    const bounded = 1 / (1 / (activation + 1 / (1 / theta.A_start - end)) + end);
    const logG = Math.log(granularity) / Math.log(granularityBase), logC = Math.log(flops) / Math.log(flopsBase);
    return Math.exp(Math.log(bounded) * (theta.a + theta.d * logC + theta.gamma * logG * logG + theta.beta * logG));
  };

  // The three activation ratios of the paper, for so many shared experts per routed one that is active.
  laws.tian2025Ratio = (routed, shared, convention) => ({
    routed,
    "with shared": (routed * (1 + shared)) / (1 + routed * shared),
    mixed: routed * (1 + shared),
  })[convention];

  // How far the interval over designs reaches from the refit, in log leverage, between the nodes of a table.
  function reach({ activation, granularity, flops }) {
    const places = [activation, granularity, flops].map((value, axis) => within(data.nodes[axis], Math.log(value)));
    const off = [0, 0];
    for (let corner = 0; corner < 8; corner += 1) {
      let [weight, row] = [1, 0];
      places.forEach(([below, share], axis) => {
        const up = (corner >> axis) & 1;
        weight *= up ? share : 1 - share;
        row = row * data.nodes[axis].length + below + up;
      });
      data.reach[row].forEach((value, end) => { off[end] += weight * value; });
    }
    return off;
  }
  laws.tian2025Reach = reach;

  const AXES = {
    activation: logAxis("activation ratio (routed experts)", 0.004, 1, percent),
    granularity: logAxis("granularity", 1, 32),
    flops: logAxis("training compute of the MoE, FLOP", 1e17, 1e25, (value) => digits(value, 1)),
  };

  explorer("tian2025", {
    name: "Leverage by the law, for a design and a budget",
    note: "Lines: leverage along one of the three quantities, the other two as set. Published: more than 7 at 10²² FLOP, 3.1 % and granularity 12. The band is the refit's 95 % interval over resampled designs; between computed points it is interpolated, which is good to about 3 %. Shared experts are taken as half of the active routed ones, as in the readings; the refit always counts routed experts only.",
    controls: [
      { name: "activation", label: "Activation ratio", min: 0.004, max: 1, log: true, value: 0.03125, show: percent },
      { name: "granularity", label: "Granularity", min: 1, max: 32, log: true, value: 12 },
      { name: "flops", label: "Compute, FLOP", min: 1e17, max: 1e25, log: true, value: 1e20, show: (value) => digits(value, 2) },
      { name: "granularityBase", label: "Base of log G", value: "2", options: [["2", "2"], ["e", "e"], ["10", "10"]] },
      { name: "flopsBase", label: "Base of log C", value: "10", options: [["2", "2"], ["e", "e"], ["10", "10"]] },
      { name: "convention", label: "Ratio counts", value: "routed", options: [["routed", "routed experts only"], ["with shared", "shared experts, too"], ["mixed", "shared among the active only"]] },
      { name: "axis", label: "Horizontal axis", value: "activation", options: [["activation", "activation ratio"], ["granularity", "granularity"], ["flops", "compute"]] },
    ],
    draw: (state, width) => {
      const base = (text) => (text === "e" ? Math.E : Number(text));
      const bases = { granularityBase: base(state.granularityBase), flopsBase: base(state.flopsBase) };
      const printed = (point) => laws.tian2025({ ...point, ...bases,
        activation: laws.tian2025Ratio(point.activation, data.shared, state.convention) }, data.printed);
      const interval = (point) => reach(point).map((off) => laws.tian2025(point, data.refit) * Math.exp(off));
      const here = { activation: state.activation, granularity: state.granularity, flops: state.flops };
      const { axis } = state;
      const along = range(61, AXES[axis].min, AXES[axis].max).map((value) => ({ ...here, [axis]: value }));
      const others = Object.keys(AXES).filter((name) => name !== axis);
      const outside = Object.keys(AXES).filter((name) => here[name] < data.covered[name][0] * 0.999 || here[name] > data.covered[name][1] * 1.001);
      const hidden = others.some((name) => outside.includes(name));
      const [from, to] = data.covered[axis];
      // Readings of the nearest design and compute that the figures have.
      const distance = (row) => others.map((name) => Math.abs(Math.log(row[name] / here[name])) / (name === "flops" ? 5 : 1)).reduce((a, b) => a + b);
      const least = Math.min(...readings.map(distance));
      const near = readings.filter((row) => distance(row) < least + 1e-9);
      const isPublished = others.every((name) => Math.abs(Math.log(data.published[name] / here[name])) < 0.02);
      const value = printed(here), again = laws.tian2025(here, data.refit), [low, high] = interval(here);
      const sentence = `Leverage ${digits(value)} by the printed coefficients; the refit gives ${digits(again)} (95 % interval ${digits(low)} to ${digits(high)}).`
        + (outside.length ? ` No reading covers this ${outside.map((name) => ({ activation: "activation ratio", granularity: "granularity", flops: "compute" })[name]).join(" and ")}.` : "");
      const shades = hidden ? [[AXES[axis].min, AXES[axis].max]] : [[AXES[axis].min, from], [to, AXES[axis].max]];
      return [sentence, chart({ width, label: sentence, x: AXES[axis],
        y: logAxis("leverage", 0.8, 20),
        items: [
          ...shades.map((shade, place) => ({ shade, label: place ? null : "no reading" })),
          { band: along.map((point) => [point[axis], ...interval(point)]), class: "moe", label: "refit, 95 % interval" },
          { line: along.map((point) => [point[axis], laws.tian2025(point, data.refit)]), class: "moe dashed", label: "refit" },
          { line: along.map((point) => [point[axis], printed(point)]), class: "ink", label: "printed law" },
          { dots: near.map((row) => [row[axis], row.leverage, `read off the figure: ${digits(row.leverage)}`]), class: "third",
            label: `readings nearest to these settings (${others.map((name) => `${{ activation: "activation", granularity: "G", flops: "C" }[name]} ${AXES[name].show ? AXES[name].show(near[0][name]) : digits(near[0][name])}`).join(", ")})` },
          { rule: here[axis] },
          isPublished ? { mark: [data.published[axis], 7, "published: above 7"], label: "published" } : {},
          { dots: [[here[axis], value, "your settings"]], class: "ink chosen", label: "your settings" },
        ] })];
    },
  });
})();
