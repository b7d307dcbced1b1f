"""Public training runs, each set turned from its published table into the columns of a table of runs.

The functions are pure: published tables in, runs out. They choose and convert, and compute
only what the set's own conventions define (``n_tokens = C/(6N)``, for instance), which the
columns `tokens_convention` and `flops_convention` then say. Runs of one architecture, which
differ in data, length or seed only, share a `group`: what is peculiar to a shape is common
to them, so that a bootstrap draws them together.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

CLARK_TOKENS = 130e9
"""Training tokens of each run of Clark et al. (2022)."""

DELPHI_SHAPES = {1e21: (2560, 26), 1e22: (3840, 37), 1e23: (5376, 51)}
"""Hidden size and layers of Marin's three largest dense runs by compute; the names of the others hold theirs.

They follow from the publishers' rule of shapes, and give the parameters they print (24,963,098,112 for
the largest) to the last digit.
"""

STEPLAW_SPARSE_SHAPE = (1408, 16)
"""Hidden size and layers of all sparse models of Step Law; the first layer is dense."""

GEMSTONES_VOCABULARY = 50_304
"""Vocabulary of Gemstones, whose input and output embeddings are two tables.

It follows from the parameters: 15 d² + 2 d in a layer (44/3 d² at width 384), d in the last norm, and the
rest in two tables of d columns.
"""

GEMSTONES_SERIES = {"main_hot": "constant", "main_cooldown_end": "cooled", "lr_ablation_hot": "constant, lower rate"}
"""The published names of the three series of Gemstones, and what happens to their learning rate."""

BILLION = 1e9

RUNS = {
    "architecture": "moe",
    "n_embedding_counted": "no",
    "tokens_convention": "given",
    "flops_convention": "not given",
    "loss_unit": "nats/token",
    "annealed": "yes",
}
"""What most sets have in common; each says what it has otherwise."""

DENSE = RUNS | {"architecture": "dense", "n_routed": 1, "top_k": 1}
"""The same for sets of dense models only."""


def final_steps(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of each run of the curves of Clark et al. (2022).

    Rows before it lie on a learning rate that is not yet annealed, and are no shorter runs.
    """
    return curves.loc[curves.groupby("hyper_id").step.idxmax()].reset_index(drop=True)


def clark2022(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the routed and dense runs of Clark et al. (2022)."""
    last = final_steps(curves)
    dense = last.router_type == "Dense"
    n_dense, n_total = last.dense_parameter_count, last.total_parameter_count
    n_expert = (n_total - n_dense) / (last.num_experts - 1).where(~dense)  # over all layers
    active = n_dense + (last.k - 1) * n_expert
    configuration = ["router_type", "model_size_label", "num_experts", "k", "routing_frequency", "flop_increase"]
    return pd.DataFrame(
        RUNS
        | {
            "run": last.hyper_id,
            "architecture": np.where(dense, "dense", "moe"),
            # A dense model widened by `flop_increase` counts its added weights in the total only.
            "n_active": active.where(~dense, n_total),
            "n_total": n_total,
            "n_routed": last.num_experts,
            "top_k": last.k.where(~dense, 1),
            "n_tokens": CLARK_TOKENS,
            "tokens_convention": "same in all runs",
            "loss": last.loss_validation,
            "loss_set": "MassiveText validation",
            "seed": last.seed,
            "group": _joined(last[configuration]),
            "router": last.router_type,
            "n_dense": n_dense,
            "k": last.k,
            "routing_frequency": last.routing_frequency,
            "flop_increase": last.flop_increase,
            "d_model": last.d_model,
            "n_layers": last.num_blocks,
        }
    )


def sldbench_split(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the mixture-of-experts task of SLDBench: Clark's runs at step 249,000, the largest size held out.

    Columns are the benchmark's, the run of Clark et al. (2022), and `split` (train or test).
    """
    kept = curves[curves.step == 249_000]
    columns = ["hyper_id", "num_experts", "dense_parameter_count", "loss_validation"]
    split = np.where(kept.dense_parameter_count < BILLION, "train", "test")
    return kept[columns].assign(split=split).reset_index(drop=True)


def sldbench(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of SLDBench's mixture-of-experts task, with what the benchmark shows of them and no more."""
    rows = sldbench_split(curves)
    return pd.DataFrame(
        RUNS
        | {
            "run": rows.hyper_id,
            "architecture": np.where(rows.num_experts == 1, "dense", "moe"),
            "n_active": rows.dense_parameter_count,
            "n_routed": rows.num_experts,
            "n_tokens": CLARK_TOKENS,
            "tokens_convention": "same in all runs",
            "loss": rows.loss_validation,
            "loss_set": "MassiveText validation",
            "group": _joined(rows[["num_experts", "dense_parameter_count"]]),
            "split": rows.split,
        }
    )


def chinchilla(points: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that Besiroglu et al. (2024) read from Figure 4 of Hoffmann et al. (2022)."""
    size, flops = points["Model Size"], points["Training FLOP"]
    return pd.DataFrame(
        DENSE
        | {
            "run": points.index + 1,
            "n_active": size,
            "n_total": size,
            "n_embedding_counted": "unknown",
            "n_tokens": flops / (6 * size),
            "tokens_convention": "C/(6N)",
            "flops": flops,
            "flops_convention": "given",
            "loss": points.loss,
            "loss_set": "MassiveText",
            # The same size is digitised with an error in the fifth digit or later.
            "group": size.map("{:.3e}".format),
        }
    )


def gadre2024(table: pd.DataFrame) -> pd.DataFrame:
    """Return the over-trained dense runs of Gadre et al. (2024)."""
    return pd.DataFrame(
        DENSE
        | {
            "run": table.name,
            "n_active": table.params,
            "n_total": table.params,
            "n_embedding_counted": "yes",
            "n_embedding": table.params - table.params_no_embed,
            "n_tokens": table.tokens,
            "loss": table.loss_c4_val,
            "loss_set": "C4 validation",
            "group": _joined(table[["dataset", "model_cfg"]]),
            "dataset": table.dataset,
            "chinchilla_multiplier": table.chinchilla_multiplier,
        }
    )


def gemstones2025(table: pd.DataFrame) -> pd.DataFrame:
    """Return the checkpoints of Gemstones, dense models of 22 shapes; a shape's checkpoints are one group."""
    return pd.DataFrame(
        DENSE
        | {
            "run": _joined(table[["series", "width", "depth", "step"]]),
            "n_active": table.params_active_precise,
            "n_total": table.params_active_precise,
            "n_embedding_counted": "yes",
            "n_embedding": 2 * GEMSTONES_VOCABULARY * table.width,
            "n_tokens": table.tokens,
            "loss": table.final_loss,
            "loss_set": "Dolma validation",
            "group": _joined(table[["width", "depth"]]),
            "annealed": np.where(table.series == "main_cooldown_end", "yes", "no"),
            "series": table.series.map(GEMSTONES_SERIES),
            "d_model": table.width,
            "n_layers": table.depth,
        }
    )


def liew2025(table: pd.DataFrame) -> pd.DataFrame:
    """Return the upcycled runs of Liew et al. (2025): a dense model for D1 tokens, made sparse, then D2 tokens."""
    n_routed = table.Model.str.split("x").str[0].astype(int)
    n_feed_forward = (table.N_total - table.N_dense) / (n_routed - 1)  # of the dense model
    top_k = ((table.N_active - table.N_dense) / n_feed_forward).round().astype(int) + 1
    name = table.assign(top_k=top_k)[["Model", "top_k", "D1", "D2"]]
    return pd.DataFrame(
        RUNS
        | {
            "run": _joined(name),
            "n_active": table.N_active * BILLION,
            "n_total": table.N_total * BILLION,
            "n_routed": n_routed,
            "top_k": top_k,
            "n_tokens": (table.D1 + table.D2) * BILLION,
            "tokens_convention": "D1 + D2",
            "loss": table.Loss,
            "loss_set": "SlimPajama CommonCrawl test",
            "group": _joined(table[["N_dense", "D1"]]),
            "annealed": "unknown",
            "n_dense": table.N_dense * BILLION,
            "d1_tokens": table.D1 * BILLION,
            "d2_tokens": table.D2 * BILLION,
        }
    )


def flame(table: pd.DataFrame) -> pd.DataFrame:
    """Return the iso-FLOP runs of FLAME-MoE."""
    return pd.DataFrame(
        RUNS
        | {
            "run": _joined(table[["flops", "hidden_size", "num_layers"]]),
            "n_active": table.active_params_computed,
            "n_total": table.total_params_computed,
            "n_embedding_counted": "yes",
            "n_embedding": table.active_params_computed - table.active_nonemb,
            "n_routed": table.num_experts,
            "top_k": table.top_k,
            "n_tokens": table.tokens_from_iters,
            "tokens_convention": "steps × batch",
            "flops": table.flops,
            "flops_convention": "6ND",
            "loss": table.loss,
            "loss_set": "DCLM validation",
            "group": _joined(table[["hidden_size", "num_layers"]]),
            "d_model": table.hidden_size,
            "n_layers": table.num_layers,
            "d_expert": table.expert_dim,
            "n_shared": table.shared_experts,
        }
    )


def steplaw(moe: pd.DataFrame, dense: pd.DataFrame) -> pd.DataFrame:
    """Return the best run of each cell (architecture, tokens) of the sweeps of Step Law."""
    sparse = pd.DataFrame(
        RUNS
        | {
            "run": _joined(moe[["moe_name", "D"]]),
            "n_active": moe.Na,
            "n_total": moe.N,
            "n_routed": moe.nume,
            "top_k": moe.topk,
            "n_tokens": moe.D,
            "loss": moe["smooth loss"],
            "group": moe.moe_name,
            "d_model": STEPLAW_SPARSE_SHAPE[0],
            "n_layers": STEPLAW_SPARSE_SHAPE[1],
            "d_expert": moe.moeh,
            "d_shared": moe.sed,
            "learning_rate": moe.lr,
            "batch": moe.bs,
        }
    )
    full = pd.DataFrame(
        DENSE
        | {
            "run": _joined(dense[["N", "D"]]),
            "n_active": dense.N,
            "n_total": dense.N,
            "n_tokens": dense.D,
            "loss": dense["smooth loss"],
            "group": dense.N.astype(str),
            "d_model": dense.h,
            "n_layers": dense.numl,
            "learning_rate": dense.lr,
            "batch": dense.bs,
        }
    )
    return pd.concat([sparse, full], ignore_index=True).assign(loss_set="training, smoothed")


def marin(
    v16: pd.DataFrame,
    may: pd.DataFrame,
    experts: pd.DataFrame,
    best: pd.DataFrame,
    ladder: pd.DataFrame,
    frontier: pd.DataFrame,
) -> pd.DataFrame:
    """Return Marin's mixture-of-experts runs of three recipes, and its dense frontier.

    The six tables are kept apart by the column `table`; only the frontier's losses are in bits per byte.
    """
    v16 = v16.assign(
        run=v16.wandb_run,
        n_active=v16.active_params_nonemb_computed,
        n_total=v16.total_params_nonemb_computed,
        n_effective=v16.N_eff_C_over_6D,
        n_shared=v16.shared_experts,
        d_expert=v16.expert_dim,
        bits_per_byte_c4=v16.paloma_c4_en_bpb,
        n_embedding_counted="no",
    )
    may = may.assign(run=_joined(may[["budget_flops", "hidden_dim"]]), n_effective=may.N_eff_C_over_6D)
    experts = experts.assign(run=_joined(experts[["variant", "num_experts", "hidden_dim"]]))
    best = best.assign(run=_joined(best[["recipe", "budget_flops"]]))
    ladder = ladder.assign(recipe="fast_track", budget_flops=ladder.total_flops)
    shapes = _dense_shapes(frontier)
    frontier = frontier.assign(run=frontier.wandb_run, recipe="delphi", bits_per_byte_c4=frontier.paloma_c4_en_bpb)
    frontier[["hidden_dim", "num_layers"]] = shapes
    tables = {
        "v16_isoflop": v16,
        "may_recipe_isoflop": may,
        "expert_count_ablation": experts,
        "compute_optimal": best,
        "depth_ladder": ladder,
        "dense_frontier": frontier,
    }
    rows = pd.concat([frame.assign(table=table) for table, frame in tables.items()], ignore_index=True)
    dense = rows.table == "dense_frontier"
    shape = rows[["recipe", "num_experts", "top_k", "hidden_dim"]]
    counted = {"dense_frontier": "given, with the output head", "depth_ladder": "given"}
    return rows.assign(
        run=_joined(rows[["table", "run"]]),
        architecture=np.where(dense, "dense", "moe"),
        n_embedding_counted=rows.n_embedding_counted.fillna("unknown"),
        n_routed=rows.num_experts.where(~dense, 1),
        top_k=rows.top_k.where(~dense, 1),
        n_tokens=rows.tokens,
        tokens_convention=np.where(rows.tokens.isna(), "not given", "given"),
        flops=rows.budget_flops,
        flops_convention=rows.table.map(counted).fillna("given, without the output head"),
        loss=rows.paloma_macro_loss.where(~dense, rows.bits_per_byte_c4),
        loss_unit=np.where(dense, "bits/byte", "nats/token"),
        loss_set=np.where(dense, "Paloma, C4 (English)", "Paloma, macro average"),
        group=_joined(shape).where(~dense, rows.run),
        annealed="unknown",
        d_model=rows.hidden_dim,
        n_layers=rows.num_layers,
        tokens_per_s=rows.train_tokens_per_s_v5p8,
        speedup_reported=rows.effective_speedup_reported,
    )


def _dense_shapes(frontier: pd.DataFrame) -> list[tuple[int, int]]:
    """Return hidden size and layers of Marin's dense runs, from their names or their compute."""
    named = frontier.wandb_run.str.extract(r"-d(?P<width>\d+)-L(?P<depth>\d+)-")
    return [
        DELPHI_SHAPES[flops] if pd.isna(width) else (int(width), int(depth))
        for flops, width, depth in zip(frontier.budget_flops, named.width, named.depth, strict=True)
    ]


def _joined(columns: pd.DataFrame) -> pd.Series:
    """Return the columns' values as one name for each row, without empty cells."""
    # Whole numbers are floats in a column with empty cells, and should not show it.
    texts = columns.map(lambda value: f"{value:.12g}" if isinstance(value, float) else str(value), na_action="ignore")
    names = ["-".join(text for text in row if pd.notna(text)) for row in texts.itertuples(index=False)]
    return pd.Series(names, index=columns.index, dtype="str")


READERS: dict[str, Callable[..., pd.DataFrame]] = {
    "clark2022": clark2022,
    "chinchilla": chinchilla,
    "gadre2024": gadre2024,
    "gemstones2025": gemstones2025,
    "liew2025": liew2025,
    "marin": marin,
    "flame": flame,
    "steplaw": steplaw,
    "sldbench": sldbench,
}
"""The function that reads each set of the registry, from its files in the registry's order."""
