"""Put the explorers on the pages that have a cell for one, with constants taken from the package and the book's data.

A code cell tagged ``explorer-tian2025`` draws a static figure; with scripts, ``explorers/tian2025.js`` takes its place.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from docutils import nodes

from moelaws import data, ledger
from moelaws.fitting import intervals
from moelaws.laws import dense
from moelaws.laws import tian2025 as leverage
from moelaws.laws.yun2024 import YUN2024
from moelaws.models.ratios import active_ratio
from moelaws.papers import advice
from moelaws.papers.wan2026 import allocation, law
from moelaws.papers.yun2024 import budget as eq4
from moelaws.papers.yun2024 import statements
from moelaws.serving import footprint, steps

TAG = "tag_explorer-"
DRAWS = 4000


def tian2025():
    """Return coefficients, the refit with its interval over designs, and readings of leverage."""
    work = ledger.module("tian2025")
    refit, shown = work.refit(), work.readings("8")
    columns = {"activation": "activation_ratio", "granularity": "granularity", "flops": "flops"}
    nodes = [np.geomspace(0.004, 1, 11), np.geomspace(1, 32, 11), np.geomspace(1e17, 1e25, 9)]
    ends = [work.refitted_el(*np.meshgrid(*nodes[:2], flops, indexing="ij")) for flops in nodes[2]]
    reach = np.stack([(edges / value).T.reshape(11, 11, 2) for value, edges in ends], axis=2)
    rows = shown.drop_duplicates([*columns.values(), "leverage"])
    return {
        "printed": leverage.PUBLISHED,
        "refit": refit.values,
        "nodes": short(np.log(node) for node in nodes),
        "reach": short(np.log(reach).reshape(-1, 2), digits=3),
        "readings": short(rows[[*columns.values(), "leverage"]].to_numpy()),
        "covered": {name: [shown[column].min(), shown[column].max()] for name, column in columns.items()},
        "shared": float((shown.n_shared / shown.top_k).median()),
        "published": {"activation": 12 / 384, "granularity": 12, "flops": 1e22},
    }


def outermost(sets):
    """Return the sets of coefficients that make one of the sizes the smallest or the largest, the middle one first.

    Sizes are the loss-optimal ones, and those that have the loss of a dense base or of one with four experts.
    """
    inner = eq4.optimum(sets, statements.MIDDLE, 8, float(active_ratio(8)))[0]
    found = {int(np.argsort(inner)[len(sets) // 2]): None}
    for flops, count in product(np.geomspace(1e20, 1e24, 17), (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64)):
        kappa = float(active_ratio(count))
        sizes = [eq4.optimum(sets, flops, count, kappa)[0]]
        for base in (1, 4):
            of_base = float(active_ratio(base))
            loss = eq4.loss_at(sets, eq4.optimum(sets, flops, base, of_base)[0], flops, base, of_base)
            sizes.append(eq4.size_at_loss(sets, loss, flops, count, kappa))
        for size in (size for size in sizes if np.isfinite(size).any()):
            found |= {int(place): None for place in (np.nanargmin(size), np.nanargmax(size))}
    return sets[list(found)]


def yun2024():
    """Return outermost admissible coefficients, and what is printed about sizes and costs."""
    sets = data.load("yun2024/feasible").query("flops_of == 'active' and size_of == 'active'")
    device, traffic = steps.load_device("A100-40G-SXM"), footprint.SHAREGPT
    printed = data.load("yun2024/statements").set_index("statement")
    budgets = [statements.LOW, statements.HIGH]
    sizes, small, cost = (printed.loc[name, ["low", "high"]].tolist() for name in ("R09.1", "R09.2", "R08"))
    active = float(active_ratio(8))
    return {
        "count": len(sets),
        "sets": short(outermost(sets[[parameter.name for parameter in YUN2024.parameters]].to_numpy())),
        "budgets": [statements.LOW, printed.flops_high.max()],
        "optima": [[c, 1e9 * n] for c, n in zip(budgets, sizes, strict=True)],
        # The share of activated parameters falls with the budget.
        "small": [[c, 1e9 * n * s / 100 / active] for c, n, s in zip(budgets, sizes, small[::-1], strict=True)],
        "costs": [[c, s / 100] for c in printed.loc["R08", ["flops_low", "flops_high"]] for s in cost],
        "serving": {
            "memory": device.memory,
            "bandwidth": device.bandwidth,
            "flops": device.flops,
            "link": device.link,
            "tokensIn": traffic.tokens_in,
            "tokensOut": traffic.tokens_out,
            "mu": footprint.MU,
            "bytes": footprint.BYTES,
        },
    }


def yang2025():
    """Return the fitted step times of two models, the cells that were measured, and intervals of the speed-up."""
    work = ledger.module("yang2025")
    machines = {"DeepSeek-V2-Lite": (8, "two A800"), "DeepSeek-V3": (9, "eight H200")}
    table = data.load("yang2025/throughput")
    table = table.assign(ms=steps.step_time(*(table[c] for c in ("throughput", *steps.StepTime.columns[:3]))))
    loads = np.geomspace(1, 2000, 13)
    models = {}
    for name, (number, machine) in machines.items():
        fitted = work.step_law(number)
        law, model = fitted.law, fitted.law.architecture
        again = intervals.refits(fitted, by="concurrency", draws=DRAWS)
        thetas = np.array([fitted.problem.theta(draw) for draw in again.coefficients])
        speeds = {top_k: law.predict(thetas, served(model, loads, top_k)) for top_k in range(1, model.top_k + 1)}
        always, expert = (law.weight_bytes * weights / 1e9 for weights in footprint.weights_by_use(model))
        models[name] = {
            "machine": machine,
            "topK": model.top_k,
            "routed": model.n_routed,
            "bytes": law.weight_bytes,
            "always": always,
            "expert": expert,
            "cache": law.cache_bytes * model.kv_elements_per_token / 1e9,
            "coefficients": fitted.coefficients.tolist(),
            "loads": short([loads])[0],
            "fittedTo": int(fitted.table.concurrency.max()),
            "reach": [short(again.interval(speeds[model.top_k] / speed).T) for speed in speeds.values()],
            "cells": short(table[table.table == number][["concurrency", "top_k", "ms"]].to_numpy()),
        }
    return models


def served(model, loads, top_k):
    """Return rows of a model that is served with some active experts at some loads."""
    row = {"tokens_in": 1024, "tokens_out": 1024, "n_routed": model.n_routed, "top_k": top_k}
    return {"concurrency": loads} | {name: np.full(len(loads), value) for name, value in row.items()}


def wan2026():
    """Return the printed laws, the stand-ins, and the architectures of the six budgets."""
    trends = allocation.trends()
    laws = {
        "M": law.FLOPS_PER_TOKEN,
        "density": trends["compute_density"].law,
        "width": trends["width"].law,
    }
    swept = data.load("wan2026/architectures").query("table >= 16")
    shape = ["d_model", "n_dense_layers", "n_moe_layers", "d_expert"]
    setting = law.Setting(1, 1, 1)
    return {
        "laws": {name: [power.coefficient, power.exponent] for name, power in laws.items()},
        "sequence": int(setting.S),
        "routed": int(setting.N_e),
        "topK": int(setting.K),
        "gamma": int(setting.gamma),
        "scales": [
            {
                "flops": row.flops,
                "heads": row.n_heads,
                "kvHeads": row.n_kv_heads,
                "head": row.d_head,
                "expansion": row.expansion_chosen,
                "rows": swept[swept.flops == row.flops].drop_duplicates("d_model")[shape].to_numpy().tolist(),
            }
            for row in allocation.scales().itertuples()
        ],
    }


def fitting():
    """Return runs to fit: simulated ones, whose coefficients are known, and the book's own dense ones."""
    columns = ["n_active", "n_tokens", "loss", "group"]
    simulated = data.load("examples/isoflop").assign(group=lambda table: np.arange(len(table)))
    runs = data.load("small_moe_runs/runs").query("n_routed == 1 and plan == 'grid'")
    own = runs.assign(group=runs.groupby("trunk").ngroup())
    known = [dense.BESIROGLU["alpha"], dense.BESIROGLU["beta"]]
    return {
        "simulated": {
            "name": f"{len(simulated)} simulated, truth known",
            "rows": simulated[columns].to_numpy().tolist(),
            "known": known,
            "source": "made with these",
        },
        "own": {
            "name": f"{len(own)} dense runs of this book",
            "rows": own[columns].to_numpy().tolist(),
            "known": known,
            "source": "Besiroglu et al. (2024)",
        },
    }


FLOPS, SERVED = np.geomspace(1e18, 1e25, 29), np.geomspace(1e8, 1e17, 28)


def cheapest(judge, flops):
    """Return sizes and tokens of the models that a law finds cheapest for a budget and tokens to be served."""
    design = judge.design(flops)
    most, loss = judge.best(flops, design)
    n = most * np.geomspace(1, 1 / 500, 400)
    d = judge.tokens(n, loss, design)
    n, d = n[np.isfinite(d)], d[np.isfinite(d)]
    worth = np.maximum(judge.worth(n, d, design), 1.0)
    return [np.interp(np.log(SERVED), np.log(worth), np.log(sizes)) for sizes in (n, d)]


def budget():
    """Return what laws advise on a grid of budgets and tokens to be served, machines, and public models."""
    found = ledger.module("budget")
    names, laws = {"besiroglu2024": "Besiroglu et al.", "tian2025_dense": "Tian et al., dense"}, {}
    for name in found.ASKED:
        one = advice.ADVISERS[name]
        label = names.get(name, f"{name[:-4].capitalize()} et al.") + ("" if one.judge else " ×")
        laws[name] = {"kind": one.kind, "label": label}
        if one.judge:
            grids = zip(*(cheapest(one.judge, flops) for flops in FLOPS), strict=True)
            laws[name] |= dict(zip(("sizes", "tokens"), map(short, grids), strict=True))
        else:
            laws[name]["sizes"] = short([np.log(one.best(flops))] for flops in FLOPS)
    devices = data.load("devices/devices")
    return {
        "flops": np.log(FLOPS).tolist(),
        "served": np.log(SERVED).tolist(),
        "laws": laws,
        "devices": [[row.device, 0.4 * 3600e12 * row.bf16_tflops] for row in devices.itertuples()],  # FLOP of an hour
        "models": [[row.n_active, row.n_tokens, row.Index] for row in found.models().itertuples()],
    }


EXPLORERS = {maker.__name__: maker for maker in (tian2025, yun2024, yang2025, wan2026, fitting, budget)}


def short(rows, digits=5):
    """Return rows of numbers that are only drawn, or that only make an interval, with so many digits."""
    return [[float(f"{value:.{digits}g}") for value in row] for row in rows]


def plain(value):
    """Return a value for JSON: null for an infinity, and a whole number as one."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, str):
        return value
    if not np.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else float(value)


def constants(key):
    """Return the script that defines an explorer's constants."""
    text = json.dumps(plain(EXPLORERS[key]()), separators=(",", ":"))
    return f"window.moelaws.data.{key} = {text};\n"


def keys(doctree):
    """Return which explorers a page has a cell for."""
    classes = {name for cell in doctree.findall(nodes.container) for name in cell["classes"]}
    return [key for key in EXPLORERS if TAG + key in classes]


def begin(app):
    """Start making the constants in a process of their own, while the build reads the pages."""
    pool = ProcessPoolExecutor(1)
    app.explorers = {key: pool.submit(constants, key) for key in EXPLORERS}
    pool.shutdown(wait=False)


def load(app, pagename, templatename, context, doctree):
    """Load the scripts of a page's explorers, and no others, and write their constants beside them."""
    found = keys(doctree) if doctree is not None else []
    folder = Path(app.outdir) / "_static" / "explorers"
    for key in found:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{key}-data.js").write_text(app.explorers[key].result(), encoding="utf-8")
    for name in ["draw", *(part for key in found for part in (f"{key}-data", key))] if found else []:
        app.add_js_file(f"explorers/{name}.js", defer="defer")


def setup(app):
    """Register with Sphinx."""
    app.connect("builder-inited", begin)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
