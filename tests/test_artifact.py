"""A saved fit predicts to the last bit what the fit did, and is there whole or not at all."""

import json

import numpy as np
import pandas as pd
import pytest

from moelaws.errors import InputError
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting import saved as artifact
from moelaws.fitting.estimation import fit, huber
from moelaws.fitting.prediction import distance, predict
from moelaws.laws import LAWS
from moelaws.laws.dense import Dense

RNG = np.random.default_rng(5)
ROWS = pd.DataFrame(
    {
        "run": [f"run {i % 12}" for i in range(36)],
        "n_active": np.exp(RNG.uniform(17, 22, 36)),
        "n_tokens": np.exp(RNG.uniform(21, 26, 36)),
        "n_routed": RNG.integers(1, 64, 36),
        "activation_ratio": 1 / RNG.integers(1, 128, 36),
        "granularity": RNG.integers(1, 16, 36),
        "flops": np.exp(RNG.uniform(41, 51, 36)),
    }
)
ROWS["n_dense"], ROWS["n_total"] = ROWS.n_active / 1.3, ROWS.n_active * ROWS.n_routed
ROWS["leverage"] = ROWS.activation_ratio**-0.4 * (ROWS.flops / 1e20) ** 0.1
ROWS["loss"] = (1.8 + 480 * ROWS.n_active**-0.35 + 2000 * ROWS.n_tokens**-0.37) * np.exp(0.01 * RNG.normal(size=36))
POINTS = pd.DataFrame({"n_active": [1e8, 1.234567e11], "n_tokens": [3e9, 7e13], "n_routed": [8, 512]})
POINTS = POINTS.assign(activation_ratio=[0.3, 1 / 300], granularity=[3.7, 40], flops=[2e19, 3.3e25])
POINTS = POINTS.assign(n_dense=POINTS.n_active / 1.3, n_total=POINTS.n_active * POINTS.n_routed)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("loss", [huber(1e-3), huber(1.0)])
def test_predicts_the_same_bits(law, loss, tmp_path):
    fitted = fit(law, ROWS, loss)
    artifact.save(fitted, tmp_path / "kept")
    again, refits = artifact.load(tmp_path / "kept")
    assert refits is None
    assert (again.coefficients == fitted.coefficients).all()
    assert (again.predict(POINTS) == fitted.predict(POINTS)).all()
    assert again.objective == fitted.objective
    assert again.status == fitted.status


def test_draws_holds_and_ties_come_back(tmp_path):
    fitted = fit(Dense(), ROWS, hold={"E": 1.7 + 1 / 30}, tie={"beta": "alpha"})
    refits = uncertainty.refits(fitted, by="run", draws=20)
    artifact.save(fitted, tmp_path / "kept", refits)
    again, kept = artifact.load(tmp_path / "kept")
    assert again.free == fitted.free == ("A", "B", "alpha")
    assert kept.groups == refits.groups
    assert (kept.coefficients == refits.coefficients).all()
    pd.testing.assert_frame_equal(predict(again, POINTS, kept), predict(fitted, POINTS, refits), check_exact=True)
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {
        "manifest.json",
        "table.csv",
        "starts.csv",
        "draws.npy",
    }


def test_manifest_says_what_it_is(tmp_path):
    artifact.save(fit(Dense(), ROWS), tmp_path / "kept")
    manifest = json.loads((tmp_path / "kept" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["law"] == "dense"
    assert manifest["n_rows"] == 36
    assert float.fromhex(manifest["coefficients"]["E"]) == manifest["values"]["E"]
    assert set(manifest["versions"]) == {"python", "moelaws", "numpy", "pandas", "scipy"}


def test_what_is_there_stays(tmp_path):
    fitted = fit(Dense(), ROWS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for name in ("full", "file"):
        with pytest.raises(InputError, match="something is there already; a new or an empty folder is expected"):
            artifact.save(fitted, tmp_path / name)
    with pytest.raises(InputError, match="there is no folder 'nowhere'"):
        artifact.save(fitted, tmp_path / "nowhere" / "fit")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "thesis.tex"]
    (tmp_path / "empty").mkdir()
    artifact.save(fitted, tmp_path / "empty")
    assert artifact.load(tmp_path / "empty")[0].values == fitted.values


def test_nothing_is_left_of_a_save_that_fails(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    fitted = fit(Dense(), ROWS)
    monkeypatch.setattr(artifact.np, "save", full)
    with pytest.raises(InputError, match=r"the folder cannot be written .No space left on device"):
        artifact.save(fitted, tmp_path / "kept", uncertainty.refits(fitted, draws=2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("table.csv", lambda text: text.replace("1", "2", 1), "the file is not the one that the fit was saved with"),
        ("table.csv", None, "this is no folder of a saved fit .table.csv: No such file"),
        ("manifest.json", None, "this is no folder of a saved fit .manifest.json: No such file"),
        ("manifest.json", lambda text: text[:40], "this is no manifest of a saved fit"),
        ("manifest.json", lambda _: "[]", "this is no manifest of a saved fit"),
        ("manifest.json", lambda text: text.replace('"law": "dense"', '"law": "danse"'), "There is no law 'danse'"),
        ("manifest.json", lambda text: text.replace('"format": 2', '"format": 3'), "format 2 is expected"),
        ("manifest.json", lambda text: text.replace("0x1", "x1"), "this is no manifest of a saved fit"),
    ],
)
def test_a_damaged_folder_is_refused(name, change, sentence, tmp_path):
    artifact.save(fit(Dense(), ROWS), tmp_path / "kept")
    path = tmp_path / "kept" / name
    if change is None:
        path.unlink()
    else:
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        artifact.load(tmp_path / "kept")


def test_predictions_tell_their_distance():
    rows = pd.DataFrame({"n_active": [1e7, 1e8, 1e9, 1e9], "n_routed": [1, 8, 1, 8], "loss": [3.9, 3.0, 2.6, 2.4]})
    fitted = fit(LAWS["power_product"], rows)
    points = pd.DataFrame({"n_active": [1e8, 1e10, 1e6, 1e10], "n_routed": [8, 8, 64, 512]}, index=list("abcd"))
    assert distance(fitted, points) == pytest.approx([0, 0.5, 1, 2])
    assert predict(fitted, points).index.tolist() == list("abcd")
    narrow = fit(LAWS["power_product"], rows.assign(n_routed=8))
    assert distance(narrow, points).tolist()[:2] == pytest.approx([0, 0.5])
    assert distance(narrow, points)[2] == np.inf


def test_intervals_widen_outside_and_hold_the_value():
    fitted = fit(Dense(), ROWS)
    predicted = predict(fitted, POINTS, uncertainty.refits(fitted, draws=100))
    assert ((predicted.mean_low < predicted.value) & (predicted.value < predicted.mean_high)).all()
    inside, outside = predicted.mean_high - predicted.mean_low
    assert outside > 2 * inside
    assert (predicted.run_low < predicted.mean_low).all()
    assert (predicted.mean_high < predicted.run_high).all()


def test_points_that_cannot_be_predicted():
    with pytest.raises(InputError, match=r"The table of points, row 2, column 'n_active': '0.0' is found"):
        predict(fit(Dense(), ROWS), POINTS.assign(n_active=[1e9, 0.0]))
