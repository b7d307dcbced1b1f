"""What users get wrong: each case ends in one sentence, or in a fit that says what is wrong with it.

Every case runs twice, through the package and on the command line, and must say the same.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import socket
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws import data, laws
from moelaws.cli.main import main
from moelaws.data import files, table
from moelaws.errors import InputError
from moelaws.fitting import diagnosis
from moelaws.fitting import rows as checks
from moelaws.fitting.estimation import fit, huber
from moelaws.laws.dense import BESIROGLU, Dense


def runs(sizes=None, tokens=None, noise=0.005, seed=0):
    """Losses of the published law with noise; by default on a grid of 36 runs."""
    if sizes is None:
        sizes, tokens = (x.ravel() for x in np.meshgrid(np.geomspace(5e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    rows = pd.DataFrame({"n_active": sizes, "n_tokens": tokens})
    scatter = np.exp(noise * np.random.default_rng(seed).normal(size=len(rows)))
    return rows.assign(loss=Dense().predict(Dense().theta(BESIROGLU), rows) * scatter)


def with_cell(column, value):
    """The grid with one cell replaced, in its fourth row."""
    rows = runs()
    rows[column] = rows[column].astype(object)
    rows.loc[3, column] = value
    return rows


SIZES = np.geomspace(5e7, 1e10, 36)

REFUSED = {
    "too few rows": (runs().head(4), "The table has 4 rows; at least 5 are expected"),
    "no rows": (runs().head(0), "(has 0 rows|has no rows)"),
    "empty cell": (with_cell("loss", np.nan), "row 4, column 'loss': an empty cell is found; a positive number"),
    "infinity": (with_cell("loss", np.inf), "row 4, column 'loss': 'inf' is found; a positive number"),
    "negative loss": (with_cell("loss", -2.5), "row 4, column 'loss': '-2.5' is found; a positive number"),
    "no parameters": (with_cell("n_active", 0), "row 4, column 'n_active': '0(.0)?' is found; a positive number"),
    "text in a number": (with_cell("n_tokens", "2B"), "row 4, column 'n_tokens': '2B' is found; a positive number"),
    "missing column": (
        runs().drop(columns="n_tokens"),
        "has no column 'n_tokens', of which one is needed; its columns are n_active, loss",
    ),
}

OBJECTED = {
    "one size": (runs(np.full(36, 1e9), 20 * SIZES), "Column 'n_active' has one value, so that its effect"),
    "two sizes": (runs(np.repeat([1e8, 1e9], 18), 20 * SIZES), "Column 'n_active' has two values"),
    "twenty tokens each": (runs(SIZES, 20 * SIZES), "Columns 'n_active' and 'n_tokens' go together in all rows"),
    "constant loss": (runs().assign(loss=2.5), "Column 'loss' has the same value in all rows"),
    "copied runs": (pd.concat([runs(), runs().head(7)]), "7 rows repeat another one"),
    "as many rows as parameters": (runs().iloc[[0, 7, 14, 27, 35]], "as many rows as free parameters"),
    "narrow range": (
        runs(*(x.ravel() for x in np.meshgrid(np.geomspace(5e7, 6e7, 6), np.geomspace(1e9, 1.2e9, 6))), noise=1e-7),
        "The condition number is",
    ),
    "floor at the data": (
        runs().assign(loss=lambda t: 2 + 5e7 / t.n_active + 1e9 / t.n_tokens),
        "Parameter 'E' (2) is within one per cent of the lowest loss (2.006): the law has nothing left to gain",
    ),
    "floor above a row": (
        runs().assign(loss=lambda t: (2 + 5e7 / t.n_active + 1e9 / t.n_tokens).where(t.index != 35, 1.9)),
        "is above the lowest loss (1.9): the law cannot go as low as these rows do.",
    ),
}


def experts(**columns):
    """48 runs whose loss falls with experts, which Chinchilla's law does not read; router by router."""
    rows = pd.concat([runs(seed=seed).iloc[::3].assign(n_routed=count) for seed, count in enumerate((1, 4, 16, 64))])
    rows = rows.reset_index(drop=True)
    return rows.assign(loss=rows.loss * rows.n_routed**-0.03, **columns)


def noted(**columns):
    """The grid with columns of which the first half of the rows has one value and the second the other."""
    return runs().assign(**{name: np.repeat(values, 18) for name, values in columns.items()})


def tokens(scale, rows=slice(None)):
    grid = runs()
    grid.loc[grid.index[rows], "n_tokens"] *= scale
    return grid


def curves(run="run", step="step"):
    """Nine runs of six checkpoints each."""
    sizes = np.geomspace(5e7, 5e9, 9)
    rows = pd.concat([runs(np.full(6, x), np.arange(1, 7) * 1e9 * 4.0 ** (i % 3)) for i, x in enumerate(sizes)])
    return rows.assign(**{run: np.repeat(np.arange(9), 6), step: np.tile(np.arange(1, 7) * 1000, 9)})


def sweep():
    """Each of the twelve runs at six learning rates, of which one is the best."""
    rows = pd.concat([runs().iloc[::3].assign(learning_rate=rate) for rate in 1e-4 * 2.0 ** np.arange(6)])
    return rows.assign(loss=rows.loss * (1 + 0.02 * np.log2(rows.learning_rate / 4e-4) ** 2))


MOE = experts(n_total=lambda t: t.n_active * t.n_routed, top_k=1, activation_ratio=lambda t: 1 / t.n_routed)
LEVERAGE = pd.DataFrame({"activation_ratio": np.geomspace(0.01, 1, 12), "leverage": np.geomspace(5, 1, 12)})
ROUTERS = {"router": np.tile(["hash", "switch", "base"], 16)}

MISTAKES = {
    # Units and conventions
    "half of the tokens in billions": ("dense", tokens(1e-9, slice(0, 18)), "warned", "are these rows in two units"),
    "one row's tokens in billions": ("dense", tokens(1e-9, slice(7, 8)), "warned", "'n_tokens' has no value between"),
    "all tokens in billions": ("dense", tokens(1e-9), "warned", "Column 'n_tokens' has the median"),
    "sizes in millions": ("dense", runs().assign(n_active=lambda t: t.n_active / 1e6), "warned", "'n_active' has the"),
    "half nats, half bits": ("dense", noted(loss_unit=["nats/token", "bits/token"]), "refused", "'loss_unit' has the"),
    "some not annealed": (
        "dense",
        noted(annealed=["yes", "no"]),
        "refused",
        "'annealed' has the values yes, no",
    ),
    "true and false": ("dense", noted(annealed=[True, False]), "refused", "Column 'annealed' has the values True, Fa"),
    "two texts": ("dense", noted(loss_set=["C4", "Pile"]), "refused", "between which loss cannot be compared"),
    "not said": ("dense", noted(loss_set=["C4", None]), "refused", "Column 'loss_set' has the values C4, (empty)"),
    "embeddings": ("dense", noted(n_embedding_counted=["yes", "no"]), "refused", "--pool n_embedding_counted"),
    "ways to count tokens": ("dense", noted(tokens_convention=["given", "C/(6N)"]), "refused", "'tokens_convention'"),
    "ways to count compute": (
        "frontier",
        noted(flops_convention=["given", "6ND"]).assign(flops=lambda t: 6 * t.n_active * t.n_tokens),
        "refused",
        "between which flops cannot be compared",
    ),
    "half an expert": ("power_product", MOE.assign(n_routed=0.5), "refused", "Row 1, column 'n_routed': 0.5 is found"),
    "more active than there are": ("power_product", MOE.assign(top_k=99), "refused", "at most the 1 of column 'n_rou"),
    "active over total": ("dense", MOE.assign(n_total=1e6), "refused", "at most the 1e+06 of column 'n_total'"),
    "activation in per cent": (
        "tian2025_activation",
        LEVERAGE.assign(activation_ratio=lambda t: 100 * t.activation_ratio),
        "refused",
        "column 'activation_ratio'",
    ),
    "perplexity": (
        "dense",
        runs().assign(loss=lambda t: np.exp(t.loss)),
        "refused",
        "(--unit loss=perplexity takes",
    ),
    "low perplexity": (
        "dense",
        runs().assign(loss=lambda t: np.exp(2 + t.loss / 20)),
        "warned",
        "'loss' has the median",
    ),
    "bits beyond a byte": ("dense", runs().assign(loss=9.0, loss_unit="bits/byte"), "refused", "0 to 8 bits/byte"),
    "huge numbers": ("dense", with_cell("n_active", 1e200), "refused", "column 'n_active': 1e+200 is found"),
    "a slip of the pen": ("dense", with_cell("loss", 3.9), "warned", "The error of row 4 is"),
    # Rows that are no independent, finished runs
    "checkpoints": ("dense", curves(), "refused", "Up to 6 rows have one value of 'run'"),
    "checkpoints by number": ("dense", curves("hyper_id", "checkpoint"), "refused", "one value of 'hyper_id'"),
    "checkpoints by tokens": ("dense", curves().drop(columns="step"), "refused", "--final keeps the last of each"),
    "checkpoints of compute": (
        "frontier",
        curves().assign(flops=lambda t: 6 * t.n_active * t.n_tokens),
        "refused",
        "points on the way of a run are no runs",
    ),
    "learning rates": ("dense", sweep(), "warned", "such as the learning rate; keep the best row of each"),
    "learning rates by name": ("dense", sweep(), "warned", "go with the variance of its errors: 'learning_rate' (9"),
    "short compute": (
        "dense",
        runs(*(x.ravel() for x in np.meshgrid(np.geomspace(2e8, 6e8, 6), np.geomspace(2e9, 5e9, 6)))),
        "warned",
        "Compute (n_active × n_tokens) spans a factor of 7.5, less than 10",
    ),
    # Columns that the law does not read
    "experts": ("dense", experts(), "warned", "does not read go with the variance of its errors: 'n_routed' (9"),
    "experts by name": ("dense", experts(moe_name=lambda t: "E" + t.n_routed.astype(str)), "warned", "'moe_name' (9"),
    "routers": (
        "dense",
        runs()
        .iloc[np.arange(48) % 36]
        .assign(**ROUTERS)
        .assign(loss=lambda t: t.loss * (1 + 0.02 * (t.router == "hash"))),
        "warned",
        "'router' (",
    ),
    "groups": (
        "dense",
        runs(noise=0.001).assign(group=np.tile(np.arange(6), 6), loss=lambda t: t.loss * (1 + 0.004 * (t.group % 3))),
        "warned",
        "Rows of one 'group' err alike (",
    ),
}


def of_rows(fitted):
    """What is said of the rows, without what it takes a second optimiser to say."""
    return [*checks.objections(fitted.problem, fitted.table, fitted.problem.free(fitted.coefficients))]


def command(tmp_path, rows, *options, law="dense"):
    path = tmp_path / "mine.csv"
    rows.to_csv(path, index=False)
    return CliRunner().invoke(main, ["fit", str(path), "--law", law, "--json", *options])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_have_their_sentence(mistake, tmp_path):
    law, rows, outcome, sentence = MISTAKES[mistake]
    if outcome == "warned":
        assert [said for said in of_rows(fit(laws.find(law), rows, starts=1)) if sentence in said]
        return
    with pytest.raises(InputError) as error:
        fit(laws.find(law), rows)
    assert sentence in str(error.value)
    assert str(error.value).endswith(".")
    result = command(tmp_path, rows, law=law)
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"] == str(error.value)


def test_warnings_are_said_on_the_command_line(tmp_path):
    _, rows, _, sentence = MISTAKES["all tokens in billions"]
    assert any(sentence in said for said in json.loads(command(tmp_path, rows).stdout)["warnings"])


@pytest.mark.parametrize(
    ("rows", "options", "count"),
    [
        (noted(annealed=["yes", "no"]), ["--where", "annealed == 'yes'"], 18),
        (noted(annealed=["yes", "no"]), ["--pool", "annealed"], 36),
        (curves(), ["--final"], 9),
        (curves().drop(columns="step"), ["--final"], 9),
    ],
)
def test_what_a_refusal_advises_works(rows, options, count, tmp_path):
    report = json.loads(command(tmp_path, rows, *options).stdout)
    assert report["n_rows"] == count


def test_the_last_checkpoint_is_kept():
    shuffled = curves().sample(frac=1, random_state=0)
    assert (checks.final(shuffled).step == 6000).all()
    with pytest.raises(InputError, match=r"needs a column of runs .run, run_id"):
        checks.final(runs())


def test_end_points_of_one_trunk_are_runs():
    """Each has its own decay, and its own name."""
    rows = curves("trunk").drop(columns="step").assign(run=np.arange(54), annealed="yes")
    assert fit(Dense(), rows).warnings == ()


def test_columns_of_noise_are_seldom_named():
    """The script behind the figure in the documentation has more tables, and errors with long tails."""
    named = 0
    for seed in range(30):
        rng = np.random.default_rng(1000 + seed)  # not that of the errors
        noise = {
            "rate": np.exp(rng.normal(size=36)),
            "router": rng.choice(list("abc"), 36),
            "seed": rng.integers(9, size=36),
        }
        named += len(fit(Dense(), runs(seed=seed).assign(**noise), starts=1).warnings)
    assert named <= 2  # binomial, 1 %: more than two once in 300


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_the_package(case):
    rows, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        fit(Dense(), rows)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_on_the_command_line(case, tmp_path):
    rows, sentence = REFUSED[case]
    result = command(tmp_path, rows, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.search(sentence, json.loads(result.stderr)["error"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.csv"]


@pytest.mark.parametrize("case", OBJECTED)
def test_objected_to(case, tmp_path):
    rows, sentence = OBJECTED[case]
    assert any(sentence in warning for warning in fit(Dense(), rows).warnings)
    result = command(tmp_path, rows)
    assert any(sentence in warning for warning in json.loads(result.stdout)["warnings"])


def test_nothing_to_object_to():
    for loss in (huber(1e-3), huber(1.0)):
        assert fit(Dense(), runs(), loss).warnings == ()


def test_a_parameter_without_a_trace_is_spelt_out():
    result = fit(Dense(), runs(), hold={"A": 0.0})
    assert result.status == "not identified"
    assert "Parameter 'alpha' has no effect on any row, so that its value means nothing." in result.warnings


def test_one_size_leaves_its_term_and_the_floor_open():
    """Its term is a constant beside the floor; where the sum is divided, or at a bound, is up to the last bit."""
    result = fit(Dense(), runs(np.full(36, 1e9), 20 * SIZES))
    assert result.status == "not identified"
    assert set(result.not_identified) <= {"E", "A", "alpha"}
    assert any(one.startswith("Column 'n_active' has one value") for one in result.warnings)


def test_a_parameter_at_its_bound_is_named():
    rows = runs().assign(loss=lambda t: 1e3 * t.n_active**-0.3 + 1e-9 * t.n_tokens**0.1)
    result = fit(Dense(), rows)
    assert any(
        sentence.startswith(f"Parameter '{result.at_bound[0]}' stands at its bound") for sentence in result.warnings
    )


def test_starts_that_disagree_are_told():
    (sentence,) = diagnosis.of_search(converged=True, disagreement=0.02, alone=0, has_twin=False)
    assert sentence.startswith("Another search gets 0.02 lower in the objective")
    (sentence,) = diagnosis.of_search(converged=True, disagreement=0.0, alone=21, has_twin=False)
    assert sentence == "Only one of 21 starts led to this optimum, so that a better one may exist."


def test_unknown_law(tmp_path):
    sentence = "There is no law 'chinchila'; the laws are abnar2025, "
    with pytest.raises(InputError, match=sentence):
        laws.find("chinchila")
    result = command(tmp_path, runs(), "--law", "chinchila")
    assert result.exit_code == 2
    assert sentence in json.loads(result.stderr)["error"]


def test_numbers_in_any_notation(tmp_path):
    path = tmp_path / "mine.csv"
    runs().map("{:.9E}".format).to_csv(path, index=False)
    result = CliRunner().invoke(main, ["fit", str(path), "--law", "dense", "--json"])
    assert json.loads(result.stdout)["params"]["E"]["value"] == pytest.approx(
        fit(Dense(), runs()).values["E"], rel=1e-5
    )


HEAD = b"n_active,n_tokens,loss\n"
GOOD = HEAD + b"1e8,1e9,3.5\n1e8,2e9,3.4\n2e8,1e9,3.3\n2e8,4e9,3.2\n4e8,4e9,3.1\n4e8,9e9,3.0\n"
FILES = {
    "empty": (b"", "the file is empty; a line with the names of the columns is expected"),
    "header alone": (HEAD, "the table has no rows"),
    "long first row": (HEAD + b"1,2,3,4\n", "not a CSV table"),
    "long second row": (HEAD + b"1,2,3\n1,2,3,4\n", "not a CSV table"),
    "short row": (HEAD + b"1,2\n", "column 'loss': an empty cell is found"),
    "open quote": (HEAD + b'1,2,"3\n', "not a CSV table"),
    "binary": (b"\x00\xff", "the file is binary"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "the file is UTF-16 text; save it as UTF-8"),
    "Latin-1": (HEAD + b"1,2,3\n\xfc,2,3\n", "line 3: byte 0xfc is not UTF-8"),
    "zip": (b"PK\x03\x04...", "a zip archive or a spreadsheet"),
    "xz": (lzma.compress(GOOD), "an xz archive; unpack it first"),
    "zstd": (b"\x28\xb5\x2f\xfd...", "a zstd archive; unpack it first"),
    "bz2": (bz2.compress(GOOD), "a bz2 archive; unpack it first"),
    "tar": (b"mine.csv".ljust(257, b"\0") + b"ustar\x0000", "a tar archive; unpack it first"),
    "packed twice": (gzip.compress(gzip.compress(GOOD)), "packed twice"),
    "cut gzip": (gzip.compress(GOOD)[:-9], "the gzip file is damaged or cut off"),
    "damaged gzip": (gzip.compress(GOOD)[:20] + b"x" * 20, "the gzip file is damaged or cut off"),
    "Parquet in name": (b"PAR1....PAR1", "Parquet"),
    "two columns of one name": (b"n_active,loss,n_tokens,loss\n1,2,3,4\n", "two columns are called 'loss'"),
    "comment first": (b"# runs of May\n" + GOOD, "the first line is a comment"),
    "decimal comma": (b"n_active;n_tokens;loss\n1e8;1e9;3,5\n", "'3,5' is found; a positive number is expected (--dec"),
    "thousands": (HEAD + b'"53,300,000",1e9,3.5\n', "--decimal . commas between thousands"),
    "suffix": (
        HEAD + b"53.3M,4.4B,3.5\n",
        "'53.3M' is found; a positive number is expected (written 53.3e6, or read",
    ),
    "NaN": (HEAD + b"1e8,1e9,NaN\n", "'NaN' is found"),
    "Infinity": (HEAD + b"1e8,1e9,Infinity\n", "'Infinity' is found"),
    "other case": (
        GOOD.replace(b"n_active", b"N_Active"),
        "no column 'n_active', of which one is needed",
    ),
    "nearest": (GOOD.replace(b"n_active", b" N-Active "), "--map n_active=' N-Active ' takes that one"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_are_no_table(case, tmp_path):
    content, sentence = FILES[case]
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["fit", str(path), "--law", "dense"])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"Error: {path}")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    with pytest.raises(InputError):
        data.read(path, like="yang2025/throughput")


READ = {
    "plain": (GOOD, []),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, []),
    "gzip": (gzip.compress(GOOD), []),
    "semicolons": (GOOD.replace(b",", b";"), []),
    "tabs": (GOOD.replace(b",", b"\t"), []),
    "Windows": (GOOD.replace(b"\n", b"\r\n"), []),
    "decimal comma": (GOOD.replace(b",", b";").replace(b".", b","), ["--decimal", ","]),
    "thousands": (GOOD.replace(b"1e8", b'"100,000,000"'), ["--decimal", "."]),
    "European thousands": (
        GOOD.replace(b",", b";").replace(b".", b",").replace(b"1e9", b"1.000.000.000"),
        ["--decimal", ","],
    ),
    "another name": (GOOD.replace(b"n_active", b"N"), ["--map", "n_active=N"]),
    "billions": (GOOD.replace(b"e9", b""), ["--unit", "n_tokens=1e9"]),
}


@pytest.mark.parametrize("case", READ)
def test_tables_that_are_read(case, tmp_path):
    content, options = READ[case]
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["fit", str(path), "--law", "dense", "--json", *options])
    assert result.exit_code == 0, result.stderr
    rows = pd.read_csv(io.BytesIO(GOOD))
    assert json.loads(result.stdout)["objective"] == pytest.approx(fit(Dense(), rows).objective, rel=1e-6, abs=1e-12)


def test_standard_input_and_parquet(tmp_path, monkeypatch):
    result = CliRunner().invoke(main, ["fit", "-", "--law", "dense", "--json"], input=GOOD)
    assert json.loads(result.stdout)["n_rows"] == 6
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "mine.parquet").write_bytes(b"PAR1....PAR1")
    with pytest.raises(InputError, match="pyarrow, which is not installed; save it as CSV"):
        table.opened(tmp_path / "mine.parquet")


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "s3", "gs", "file", "jar", "HTTP"])
def test_no_address_is_opened(scheme, monkeypatch, tmp_path):
    monkeypatch.setattr(socket, "socket", None)
    address = f"{scheme}://127.0.0.1/etc/passwd"
    for arguments in (
        ["fit", address, "--law", "dense"],
        ["compare", address, "--law", "dense", "--holdout", "loss > 2"],
        ["data", "yang2025/throughput", "--check", address],
        ["predict", address, address],
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "remote addresses are not read" in result.stderr
        assert result.stderr.count("\n") == 1


def test_places_that_are_no_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in (
        (str(tmp_path), "the file cannot be read (is a directory)"),
        (str(tmp_path / "pipe"), "it is no regular file; '-' reads standard input"),
        (str(tmp_path / "nothing"), "there is no such file"),
        ("x" * 5000, "the file cannot be read (file name too long)"),
        ("a\0b", "the file cannot be read (embedded null"),
        ("/dev/zero", "it is no regular file"),
    ):
        with pytest.raises(InputError) as error:
            table.read(name, ["loss"])
        assert sentence in re.sub(r"\(\w+: embedded", "(embedded", str(error.value))  # 3.13 names the call, too
        assert len(str(error.value)) < 400
    (tmp_path / "mine.csv").write_bytes(GOOD)
    with pytest.raises(InputError, match="larger than"):
        files.contents(tmp_path / "mine.csv", 10)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10**6)))
    with pytest.raises(InputError, match="larger than"):
        files.contents(tmp_path / "bomb.gz", 10**5)
    monkeypatch.setattr(files, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Denied")), raising=False)
    with pytest.raises(InputError, match=r"cannot be read .permission denied"):
        files.contents(tmp_path / "mine.csv")


def test_many_rows_are_fitted_whole():
    rng = np.random.default_rng(1)
    rows = runs(np.exp(rng.uniform(17, 23, 200_000)), np.exp(rng.uniform(21, 28, 200_000)), noise=0.01)
    result = fit(Dense(), rows)
    assert result.status == "converged"
    assert result.values == pytest.approx(BESIROGLU, rel=0.02)


def test_a_grid_of_many_rows_is_sampled_in_all_its_columns():
    """Evenly spaced rows of this grid would all have the same number of tokens."""
    sizes, tokens = np.meshgrid(np.geomspace(5e7, 1e10, 400), np.geomspace(1e9, 1e12, 50), indexing="ij")
    result = fit(Dense(), runs(sizes.ravel(), tokens.ravel()))
    assert result.problem.thinned().columns["n_tokens"].min() < 2e9
    assert result.status == "converged"
