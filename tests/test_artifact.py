"""A saved fit predicts to the last bit what the fit did, and is there whole or not at all."""

import io
import json
import re
import shutil
import warnings

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


# The search over all five exponents of this law takes ten seconds.
HELD = {"abnar2025": {"alpha": 0.3, "beta": 0.3}}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_predicts_the_same_bits(law, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Law '.*': The search did not converge")  # saved all the same
        fitted = fit(law, ROWS, huber(1e-3), HELD.get(law.name), starts=1)
    artifact.save(fitted, tmp_path / "kept")
    again, refits = artifact.load(tmp_path / "kept")
    assert refits is None
    assert (again.coefficients == fitted.coefficients).all()
    assert (again.predict(POINTS) == fitted.predict(POINTS)).all()
    assert again.objective == fitted.objective
    assert again.converged == fitted.converged
    pd.testing.assert_frame_equal(again.starts, fitted.starts, check_exact=True)


def test_the_status_comes_back(tmp_path):
    fitted = fit(Dense(), ROWS, huber(1.0))
    artifact.save(fitted, tmp_path / "kept")
    again, _ = artifact.load(tmp_path / "kept")
    assert (again.problem.loss, again.status, again.warnings) == (huber(1.0), fitted.status, fitted.warnings)


def test_draws_holds_and_ties_come_back(tmp_path):
    fitted = fit(Dense(), ROWS, hold={"E": 1.7 + 1 / 30}, tie={"beta": "alpha"})
    refits = uncertainty.refits(fitted, by="run", draws=20)
    artifact.save(fitted, tmp_path / "kept", refits)
    again, kept = artifact.load(tmp_path / "kept")
    assert again.free == fitted.free == ("A", "B", "alpha")
    assert again.held == fitted.held == ["E"]
    assert (kept.groups, kept.left) == (refits.groups, refits.left)
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


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """One saved fit with draws, which the tests copy."""
    folder = tmp_path_factory.mktemp("saved") / "kept"
    fitted = fit(Dense(), ROWS, huber(1e-2), hold={"E": 1.7})
    artifact.save(fitted, folder, uncertainty.refits(fitted, draws=3))
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "kept")
    return tmp_path / "kept"


def refusal(folder):
    with pytest.raises(InputError) as error:
        artifact.load(folder)
    assert str(error.value).count("\n") == 0
    assert len(str(error.value)) < 600
    return str(error.value)


def changed(**entries):
    return lambda text: json.dumps(json.loads(text) | entries)


@pytest.mark.parametrize("name", ["table.csv", "starts.csv", "draws.npy"])
def test_any_changed_file_is_noticed(name, copy):
    content = bytearray((copy / name).read_bytes())
    content[-4] ^= 1
    (copy / name).write_bytes(content)
    assert refusal(copy) == f"{copy}: the files are not those that the fit was saved with."


CHANGES = {
    "a coefficient": lambda text: re.sub(r'("alpha": "0x1\.\w)', r"\g<1>1", text),
    "a value": lambda text: re.sub(r'("alpha": 0\.\d)', r"\g<1>1", text),
    "the groups": changed(bootstrap={"groups": 35, "left": 0.5}),
    "no draws": changed(bootstrap=None),
    "a version": changed(versions={"python": "2.7"}),
    "the loss": changed(loss={"space": "log", "delta": 0.5}),
    "what is held": changed(held=[]),
    "what is tied": changed(tied={"beta": "alpha"}),
    "the law": changed(law="power_product"),
    "the number of rows": changed(n_rows=1),
    "another checksum": changed(sha256="0" * 64),
}


@pytest.mark.parametrize("what", CHANGES)
def test_any_change_of_the_manifest_is_noticed(what, copy):
    text = (copy / "manifest.json").read_text(encoding="utf-8")
    assert CHANGES[what](text) != text
    (copy / "manifest.json").write_text(CHANGES[what](text), encoding="utf-8")
    assert refusal(copy) == f"{copy}: the files are not those that the fit was saved with."


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[:40], "this is no JSON"),
        (lambda _: "[]", "this is no manifest of a saved fit"),
        (lambda _: "[" * 100_000, "it is nested too deeply"),
        (lambda _: '{"a":' * 100_000, "it is nested too deeply"),
        (lambda text: text + " " * 2**22, "the file is larger than 4 MiB"),
        (changed(format=2), "this is no manifest of a saved fit (format: Input should be 7)"),
        (changed(sha256=""), "this is no manifest of a saved fit (sha256: "),
        (changed(n_rows="36"), "this is no manifest of a saved fit (n_rows: "),
        (changed(converged="yes"), "this is no manifest of a saved fit (converged: "),
        (changed(bootstrap={"groups": "36", "left": 0.9}), "this is no manifest of a saved fit (bootstrap.groups: "),
        (changed(sha256={}), "this is no manifest of a saved fit (sha256: "),
        (changed(loss={"space": "log", "delta": -1.0}), "(loss.delta: "),
        (changed(loss={"space": "os.system", "delta": None}), "(loss.space: "),
        (changed(bootstrap={"groups": 0, "left": 0.5}), "(bootstrap.groups: "),
        (changed(bootstrap={"groups": 9, "left": 1.5}), "(bootstrap.left: "),
        (changed(coefficients=[1]), "(coefficients: "),
        (changed(files=["../../secret"]), "(files.0: Input should be 'config.json')"),
        (changed(other=1), "(other: Extra inputs are not permitted)"),
    ],
)
def test_what_is_no_manifest(change, sentence, copy):
    path = copy / "manifest.json"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert sentence in refusal(copy)


def forged(folder, manifest=None, **contents):
    """Change a saved fit and its checksum with it, as only someone does who means to."""
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) | (manifest or {})
    del entries["sha256"]
    held = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
    entries["sha256"] = artifact._checksum(entries, held)
    (folder / "manifest.json").write_text(json.dumps(entries), encoding="utf-8")


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


HUGE = npy(np.zeros((1, 4))).replace(b"(1, 4)", b"(9999999999, 4)").replace(b" " * 9 + b"\n", b"\n")
NUMBERS = {"E": "0x1.8p+0", "A": "0x1.8p+8", "B": "0x1.8p+8", "alpha": "nan", "beta": "0x1.8p-2"}


@pytest.mark.parametrize(
    ("manifest", "contents", "sentence"),
    [
        ({"law": "../../danse"}, {}, "There is no law '../../danse'"),
        ({"coefficients": NUMBERS}, {}, "a number for each of E, A, B, alpha, beta is expected"),
        ({"coefficients": {"E": "0x1p+0"}}, {}, "a number for each of E, A, B, alpha, beta is expected"),
        ({"coefficients": NUMBERS | {"alpha": "0x1p+99999"}}, {}, "this is no saved fit"),
        ({"coefficients": NUMBERS | {"alpha": "__import__('os')"}}, {}, "this is no saved fit"),
        ({"held": ["F"]}, {}, "Parameter hold names 'F'"),
        ({"tied": {"beta": "F"}}, {}, "Parameter tie names 'F'"),
        ({"n_rows": 7}, {}, "rows or starts are missing"),
        ({}, {"starts_csv": b"a,b\n1,2\n"}, "rows or starts are missing"),
        ({}, {"table_csv": b"a,b\n1,2\n"}, "The table has"),
        ({}, {"draws_npy": npy(np.ones(5))}, "holds an array of shape (5,)"),
        ({}, {"draws_npy": npy(np.ones((3, 9)))}, "holds an array of shape (3, 9)"),
        ({}, {"draws_npy": npy(np.full((3, 4), np.nan))}, "holds numbers that are not finite"),
        ({}, {"draws_npy": npy(np.array([[object()] * 4]))}, "holds an array of shape (1, 4)"),
        ({}, {"draws_npy": HUGE}, "holds an array of shape (9999999999, 4)"),
        ({}, {"draws_npy": b"PK\x03\x04 no zip"}, "a zip archive"),
        ({}, {"draws_npy": b"nothing"}, "this is no saved fit"),
    ],
)
def test_a_forged_fit_holds_nothing_but_numbers_of_a_fit(manifest, contents, sentence, copy):
    forged(copy, manifest, **contents)
    assert sentence in refusal(copy)


@pytest.mark.parametrize("name", ["manifest.json", "table.csv", "starts.csv", "draws.npy"])
def test_links_and_missing_files(name, copy, tmp_path):
    (copy / name).rename(tmp_path / "elsewhere")
    assert "there is no such file" in refusal(copy)
    (copy / name).symlink_to(tmp_path / "elsewhere")
    assert refusal(copy) == f"{copy / name}: this is a link; a saved fit holds its own files."


def test_a_target_is_tested_before_the_fit(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, sentence in (
        ("link", "this is a link"),
        ("loop", "loop: "),
        ("x" * 300, "the folder cannot be written (File name too long)"),
        ("a\0b", "the folder cannot be written (embedded null"),
        ("nowhere/fit", "there is no folder 'nowhere'"),
    ):
        with pytest.raises(InputError) as error:
            artifact.reserve(tmp_path / name)
        assert sentence in re.sub(r"\(\w+: embedded", "(embedded", str(error.value))  # 3.13 names the call, too
    monkeypatch.setattr(artifact.tempfile, "mkdtemp", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Denied")))
    with pytest.raises(InputError, match=r"the folder cannot be written .Denied"):
        artifact.reserve(tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "loop", "there"]


def test_the_second_of_two_writers_is_told(tmp_path, monkeypatch):
    fitted = fit(Dense(), ROWS)
    checked = artifact.reserve
    monkeypatch.setattr(artifact, "reserve", lambda target: (checked(target), target.mkdir(), (target / "x").touch()))
    with pytest.raises(InputError, match=r"the folder cannot be written .Directory not empty"):
        artifact.save(fitted, tmp_path / "kept")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "x"]


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
