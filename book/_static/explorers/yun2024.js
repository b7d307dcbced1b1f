// Sizes and costs by the law of Yun et al. (2024), for every admissible set of its coefficients.
"use strict";

(() => {
  const { laws, logAxis, chart, digits, explorer, percent, quantiles, range } = window.moelaws;
  const data = window.moelaws.data.yun2024;
  const STEPS = 200, TIGHT = 1e-13, ROUNDING = 4e-15, NO_LIMIT = 1e5;

  const logAdd = (a, b) => {
    const most = Math.max(a, b);
    return most === -Infinity ? most : most + Math.log1p(Math.exp(Math.min(a, b) - most));
  };
  const activeRatio = (experts) => 1 + (Math.min(2, experts) - 1) / 3;
  const totalRatio = (experts) => 1 + (experts - 1) / 3;

  // Eq. 4 for given experts along a budget; sizes, their product with tokens, and losses are logarithms.
  function path([A, B, C, F, alpha, beta, gamma, d, start, end], experts) {
    const bounded = 1 / (1 / (experts - 1 + 1 / (1 / start - 1 / end)) + 1 / end);
    const tilt = d * Math.log(bounded);
    return { alpha, gamma, tilt, falling: alpha - tilt, rising: gamma + tilt,
      size: Math.log(A), data: Math.log(C), rest: Math.log(B * bounded ** -beta + F) };
  }

  const sum = (p, n, product) => logAdd(logAdd(p.size - p.alpha * n, p.data - p.gamma * (product - n)), p.rest);
  const logLoss = (p, n, product) => p.tilt * n + sum(p, n, product);

  function best(p, product) {
    if (!(p.falling > 0 && p.rising > 0)) return NaN;
    const down = Math.log(p.falling) + p.size, up = Math.log(p.rising) + p.data - p.gamma * product;
    const rest = Math.log(Math.abs(p.tilt)) + p.rest;
    const restDown = p.tilt < 0 ? rest : -Infinity, restUp = p.tilt > 0 ? rest : -Infinity;
    let n = (down - up) / (p.alpha + p.gamma);
    for (let count = 0; count < STEPS; count += 1) {
      const one = down - p.alpha * n, other = up + p.gamma * n;
      const lower = logAdd(one, restDown), higher = logAdd(other, restUp);
      const step = (lower - higher) / (p.alpha * Math.exp(one - lower) + p.gamma * Math.exp(other - higher));
      n += step;
      if (Math.abs(step) < TIGHT) break;
    }
    return n;
  }

  // The size below the best that has a loss; nan where the budget is too small.
  function sizeAtLoss(p, target, product) {
    const most = best(p, product);
    if (!(logLoss(p, most, product) <= target + TIGHT)) return NaN;
    let n = Math.min((p.size - target) / p.falling, most);
    for (let count = 0; count < STEPS; count += 1) {
      const total = sum(p, n, product), gap = p.tilt * n + total - target;
      const slope = p.tilt - p.alpha * Math.exp(p.size - p.alpha * n - total)
        + p.gamma * Math.exp(p.data - p.gamma * (product - n) - total);
      const step = gap / slope, after = Number.isNaN(step) ? most : Math.min(n - step, most);
      const moved = Math.abs(after - n);
      n = after;
      if (!(moved > TIGHT && Math.abs(gap) > ROUNDING)) break;
    }
    return n;
  }

  // Device seconds of a generated token where they are least, Eqs. 5 and 6; nan if the model does not fit.
  function cost(size, experts, mostRequests, mostGpus) {
    const { memory, bandwidth, flops: rate, link, tokensIn, tokensOut, mu, bytes } = data.serving;
    const breadth = mu * size ** (2 / 3), context = tokensIn + tokensOut / 2;
    const matrices = 2 * size * activeRatio(experts), scores = 4 * breadth;
    const weights = bytes * size * totalRatio(experts), cache = bytes * 2 * breadth * context;
    const always = (bytes * size * 2) / 3, all = (bytes * size * experts) / 3, topK = Math.min(2, experts);
    const read = (tokens) => always - all * Math.expm1(tokens * Math.log1p(-topK / experts));
    const tokenFlops = matrices + scores * context, promptFlops = tokensIn * (matrices + (scores * (tokensIn + 1)) / 2);
    let least = Infinity;
    for (let gpus = 1; gpus <= mostGpus; gpus += 1) {
      const fitting = (gpus * memory - weights) / cache;
      if (fitting < 1) continue;
      const batch = Math.min(fitting, mostRequests), prompts = batch / tokensOut, together = Math.max(prompts, 1);
      const decode = Math.max((batch * tokenFlops) / rate, (read(batch) + batch * cache) / bandwidth) / gpus;
      const prompt = (Math.max((together * promptFlops) / rate, read(together * tokensIn) / bandwidth) * prompts) / together / gpus;
      const exchange = (((2 * (gpus - 1)) / gpus) * (batch + prompts * tokensIn) * bytes * 2 * breadth) / link;
      least = Math.min(least, (gpus * (decode + prompt + exchange)) / batch);
    }
    return Number.isFinite(least) ? least : NaN;
  }

  const product = (flops, experts) => Math.log(flops / (6 * activeRatio(experts)));
  laws.yun2024 = {
    cost,
    loss: (theta, size, flops, experts) => Math.exp(logLoss(path(theta, experts), Math.log(size), product(flops, experts))),
    optimum: (theta, flops, experts) => Math.exp(best(path(theta, experts), product(flops, experts))),
    sizeAtLoss: (theta, loss, flops, experts) =>
      Math.exp(sizeAtLoss(path(theta, experts), Math.log(loss), product(flops, experts))),
  };

  function answer(theta, { flops, experts, base, requests, gpus }) {
    const limit = requests >= NO_LIMIT ? Infinity : requests;
    const own = path(theta, experts), other = path(theta, base), mine = product(flops, experts), its = product(flops, base);
    const reference = best(other, its);
    const small = Math.exp(sizeAtLoss(own, logLoss(other, reference, its), mine)), dense = Math.exp(reference);
    return { base: dense, optimum: Math.exp(best(own, mine)), small,
      cost: cost(small, experts, limit, gpus) / cost(dense, base, limit, gpus) };
  }

  const ten = (value) => digits(value, 1), X = logAxis("training budget, FLOP", 1e20, 1e24, ten);

  explorer("yun2024", {
    name: "Loss-optimal and over-trained sizes, and what they cost to serve",
    note: `Bands: the ${data.count} sets of coefficients that give, within twice its tolerance, every printed size that no cost enters; lines: one set. Sizes are those of the dense model with the same layers. The cost is a roofline of A100 data sheets, not the paper's unpublished latencies.`,
    controls: [
      { name: "experts", label: "Experts", min: 2, max: 64, log: true, whole: true, value: 8, step: Math.log10(2) / 4 },
      { name: "flops", label: "Training budget, FLOP", min: 1e20, max: 1e24, log: true, value: 5.15e21 },
      { name: "base", label: "Base model", value: "1", options: [["1", "dense"], ["4", "four experts"]] },
      { name: "requests", label: "Limit of requests", min: 1, max: NO_LIMIT, log: true, value: NO_LIMIT, show: (value) => (value >= NO_LIMIT ? "what memory holds" : digits(value)) },
      { name: "gpus", label: "GPUs per replica, at most", min: 1, max: 8, whole: true, step: 1, value: 8 },
    ],
    draw: (state, width) => {
      const asked = { ...state, base: Number(state.base) };
      const along = range(17, X.min, X.max).map((flops) => ({ flops, found: data.sets.map((theta) => answer(theta, { ...asked, flops })) }));
      const here = data.sets.map((theta) => answer(theta, asked));
      // The first set stands in the middle.
      const spread = (found, name) => { const [low, high] = quantiles(found.map((one) => one[name]), [0, 1]); return [low, found[0][name], high]; };
      const band = (name) => along.map(({ flops, found }) => { const [low, , high] = spread(found, name); return [flops, low, high]; });
      const middle = (name) => along.map(({ flops, found }) => [flops, spread(found, name)[1]]);
      const written = (name, show = digits) => { const [low, mid, high] = spread(here, name); return `${show(mid)} (${show(low)} to ${show(high)})`; };
      const [from, to] = data.budgets;
      const outside = state.flops < from * 0.999 || state.flops > to * 1.001 || state.experts > 32;
      const unserved = here.filter((one) => Number.isNaN(one.cost)).length;
      const sentence = `With ${state.experts} experts the loss-optimal size is ${written("optimum")}, and ${written("small")} has the loss of the ${asked.base === 1 ? "dense base" : "base with four experts"} of ${written("base")}; serving it costs ${written("cost", percent)} of the base.`
        + (unserved ? ` In ${unserved} sets there is no such model, or it does not fit the GPUs.` : "")
        + (outside ? " No printed statement covers these settings." : "");
      const shades = [{ shade: [X.min, from], label: "no printed statement" }, { shade: [to, X.max] }];
      const dense = asked.base === 1, eight = state.experts === 8;
      const sizes = chart({ width, label: `Sizes over the budget. ${sentence}`, x: X,
        y: logAxis("size N, parameters", 1e8, 1e11, ten),
        items: [...shades,
          { band: band("base"), class: "dense", label: dense ? "dense base, loss-optimal" : "four experts, loss-optimal" },
          { band: band("optimum"), class: "moe", label: `${state.experts} experts, loss-optimal` },
          { band: band("small"), class: "third", label: `${state.experts} experts, over-trained to the base's loss` },
          { line: middle("base"), class: "dense" }, { line: middle("optimum"), class: "moe" }, { line: middle("small"), class: "third" },
          { rule: state.flops },
          ...(dense ? data.optima.map(([flops, size], place) => ({ mark: [flops, size, ""], label: place ? null : "printed sizes" })) : []),
          ...(dense && eight ? data.small.map(([flops, size]) => ({ mark: [flops, size, ""] })) : []),
        ] });
      const costs = chart({ width, height: 190, label: `Cost over that of the base, over the budget. ${sentence}`, x: X,
        y: logAxis("cost over the base's", 0.05, 3),
        items: [...shades, { band: band("cost"), class: "third", label: "cost of a generated token" }, { line: middle("cost"), class: "third" }, { rule: state.flops },
          ...(dense && eight ? data.costs.map(([flops, value], place) => ({ mark: [flops, value, ""], label: place ? null : "printed costs" })) : [])] });
      return [sentence, sizes, costs];
    },
  });
})();
