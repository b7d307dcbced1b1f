"""Each reader of public runs on a small table made up in its published form, against rows worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from moelaws.data import public_runs

DENSE = {"architecture": "dense", "n_routed": 1, "top_k": 1, "loss_unit": "nats/token"}
MOE = {"architecture": "moe", "loss_unit": "nats/token"}


def assert_rows(found, *expected):
    """Compare all columns of all rows; an empty cell is None."""
    assert len(found) == len(expected)
    for (_, row), wanted in zip(found.iterrows(), expected, strict=True):
        assert set(row.index) == set(wanted)
        for name, value in wanted.items():
            if value is None:
                assert pd.isna(row[name]), name
            elif isinstance(value, float):
                assert row[name] == pytest.approx(value, rel=1e-12), name
            else:
                assert row[name] == value, name


CURVES = pd.DataFrame(
    [
        # hyper_id step loss experts d_model blocks increase k router seed frequency total dense label
        (0, 0, 9.0, 1, 512, 6, 1.0, 1, "Dense", 1, 0.5, 100.0, 100.0, "15M"),
        (0, 250_000, 3.1, 1, 512, 6, 1.0, 1, "Dense", 1, 0.5, 100.0, 100.0, "15M"),
        (0, 249_000, 3.2, 1, 512, 6, 1.0, 1, "Dense", 1, 0.5, 100.0, 100.0, "15M"),
        (1, 250_000, 2.5, 8, 512, 6, 1.0, 4, "Hash", 7, 0.25, 170.0, 100.0, "15M"),
        (1, 249_000, 2.6, 8, 512, 6, 1.0, 4, "Hash", 7, 0.25, 170.0, 100.0, "15M"),
        (2, 249_000, 2.0, 1, 640, 9, 1.5, 1, "Dense", 2, 0.5, 1.2e9, 1e9, "1.3B"),
    ],
    columns=[
        *("hyper_id", "step", "loss_validation", "num_experts", "d_model", "num_blocks", "flop_increase", "k"),
        *("router_type", "seed", "routing_frequency", "total_parameter_count", "dense_parameter_count"),
        "model_size_label",
    ],
)
CLARK = {
    "n_embedding_counted": "no",
    "n_tokens": 130e9,
    "tokens_convention": "same in all runs",
    "flops_convention": "not given",
    "loss_unit": "nats/token",
    "loss_set": "MassiveText validation",
    "annealed": "yes",
}


def test_clark2022():
    """Seven further experts of 10 weights each; a token uses three of them more than a dense model."""
    first = {"run": 0, "architecture": "dense", "n_active": 100.0, "n_total": 100.0, "n_routed": 1, "top_k": 1}
    first |= {"loss": 3.1, "seed": 1, "group": "Dense-15M-1-1-0.5-1", "router": "Dense", "n_dense": 100.0, "k": 1}
    first |= {"routing_frequency": 0.5, "flop_increase": 1.0, "d_model": 512, "n_layers": 6} | CLARK
    second = first | {"run": 1, "architecture": "moe", "n_active": 130.0, "n_total": 170.0, "n_routed": 8, "top_k": 4}
    second |= {
        "loss": 2.5,
        "seed": 7,
        "group": "Hash-15M-8-4-0.25-1",
        "router": "Hash",
        "k": 4,
        "routing_frequency": 0.25,
    }
    third = first | {"run": 2, "n_active": 1.2e9, "n_total": 1.2e9, "n_dense": 1e9, "loss": 2.0, "seed": 2}
    third |= {"group": "Dense-1.3B-1-1-0.5-1.5", "flop_increase": 1.5, "d_model": 640, "n_layers": 9}
    assert_rows(public_runs.clark2022(CURVES), first, second, third)


def test_sldbench():
    """Rows at step 249,000; the size of a billion is held out."""
    rows = public_runs.sldbench(CURVES)
    first = CLARK | {"run": 0, "architecture": "dense", "n_active": 100.0, "n_routed": 1, "loss": 3.2, "group": "1-100"}
    second = first | {"run": 1, "architecture": "moe", "n_routed": 8, "loss": 2.6, "group": "8-100", "split": "train"}
    third = first | {"run": 2, "n_active": 1e9, "loss": 2.0, "group": "1-1000000000", "split": "test"}
    assert_rows(rows, first | {"split": "train"}, second, third)
    split = public_runs.sldbench_split(CURVES)
    assert list(split) == ["hyper_id", "num_experts", "dense_parameter_count", "loss_validation", "split"]
    assert split.index.tolist() == [0, 1, 2]


def test_chinchilla():
    table = pd.DataFrame({"Model Size": [1.23456e8], "Training FLOP": [6e18], "loss": [3.5]})
    expected = DENSE | {"run": 1, "n_active": 1.23456e8, "n_total": 1.23456e8, "n_embedding_counted": "unknown"}
    expected |= {"n_tokens": 6e18 / 6 / 1.23456e8, "tokens_convention": "C/(6N)", "flops": 6e18, "loss": 3.5}
    expected |= {"flops_convention": "given", "loss_set": "MassiveText", "group": "1.235e+08", "annealed": "yes"}
    assert_rows(public_runs.chinchilla(table), expected)


def test_gadre2024():
    table = {"name": "a", "dataset": "c4", "params": 411, "params_no_embed": 359, "tokens": 2058, "loss_c4_val": 3.5}
    table |= {"model_cfg": "d=8", "chinchilla_multiplier": 0.25}
    expected = DENSE | {"run": "a", "n_active": 411, "n_total": 411, "n_embedding_counted": "yes", "n_embedding": 52}
    expected |= {"n_tokens": 2058, "tokens_convention": "given", "flops_convention": "not given", "loss": 3.5}
    expected |= {"loss_set": "C4 validation", "group": "c4-d=8", "annealed": "yes", "dataset": "c4"}
    assert_rows(public_runs.gadre2024(pd.DataFrame([table])), expected | {"chinchilla_multiplier": 0.25})


def test_gemstones2025():
    """Two tables of 50,304 rows; only what ended its decay is annealed."""
    shared = {"params_active_precise": 543_482_880, "width": 1024, "depth": 28, "tokens": 10, "step": 2385}
    table = pd.DataFrame([shared | {"series": name, "final_loss": 3.0} for name in public_runs.GEMSTONES_SERIES])
    expected = DENSE | {"n_active": 543_482_880, "n_total": 543_482_880, "n_embedding_counted": "yes"}
    expected |= {"n_embedding": 103_022_592, "n_tokens": 10, "tokens_convention": "given", "loss": 3.0}
    expected |= {"flops_convention": "not given", "loss_set": "Dolma validation", "group": "1024-28"}
    expected |= {"d_model": 1024, "n_layers": 28}
    first = {"run": "main_hot-1024-28-2385", "annealed": "no", "series": "constant"}
    second = {"run": "main_cooldown_end-1024-28-2385", "annealed": "yes", "series": "cooled"}
    third = {"run": "lr_ablation_hot-1024-28-2385", "annealed": "no", "series": "constant, lower rate"}
    assert_rows(public_runs.gemstones2025(table), *(expected | other for other in (first, second, third)))


def test_liew2025():
    """Sixteen experts add 15 times 0.03 billion; a token that uses two of them adds 0.03."""
    table = {"Model": "16x_44m", "N_dense": 0.05, "N_active": 0.08, "N_total": 0.5, "D1": 2.5, "D2": 4.5, "Loss": 2.7}
    expected = MOE | {"run": "16x_44m-2-2.5-4.5", "n_active": 0.08e9, "n_total": 0.5e9, "n_embedding_counted": "no"}
    expected |= {"n_routed": 16, "top_k": 2, "n_tokens": 7e9, "tokens_convention": "D1 + D2", "loss": 2.7}
    expected |= {"flops_convention": "not given", "loss_set": "SlimPajama CommonCrawl test", "group": "0.05-2.5"}
    expected |= {"annealed": "unknown", "n_dense": 0.05e9, "d1_tokens": 2.5e9, "d2_tokens": 4.5e9}
    assert_rows(public_runs.liew2025(pd.DataFrame([table])), expected)


def test_flame():
    table = {"flops": 3e18, "hidden_size": 512, "num_layers": 12, "num_experts": 64, "top_k": 6, "shared_experts": 2}
    table |= {"expert_dim": 352, "active_nonemb": 60, "active_params_computed": 110, "total_params_computed": 460}
    table |= {"tokens_from_iters": 4000, "loss": 3.5}
    expected = MOE | {"run": "3e+18-512-12", "n_active": 110, "n_total": 460, "n_embedding_counted": "yes", "top_k": 6}
    expected |= {"n_embedding": 50, "n_routed": 64, "n_tokens": 4000, "tokens_convention": "steps × batch"}
    expected |= {"flops": 3e18, "flops_convention": "6ND", "loss": 3.5, "loss_set": "DCLM validation"}
    expected |= {"group": "512-12", "annealed": "yes", "d_model": 512, "n_layers": 12, "d_expert": 352, "n_shared": 2}
    assert_rows(public_runs.flame(pd.DataFrame([table])), expected)


def test_steplaw():
    sparse = {"moe_name": "1in8", "topk": 1, "nume": 8, "moeh": 3528, "sed": 3520, "N": 2155, "Na": 590, "D": 2000}
    full = {"h": 960, "numl": 7, "N": 214, "D": 4000, "lr": 0.002, "bs": 128, "smooth loss": 2.6}
    shared = {"n_embedding_counted": "no", "tokens_convention": "given", "flops_convention": "not given"}
    shared |= {"loss_set": "training, smoothed", "annealed": "yes"}
    first = MOE | shared | {"run": "1in8-2000", "n_active": 590, "n_total": 2155, "n_routed": 8, "top_k": 1}
    first |= {"n_tokens": 2000, "loss": 2.5, "group": "1in8", "d_model": 1408, "n_layers": 16, "d_expert": 3528}
    first |= {"d_shared": 3520, "learning_rate": 0.001, "batch": 64}
    second = DENSE | shared | {"run": "214-4000", "n_active": 214, "n_total": 214, "n_tokens": 4000, "loss": 2.6}
    second |= {"group": "214", "d_model": 960, "n_layers": 7, "d_expert": None, "d_shared": None}
    found = public_runs.steplaw(
        pd.DataFrame([sparse | {"lr": 0.001, "bs": 64, "smooth loss": 2.5}]), pd.DataFrame([full])
    )
    assert_rows(found, first, second | {"learning_rate": 0.002, "batch": 128})


def marin():
    """Return the six tables of Marin with a row each, and two of dense runs."""
    v16 = {"recipe": "v16", "budget_flops": 1e18, "hidden_dim": 512, "num_layers": 6, "num_experts": 64, "top_k": 4}
    v16 |= {"shared_experts": 1, "expert_dim": 256, "tokens": 3822, "N_eff_C_over_6D": 43.5, "wandb_run": "iso-512"}
    v16 |= {"active_params_nonemb_computed": 18, "total_params_nonemb_computed": 159, "paloma_macro_loss": 3.5}
    may = {"recipe": "may2026", "budget_flops": 2e18, "hidden_dim": 768, "num_layers": 8, "tokens": 1577}
    may |= {"N_eff_C_over_6D": 105.5, "paloma_macro_loss": 3.4}
    experts = {"recipe": "v16", "variant": "e128", "num_experts": 128, "top_k": 4, "hidden_dim": 512}
    experts |= {"budget_flops": 2.19e17, "paloma_macro_loss": 3.8, "train_tokens_per_s_v5p8": 380_640}
    best = {"recipe": "v16", "budget_flops": 1.7e18, "hidden_dim": 768, "num_layers": 8, "tokens": 2710.0}
    best |= {"paloma_macro_loss": 3.43, "num_experts": 64, "top_k": 4}
    ladder = {"hidden_dim": 512, "num_layers": 6, "run": "fast-512", "total_flops": 3.5e17, "paloma_macro_loss": 3.1}
    dense = pd.DataFrame(
        {
            "budget_flops": [3e18, 1e22],
            "paloma_c4_en_bpb": [1.08, 0.9],
            "wandb_run": ["isoflop-3e+18-d896-L10-B8-adamh", "delphi-1e22"],
        }
    )
    tables = [v16 | {"paloma_c4_en_bpb": 1.07}, may, experts | {"effective_speedup_reported": 1.026}, best, ladder]
    return [*(pd.DataFrame([table]) for table in tables), dense]


def test_marin():
    names = ["run", "architecture", "n_active", "n_total", "n_embedding_counted", "n_effective", "n_routed", "top_k"]
    names += ["n_tokens", "tokens_convention", "flops", "flops_convention", "loss", "loss_unit", "loss_set", "group"]
    names += ["annealed", "d_model", "n_layers", "n_shared", "d_expert", "tokens_per_s", "speedup_reported", "table"]
    names += ["bits_per_byte_c4", "recipe"]
    found = public_runs.marin(*marin()).astype({"n_routed": float, "top_k": float})[names]
    macro = {
        "architecture": "moe",
        "loss_unit": "nats/token",
        "loss_set": "Paloma, macro average",
        "annealed": "unknown",
    }
    macro |= dict.fromkeys(set(names) - set(macro)) | {"tokens_convention": "given"}
    macro |= {"n_embedding_counted": "unknown", "flops_convention": "given, without the output head"}
    v16 = macro | {"run": "v16_isoflop-iso-512", "n_active": 18.0, "n_total": 159.0, "n_embedding_counted": "no"}
    v16 |= {"n_effective": 43.5, "n_routed": 64.0, "top_k": 4.0, "n_tokens": 3822.0, "flops": 1e18, "loss": 3.5}
    v16 |= {"group": "v16-64-4-512", "d_model": 512, "n_layers": 6.0, "n_shared": 1.0, "d_expert": 256.0}
    v16 |= {"table": "v16_isoflop", "bits_per_byte_c4": 1.07, "recipe": "v16"}
    may = macro | {"run": "may_recipe_isoflop-2e+18-768", "n_effective": 105.5, "n_tokens": 1577.0, "flops": 2e18}
    may |= {"loss": 3.4, "group": "may2026-768", "d_model": 768, "n_layers": 8.0, "table": "may_recipe_isoflop"}
    may |= {"recipe": "may2026"}
    experts = macro | {"run": "expert_count_ablation-e128-128-512", "n_routed": 128.0, "top_k": 4.0, "flops": 2.19e17}
    experts |= {"tokens_convention": "not given", "loss": 3.8, "group": "v16-128-4-512", "d_model": 512}
    experts |= {"tokens_per_s": 380_640.0, "speedup_reported": 1.026, "table": "expert_count_ablation", "recipe": "v16"}
    best = macro | {"run": "compute_optimal-v16-1.7e+18", "n_routed": 64.0, "top_k": 4.0, "n_tokens": 2710.0}
    best |= {"flops": 1.7e18, "loss": 3.43, "group": "v16-64-4-768", "d_model": 768, "n_layers": 8.0}
    best |= {"table": "compute_optimal", "recipe": "v16"}
    ladder = macro | {"run": "depth_ladder-fast-512", "tokens_convention": "not given", "flops": 3.5e17, "loss": 3.1}
    ladder |= {"flops_convention": "given", "group": "fast_track-512", "d_model": 512, "n_layers": 6.0}
    ladder |= {"table": "depth_ladder", "recipe": "fast_track"}
    dense = macro | {"architecture": "dense", "n_routed": 1.0, "top_k": 1.0, "tokens_convention": "not given"}
    dense |= {"flops_convention": "given, with the output head", "loss_unit": "bits/byte", "recipe": "delphi"}
    dense |= {"loss_set": "Paloma, C4 (English)", "table": "dense_frontier"}
    named = {"run": "dense_frontier-isoflop-3e+18-d896-L10-B8-adamh", "flops": 3e18, "loss": 1.08, "d_model": 896}
    named |= {"group": "isoflop-3e+18-d896-L10-B8-adamh", "n_layers": 10.0, "bits_per_byte_c4": 1.08}
    large = {"run": "dense_frontier-delphi-1e22", "flops": 1e22, "loss": 0.9, "d_model": 3840, "n_layers": 37.0}
    large |= {"group": "delphi-1e22", "bits_per_byte_c4": 0.9}
    assert_rows(found, v16, may, experts, best, ladder, dense | named, dense | large)


@pytest.mark.parametrize(("flops", "shape"), [(1e21, (2560, 26)), (1e22, (3840, 37)), (1e23, (5376, 51))])
def test_shapes_of_the_largest_dense_runs_give_the_parameters_printed(flops, shape):
    """Marin prints 3,383,110,656, 9,714,698,752 and 24,963,098,112."""
    printed = {1e21: 3_383_110_656, 1e22: 9_714_698_752, 1e23: 24_963_098_112}[flops]
    d, layers = public_runs.DELPHI_SHAPES[flops]
    norms = 2 * d * layers + d + 2 * 128 * layers
    assert 2 * 128_256 * d + layers * 16 * d**2 + norms == printed
    assert (d, layers) == shape


def test_whole_numbers_have_no_point_in_a_name():
    columns = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y"], "c": [0.5, 2.0]})
    assert public_runs._joined(columns).tolist() == ["1-x-0.5", "y-2"]
