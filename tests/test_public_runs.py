"""Public runs: how many, in which units, and equal to the tables that others derived from the same files."""

import numpy as np
import pandas as pd
import pytest

from moelaws import data
from moelaws.data import public_runs, registry
from moelaws.errors import InputError
from moelaws.models.catalogue import Architecture, GroupedAttention

ROWS = {
    "clark2022": 223,
    "chinchilla": 245,
    "gadre2024": 104,
    "gemstones2025": 619,
    "liew2025": 479,
    "marin": 104,
    "flame": 53,
    "steplaw": 33,
    "sldbench": 221,
}


@pytest.fixture
def load():
    """Load public runs, or skip where they are not on this machine."""

    def load_or_skip(name):
        if registry.find(name).whereabouts not in {"folder", "cache"}:
            pytest.skip(f"The public runs {name} are not here; MOELAWS_DATA can name a folder that holds them.")
        return data.load_runs(name)

    return load_or_skip


def beside(name, file):
    """Return a table that lies in the folder of a set's file, or skip."""
    here = registry.find(name).files[0].here
    path = here.parents[1] / file if here else None
    if path is None or not path.exists():
        pytest.skip(f"The table {file} is not here; MOELAWS_DATA can name a folder that holds it.")
    return pd.read_csv(path)


def test_every_set_has_a_reader():
    assert public_runs.READERS.keys() == registry.sets().keys() == ROWS.keys()


def test_readme_names_every_set_and_column():
    readme = (registry.REGISTRY.parent / "README.md").read_text(encoding="utf-8")
    for name, rows in ROWS.items():
        assert f"| `{name}` | {rows} | {registry.find(name).licence} |" in readme
        assert [field["name"] for field in registry.find(name).columns if f"`{field['name']}`" not in readme] == []


@pytest.mark.parametrize("name", ROWS)
def test_rows_columns_and_limits(load, name):
    runs = load(name)
    assert len(runs) == ROWS[name]
    assert list(runs) == [field["name"] for field in data.columns(f"public_runs/{name}")]
    assert set(runs.source) == {name}
    assert runs.run.is_unique
    assert (runs.n_total.isna() | (runs.n_total >= runs.n_active * (1 - 1e-3))).all()
    assert (runs.n_routed[runs.architecture == "dense"] == 1).all()
    assert (runs.flops.isna() == (runs.flops_convention == "not given")).all()
    assert (runs.n_tokens.isna() == (runs.tokens_convention == "not given")).all()


@pytest.mark.parametrize("name", ROWS)
def test_runs_are_a_table_of_runs_of_a_readers_own(load, name, tmp_path):
    runs = load(name)
    path = tmp_path / "mine.csv"
    runs.to_csv(path, index=False)
    pd.testing.assert_frame_equal(data.read(path, like=data.RUNS)[list(runs)], runs, check_dtype=False)


def test_clark_is_the_last_row_of_each_curve(load):
    load("clark2022")
    curves = pd.read_csv(registry.find("clark2022").files[0].fetch())
    last = beside("clark2022", "clark2022_routed_lm/final_step.csv")
    pd.testing.assert_frame_equal(public_runs.final_steps(curves), last, check_exact=True)


def test_clark_counts_the_parameters_of_a_token(load):
    runs = load("clark2022")
    # Each layer's experts are feed-forward blocks of 8 d² weights, in every second layer.
    run = runs[(runs.k == 4) & (runs.router == "S-Base") & (runs.d_model == 512)].iloc[0]
    assert run.n_active == pytest.approx(run.n_dense + 3 * 4 * 8 * 512**2, rel=1e-3)
    main = runs[(runs.k == 1) & (runs.routing_frequency == 0.5)]
    assert (main.n_active == main.n_dense).all()
    assert main.router.value_counts().to_dict() == {"RL-R": 54, "S-Base": 53, "Hash": 51, "Dense": 8}
    seeds = runs[runs.group == "Dense-130M-1-1-0.5-1"]
    assert seeds.seed.tolist() == [1, 2, 3]


@pytest.mark.parametrize(("split", "rows"), [("train", 193), ("test", 28)])
def test_sldbench_is_the_benchmarks_own_split(load, split, rows):
    load("sldbench")
    curves = pd.read_csv(registry.find("sldbench").files[0].fetch())
    made = public_runs.sldbench_split(curves).query("split == @split")
    theirs = beside("sldbench", f"sldbench_moe/{split}.csv")
    columns = ["num_experts", "dense_parameter_count", "loss_validation"]
    assert len(made) == rows
    # The benchmark's floats were parsed by a reader that is off in the last digit.
    np.testing.assert_allclose(made[columns], theirs[columns], rtol=1e-15)


def test_chinchilla_tokens_follow_from_the_compute(load):
    runs = load("chinchilla")
    np.testing.assert_allclose(6 * runs.n_active * runs.n_tokens, runs.flops)


def test_gadre_tokens_follow_from_the_multiplier(load):
    runs = load("gadre2024")
    np.testing.assert_allclose(runs.n_tokens, 20 * runs.n_active * runs.chinchilla_multiplier, rtol=0.01)
    assert runs.dataset.value_counts().to_dict() == {"rpj": 35, "rw_original": 35, "c4_original": 34}


def test_gemstones_parameters_follow_from_the_shape(load):
    runs = load("gemstones2025")
    d, layers = runs.d_model, runs.n_layers
    matrices = np.where(d == 384, 44, 45) * d**2 // 3  # three heads share one pair of keys and values
    assert (layers * (matrices + 2 * d) + d + runs.n_embedding == runs.n_active).all()
    assert runs.series.value_counts().to_dict() == {"constant": 220, "constant, lower rate": 200, "cooled": 199}
    assert (runs.annealed == "yes").equals(runs.series == "cooled")
    assert runs.group.nunique() == 22


def test_liew_experts_follow_from_the_parameters(load):
    runs = load("liew2025")
    assert runs.n_routed.value_counts().to_dict() == {8: 255, 4: 152, 16: 55, 32: 17}
    assert runs.top_k.value_counts().to_dict() == {2: 252, 1: 173, 4: 54}
    # Three quarters of a dense model are feed-forward weights, embeddings left out.
    np.testing.assert_allclose(runs.n_active, runs.n_dense * (1 + 0.75 * (runs.top_k.astype(float) - 1)), rtol=1e-3)


def test_marin_keeps_its_tables_and_units_apart(load):
    runs = load("marin")
    assert runs.table.value_counts(sort=False).tolist() == [49, 15, 14, 9, 7, 10]
    assert runs.groupby("table").loss_unit.unique()["dense_frontier"].tolist() == ["bits/byte"]
    v16 = runs[runs.table == "v16_isoflop"]
    np.testing.assert_allclose(v16.flops, 6 * v16.n_effective * v16.n_tokens)


def delphi(d_model, n_layers):
    """Return the architecture of Marin's dense runs."""
    heads = d_model // 128
    return Architecture(n_layers, d_model, 128_256, GroupedAttention(heads, heads, 128), False, 4 * d_model, n_layers)


@pytest.mark.parametrize(
    ("flops", "parameters", "tokens"),
    [
        (1e21, 3_383_110_656, 46_256_881_664),
        (1e22, 9_714_698_752, 160_369_213_440),
        (1e23, 24_963_098_112, 628_172_521_472),
    ],
)
def test_marins_dense_compute_counts_the_output_head(load, flops, parameters, tokens):
    """Parameters and tokens as the publishers print them; norms of queries and keys are theirs alone."""
    runs = load("marin")
    run = runs[(runs.table == "dense_frontier") & (runs.flops == flops)].iloc[0]
    model = delphi(int(run.d_model), int(run.n_layers))
    assert model.n_total + 2 * 128 * model.n_layers == parameters
    assert model.training_flops(4096) * tokens == pytest.approx(flops, rel=2e-3)
    assert model.training_flops(4096, output_layer=False) * tokens < 0.98 * flops


def test_marins_ablation_has_speeds_and_speedups(load):
    runs = load("marin")
    ablation = runs.table == "expert_count_ablation"
    assert runs.tokens_per_s.notna().equals(ablation)
    assert runs.speedup_reported.notna().equals(ablation)


def test_flame_compute_is_6nd_of_the_published_parameters(load):
    runs = load("flame")
    np.testing.assert_allclose(runs.flops, 6 * runs.n_active * runs.n_tokens, rtol=0.05)
    assert runs.group.nunique() == 16


def test_steplaw_has_both_architectures(load):
    runs = load("steplaw")
    assert runs.architecture.value_counts().to_dict() == {"dense": 17, "moe": 16}


def test_steplaws_sparse_shape_gives_its_parameters(load):
    runs = load("steplaw")
    sparse = runs[runs.architecture == "moe"]
    body = sparse.n_layers * 4 * sparse.d_model**2 + 3 * sparse.d_model * 3904  # attention, and the dense first layer
    routed = 3 * sparse.d_model * sparse.d_expert * (sparse.n_layers - 1)
    shared = 3 * sparse.d_model * sparse.d_shared * (sparse.n_layers - 1)
    assert (body + shared + sparse.top_k * routed == sparse.n_active).all()
    assert (body + shared + sparse.n_routed * routed == sparse.n_total).all()


HEAD = [field["name"] for field in data.columns(data.RUNS)]
GIVEN = {"source": "ours", "run": "1", "architecture": "moe", "n_embedding_counted": "no", "n_tokens": "1e9"}
GIVEN |= {"tokens_convention": "given", "flops_convention": "not given", "loss": "3.1", "loss_unit": "nats/token"}
GIVEN |= {"loss_set": "C4", "group": "a", "annealed": "yes"}


def write(tmp_path, **changes):
    row = dict.fromkeys(HEAD, "") | GIVEN | changes
    path = tmp_path / "mine.csv"
    path.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    return path


def test_a_readers_own_columns_are_kept(tmp_path):
    rows = data.read(write(tmp_path, n_active="1e8", width="512", cluster="A"), like=data.RUNS)
    assert rows.width.tolist() == [512]
    assert rows.cluster.tolist() == ["A"]
    assert rows.n_active.tolist() == [1e8]
    assert rows.seed.isna().all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": "-1"}, "column 'loss': '-1' is found, expected is a value greater than 0"),
        ({"loss": ""}, "column 'loss': an empty cell is found, expected is a number"),
        ({"loss_unit": "bits"}, "column 'loss_unit': 'bits' is found, expected is one of nats/token, bits/byte"),
        ({"architecture": "sparse"}, "column 'architecture': 'sparse' is found, expected is one of dense, moe"),
        ({"annealed": "perhaps"}, "expected is one of yes, no, unknown"),
        ({"n_routed": "0"}, "column 'n_routed': '0' is found, expected is a value of at least 1"),
    ],
)
def test_a_bad_run_is_refused(tmp_path, changes, sentence):
    with pytest.raises(InputError, match=r"row 1 \(line 2\)") as error:
        data.read(write(tmp_path, **changes), like=data.RUNS)
    assert sentence in str(error.value)


def test_the_schema_is_no_table():
    with pytest.raises(InputError, match="'public_runs/runs' is a schema without a table; the tables are"):
        data.load(data.RUNS)
