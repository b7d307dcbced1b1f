"""What stands on the first level: the README's quick start as written, and the sentence for a wrong name."""

import re
import shutil
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import moelaws as ml
from moelaws.paths import ROOT

EXAMPLES = ROOT / "data" / "examples"


@pytest.fixture
def found():
    return ml.fit("dense", EXAMPLES / "runs.csv")


def quick_start(page):
    (block,) = re.findall(
        r"```(?:python|\{code-block\} python)\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S
    )
    return block


@pytest.mark.parametrize("page", ["README.md", "book/api/index.md"])
def test_the_quick_start_runs_as_written(page, tmp_path, monkeypatch):
    for name in ("runs.csv", "config.json"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    known = {}
    exec(compile(quick_start(page), page, "exec"), known)
    assert known["found"].law.name == "dense"
    plt.close("all")


def test_names_are_found_and_a_wrong_one_is_said():
    assert {"fit", "compare", "model", "claims", "load"} <= set(dir(ml))
    with pytest.raises(AttributeError, match="fitt"):
        _ = ml.fitt
    with pytest.raises(ml.InputError, match="There is no law 'dens'"):
        ml.fit("dens", EXAMPLES / "runs.csv")


def test_importing_loads_nothing_heavy():
    code = "import sys, moelaws; print(sorted({'numpy', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_fit_shows_values_intervals_units_and_warnings(found):
    text, page, report = repr(found), found._repr_html_(), found.report.as_dict()
    assert text.splitlines()[0] == f"dense, n_active, n_tokens → loss, {len(found.table)} rows: {found.status}"
    for name, value in found.values.items():
        shown = report["params"][name]
        assert shown["value"] == value
        assert shown["low"] <= value <= shown["high"]
        assert re.search(rf"^    {name} +\S+ \(\S+ to \S+\)|more than", text, re.M)
        assert f'<th scope="row">{name}</th>' in page
    assert "95 %" in text
    assert [f"Warning: {one}" in text for one in found.warnings] == [True] * len(found.warnings)
    assert all(report["warnings"].count(one) == 1 for one in found.warnings)


def test_predictions_by_keyword_are_those_of_a_table(found):
    rows = pd.DataFrame({"n_active": [1e8, 1e9], "n_tokens": [1e10, 1e10]})
    assert np.allclose(found.predict(n_active=[1e8, 1e9], n_tokens=1e10), found.predict(rows), rtol=1e-15)
    single = found.predict(n_active=1e8, n_tokens=1e10)
    assert np.ndim(single) == 0
    with pytest.raises(ml.InputError, match="needs 'n_tokens'"):
        found.predict(n_active=1e8)
    with pytest.raises(ml.InputError, match="positive"):
        found.predict(n_active=-1, n_tokens=1e10)


def test_a_fit_draws_its_rows(found):
    figure = found.plot()
    left, right = figure.axes
    assert np.allclose(left.lines[1].get_ydata(), found.table.loss)
    assert np.allclose(right.lines[1].get_ydata(), 100 * (found.predict(found.table) / found.table.loss - 1))
    plt.close(figure)


def test_comparing_by_names_and_a_condition_is_comparing_by_a_mask():
    table = ml.data.read(EXAMPLES / "runs.csv", like="examples/runs")
    laws = ["floor_sum", "floor_product"]
    by_text = ml.compare(laws, EXAMPLES / "runs.csv", holdout="n_active > 4e8")
    mask = (table.n_active <= 4e8).to_numpy()
    by_mask = ml.compare([ml.laws.find(name) for name in laws], table, mask, "n_active")
    assert by_text.ranking.equals(by_mask.ranking)
    assert repr(by_text).startswith(f"chosen: {by_text.choice}\n")
    with pytest.raises(ml.InputError, match="one of them is expected"):
        ml.compare(laws, table)
