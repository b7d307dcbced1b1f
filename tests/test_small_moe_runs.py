"""Our own training runs: the plan, and the table that holds what has been made of it."""

import re

import grid
import pandas as pd
import pytest
import table

from moelaws import data
from moelaws.errors import InputError

HERE = data.ROOT / "data" / "small_moe_runs"

PLAN = {point.name: point for point in grid.grid()}
LATER = ("noise", "recipe", "longest", "new-width", "wide")
ADDED = {point.name: (plan, point) for plan in LATER for point in grid.PLANS[plan]()}
PLANNED = {name: ("grid", point) for name, point in PLAN.items()} | ADDED
RUNS = data.load("small_moe_runs/runs")
CURVES = data.load("small_moe_runs/curves")


def test_plan_covers_what_was_asked_for():
    points = [point for point in PLAN.values() if point.trunk.seed == 0]
    main = [point for point in points if point.trunk.top_k <= 2]
    assert len(PLAN) == len(grid.grid())
    assert len(points) >= 150
    assert len(PLAN) - len(points) >= 20
    cells = {(point.trunk.d_model, point.trunk.n_routed // point.trunk.top_k, point.n_tokens) for point in main}
    sizes, expansions, tokens = map(set, zip(*cells, strict=True))
    longest = {cell for cell in cells if cell[2] == max(tokens)}
    assert len(longest) == len(expansions)
    assert len(cells - longest) == len(sizes) * len(expansions) * (len(tokens) - 1)
    assert len(sizes) >= 4
    assert expansions == {1, 2, 4, 8, 16, 32, 64}
    assert len(tokens) > 4
    assert max(point.flops for point in main) > 100 * min(point.flops for point in main)


def test_plan_begins_with_what_is_cheap():
    work = [point.flops for point in grid.grid()]
    assert work == sorted(work)


def test_every_repeat_has_its_first_seed():
    points = [point for _, point in PLANNED.values()]
    first = {(point.trunk.shape, point.n_tokens) for point in points if point.trunk.seed == 0}
    assert {(point.trunk.shape, point.n_tokens) for point in points} == first


def test_plans_share_no_run():
    assert not PLAN.keys() & ADDED.keys()
    assert len(ADDED) == sum(len(grid.PLANS[plan]()) for plan in LATER)


def test_every_width_has_repeats_at_every_length_of_the_main_grid():
    repeats = {(point.trunk.d_model, point.n_tokens) for _, point in PLANNED.values() if point.trunk.seed > 0}
    assert {(width, 2**power) for width in grid.SEARCHED for power in (19, 20, 21, 22)} <= repeats


def test_the_recipe_varies_one_thing_at_a_time():
    for point in grid.recipe():
        trunk = point.trunk
        rate = trunk.learning_rate / grid.learning_rates()[trunk.d_model]
        assert (rate == 1) != (trunk.balance == grid.BALANCE)
        assert rate in (0.5, 1, 2)
    assert len({point.name for point in grid.recipe()}) == 16


@pytest.mark.parametrize("width", grid.LAYERS)
def test_slices_keep_the_active_size(width):
    shapes = {point.trunk for _, point in PLANNED.values() if point.trunk.d_model == width}
    assert {trunk.top_k * trunk.d_expert for trunk in shapes} == {4 * width}
    # What differs is the routers, of d_model weights for each expert.
    without = {
        trunk.architecture.n_active - trunk.architecture.n_routed * grid.LAYERS[width] * width for trunk in shapes
    }
    assert len(without) == 1


@pytest.mark.parametrize("point", PLAN.values(), ids=PLAN)
def test_decay_begins_at_a_whole_step(point):
    assert point.steps * grid.BATCH == point.n_tokens
    assert point.branch == point.steps * (1 - grid.DECAY)


@pytest.mark.parametrize("many", [1, 2, 3, 7])
def test_shards_divide_the_plan_and_no_trunk(many):
    shards = [grid.shard(grid.grid(), f"{number}/{many}") for number in range(many)]
    assert sorted(point.name for shard in shards for point in shard) == sorted(PLAN)
    trunks = [{point.trunk for point in shard} for shard in shards]
    assert sum(map(len, trunks)) == len(set().union(*trunks))
    work = [sum(point.flops for point in shard) for shard in shards]
    assert max(work) < 1.5 * sum(work) / many


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "a/b", "0/0"])
def test_bad_shard_is_refused_in_one_sentence(text):
    with pytest.raises(InputError, match=r"'i/n' with i from 0 to n - 1 is expected"):
        grid.shard(grid.grid(), text)


def test_rows_belong_to_the_plan():
    assert set(RUNS.run) <= PLANNED.keys()
    for row in RUNS.itertuples():
        plan, point = PLANNED[row.run]
        model = point.trunk.architecture
        assert (row.n_active, row.n_total, row.flops) == (model.n_active, model.n_total, point.flops)
        assert (row.n_tokens, row.seed, row.trunk) == (point.n_tokens, point.trunk.seed, point.trunk.name)
        assert (row.plan, row.learning_rate, row.balance) == (plan, point.trunk.learning_rate, point.trunk.balance)


def test_rows_cover_what_was_asked_for():
    assert len(RUNS) >= 250
    assert (RUNS.seed > 0).sum() >= 80
    assert RUNS.flops.max() > 100 * RUNS.flops.min()
    main = RUNS[(RUNS.top_k <= 2) & ~RUNS.plan.isin(["new-width", "recipe"])]
    assert (main.groupby("d_model").n_tokens.nunique() >= 4).all()


def test_readme_makes_a_run_of_the_plan_again():
    names = re.findall(r"--only (\S+)", (HERE / "README.md").read_text(encoding="utf-8"))
    assert names
    assert set(names) <= PLAN.keys()


def test_rows_can_be_compared():
    assert RUNS.corpus.nunique() == 1
    assert (RUNS.load_max <= RUNS.n_routed / RUNS.top_k).all()
    assert (RUNS.load_max[RUNS.architecture == "dense"] == 1).all()
    assert RUNS.loss.max() < 7.63  # nats, of a guess at random among 2,048


def test_seeds_matter_and_less_than_twice_the_tokens():
    cells = RUNS[RUNS.plan != "recipe"].groupby(["group", "n_tokens"]).loss
    spread = cells.std()[cells.count() > 1]
    assert len(spread) >= 10
    assert (spread > 0).all()
    longer = cells.mean().unstack().diff(axis=1).stack()
    assert 3 * spread.mean() < -longer.max()


def test_runs_are_a_table_of_runs():
    shown = data.read(HERE / "runs.csv", like=data.RUNS)
    assert len(shown) == len(RUNS)


def test_curves_end_at_the_training_loss_of_their_run():
    ends = CURVES.groupby("run").n_tokens.max()
    for row in RUNS[RUNS.run.isin(ends.index)].itertuples():
        curve = CURVES[CURVES.run == row.run].sort_values("n_tokens")
        assert curve.n_tokens.iloc[-1] == row.n_tokens
        assert (curve.n_tokens.diff().dropna() == curve.n_tokens.iloc[0]).all()
        assert curve.train_loss.iloc[-1] == row.train_loss
    assert set(ends.index) <= set(RUNS.run)


def test_curves_of_a_trunk_are_one_until_they_branch():
    trunks = CURVES.run.str.rpartition("-D")
    for _, some in CURVES.assign(trunk=trunks[0], end=trunks[2].astype(int)).groupby("trunk"):
        stable = some[some.n_tokens <= (1 - grid.DECAY) * some.end]
        assert (stable.groupby("n_tokens").train_loss.nunique() == 1).all()
        assert some.run.nunique() == 1 or (some.groupby("n_tokens").train_loss.nunique() > 1).any()


def test_learning_rates_are_the_best_of_the_search_and_inside_it():
    search = data.load("small_moe_runs/lr_search")
    assert set(search.run) == {point.name for point in grid.search()}
    for width, tried in grid.SEARCHED.items():
        assert min(tried) < grid.learning_rates()[width] < max(tried)


@pytest.fixture
def row():
    return RUNS.iloc[0].to_dict()


def test_rows_are_appended_whole(tmp_path, row):
    path = tmp_path / "mine.csv"
    assert table.names(path, table.RUNS) == set()
    for number in range(3):
        table.append(path, [row | {"run": f"run {number}"}], table.RUNS)
    assert table.names(path, table.RUNS) == {"run 0", "run 1", "run 2"}
    assert list(pd.read_csv(path)) == list(RUNS)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.csv"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "a second row with run"),
        ({"run": "new", "loss": "nan"}, "column 'loss'"),
        ({"run": "new", "loss": 0}, "loss"),
    ],
)
def test_bad_row_leaves_the_table_as_it_was(tmp_path, row, change, sentence):
    path = tmp_path / "mine.csv"
    table.append(path, [row], table.RUNS)
    before = path.read_bytes()
    with pytest.raises(InputError, match=sentence) as error:
        table.append(path, [row | change], table.RUNS)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["mine.csv"]


def test_broken_table_is_refused_and_stays_as_it_was(tmp_path, row):
    path = tmp_path / "mine.csv"
    path.write_text("not,a,table\n1,2,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="column 'source' is missing"):
        table.names(path, table.RUNS)
    with pytest.raises(InputError, match=r"mine\.csv: this is not a CSV table"):
        table.append(path, [row], table.RUNS)
    assert path.read_text(encoding="utf-8") == "not,a,table\n1,2,3\n"
