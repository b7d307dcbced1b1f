"""The program that trains our own runs; it needs PyTorch, which the book does not."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not here; the extra 'runs' brings it.")

import corpus  # noqa: E402
import grid  # noqa: E402
import model  # noqa: E402
import table  # noqa: E402
import train  # noqa: E402
import trunk as training  # noqa: E402
from click.testing import CliRunner  # noqa: E402

TRUNKS = list(dict.fromkeys(point.trunk for point in grid.smoke()))
named = pytest.mark.parametrize("trunk", TRUNKS, ids=lambda trunk: trunk.name)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@named
def test_parameters_are_those_that_are_counted(trunk):
    network = model.Transformer(trunk.architecture, grid.CONTEXT)
    assert sum(weight.numel() for weight in network.parameters()) == trunk.architecture.n_total


@named
def test_no_token_sees_what_follows(trunk):
    network = model.Transformer(trunk.architecture, 16)
    tokens = torch.randint(0, grid.VOCABULARY, (2, 16))
    changed = tokens.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % grid.VOCABULARY
    before, after = (network(text)[0].view(2, 16, -1) for text in (tokens, changed))
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert (before[:, 9:] != after[:, 9:]).any()


def one_by_one(layer, x):
    """Send each token through its experts alone."""
    rows = []
    for token in x:
        shares = layer.router(token).softmax(dim=0)
        best = shares.topk(layer.top_k)
        parts = [
            layer.top_k * share / best.values.sum() * (model.gated(token @ layer.into[expert]) @ layer.out[expert])
            for share, expert in zip(best.values, best.indices, strict=True)
        ]
        rows.append(sum(parts))
    return torch.stack(rows)


@pytest.mark.parametrize("trunk", TRUNKS[1:], ids=lambda trunk: trunk.name)
def test_dispatch_equals_a_loop_over_tokens(trunk):
    network = model.Transformer(trunk.architecture, grid.CONTEXT)
    layer = network.blocks[0].feed_forward
    x = torch.randn(50, 32, requires_grad=True)
    fast, routing = layer(x)
    slow = one_by_one(layer, x)
    torch.testing.assert_close(fast, slow)
    assert routing.counts.sum() == 50 * trunk.top_k  # none dropped
    inputs = [x, layer.into, layer.out, layer.router.weight]
    weights = torch.randn_like(fast)
    for ours, theirs in zip(
        torch.autograd.grad((fast * weights).sum(), inputs),
        torch.autograd.grad((slow * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_loss_is_cross_entropy():
    hidden = torch.randn(model.ROWS + 7, 8, requires_grad=True)
    matrix = torch.randn(50, 8, requires_grad=True)
    targets = torch.randint(0, 50, (len(hidden),))
    ours = model.CrossEntropy.apply(hidden, matrix, targets)
    theirs = torch.nn.functional.cross_entropy(hidden @ matrix.t(), targets)
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(
        torch.autograd.grad(3 * ours, [hidden, matrix]),
        torch.autograd.grad(3 * theirs, [hidden, matrix]),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_balance_is_one_where_all_experts_are_used_alike():
    layer = model.Experts(TRUNKS[1].architecture)
    torch.nn.init.normal_(layer.into)
    torch.nn.init.normal_(layer.out)
    torch.nn.init.zeros_(layer.router.weight)
    assert layer(torch.randn(64, 32))[1].balance.item() == pytest.approx(1)
    torch.nn.init.ones_(layer.router.weight[:1])
    assert layer(10 + torch.rand(64, 32))[1].balance.item() == pytest.approx(8 / 2)


def test_bfloat16_is_near_float32():
    network = model.Transformer(TRUNKS[1].architecture, grid.CONTEXT)
    tokens = torch.randint(0, grid.VOCABULARY, (2, 64))
    exact = network.loss(tokens, tokens)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = network.loss(tokens, tokens)[0]
    rough.backward()
    assert rough.item() == pytest.approx(exact.item(), rel=1e-2)


@pytest.fixture(scope="module")
def text():
    return corpus.synthetic()


def trained(text, cache, point, **interruption):
    """Train one end point, in two goes if a step to stop at is named."""
    device = torch.device("cpu")
    for stop in interruption.values():

        class Stop(Exception):
            pass

        steps = iter(range(stop))

        def tick(steps=steps, stop=Stop):
            if next(steps, None) is None:
                raise stop

        with pytest.raises(Stop):
            training.Training(text, cache, device, "float32", tick).run(point)
    return training.Training(text, cache, device, "float32", lambda: None).run(point)


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)


@pytest.mark.parametrize("stop", [5, 10])  # in the trunk, and in the decay
def test_resumed_run_equals_an_uninterrupted_one(tmp_path, text, often, stop):
    point = grid.EndPoint(TRUNKS[1], 2048 * 12)
    whole, there = trained(text, tmp_path / "whole", point)
    parts, here = trained(text, tmp_path / "parts", point, stop=stop)
    assert parts.step == whole.step == 12
    assert (here.loss, parts.losses) == (there.loss, whole.losses)
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_end_points_of_a_trunk_do_not_depend_on_each_other(tmp_path, text):
    early, late = (grid.EndPoint(TRUNKS[0], 2048 * steps) for steps in (8, 16))
    alone = trained(text, tmp_path / "alone", late)[1].loss
    trained(text, tmp_path / "after", early)
    assert trained(text, tmp_path / "after", late)[1].loss == alone
    # A trunk that is past the branch cannot go back, and so begins again.
    assert trained(text, tmp_path / "after", early)[1].loss == trained(text, tmp_path / "first", early)[1].loss


def test_every_epoch_has_every_sequence_once(text):
    orders = [training.order(100, 0, epoch).tolist() for epoch in (0, 1)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(100))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setitem(grid.PLANS, "smoke", lambda: grid.ends(TRUNKS[:2], 14, 15))


def test_command_makes_each_run_once(tmp_path, short):
    def call(*options):
        out = ["--cache", str(tmp_path), "--out", str(tmp_path / "mine.csv"), "--smoke"]
        return CliRunner().invoke(train.main, [*out, *options], catch_exceptions=False)

    assert call("--shard", "0/2").exit_code == 0
    assert len(table.names(tmp_path / "mine.csv", table.RUNS)) == 2
    assert call("--shard", "1/2").exit_code == 0
    once = (tmp_path / "mine.csv").read_bytes()
    assert len(table.names(tmp_path / "mine.csv", table.RUNS)) == 4
    assert "0 of them new" in call().output
    assert (tmp_path / "mine.csv").read_bytes() == once
    assert not list(tmp_path.glob("trunks/*/*"))


def test_curve_is_what_was_seen_on_the_way(tmp_path, text):
    point = grid.EndPoint(TRUNKS[0], 2048 * 64)
    state, _ = trained(text, tmp_path, point)
    curve = train.curve_of(point, state)
    assert [row["n_tokens"] for row in curve] == [2048 * 32, 2048 * 64]
    assert float(curve[0]["train_loss"]) == pytest.approx(sum(state.losses[:32]) / 32, abs=5e-5)
    assert float(curve[1]["train_loss"]) < float(curve[0]["train_loss"])
    path = tmp_path / "curves.csv"
    table.append(path, curve, table.CURVES)
    assert table.names(path, table.CURVES) == {point.name}


def test_mistakes_end_in_one_sentence(tmp_path, short):
    for options, sentence in (
        (["--shard", "3/2"], "Shard '3/2' is found"),
        (["--device", "cuda"], "There is no CUDA device here"),
    ):
        if "cuda" in options and torch.cuda.is_available():
            continue
        result = CliRunner().invoke(train.main, ["--smoke", "--cache", str(tmp_path), *options])
        assert result.exit_code != 0
        assert sentence in result.output
        assert not (tmp_path / "smoke.csv").exists()


ENTRY = """preface

Alike \\A*like"\\, a. [AS. onlic.]
   1. Having resemblance; similar to a thing. [1913 Webster]

   2. Without {difference}, as the two of them are.
      [1913 Webster]

Alight \\A*light"\\, v. i.
   To come down from a horse or a carriage.
"""


def test_dictionary_is_split_into_entries():
    assert list(corpus.dictionary(ENTRY)) == [
        [],
        [
            "Alike, a. [AS. onlic.] 1. Having resemblance; similar to a thing.",
            "2. Without difference, as the two of them are.",
        ],
        ["Alight, v. i. To come down from a horse or a carriage."],
    ]


@pytest.mark.parametrize(
    ("split", "page", "prose"),
    [
        (
            corpus.html,
            "<head><title>no</title></head><p>This is <b>one</b> paragraph.<pre>x = y</pre>",
            "This is one paragraph.",
        ),
        (corpus.pod, "=head1 NAME\n\nSee L<the other page> for B<more> of it.", "See the other page for more of it."),
        (
            corpus.restructured,
            "Title\n=====\n\nUse :func:`open` to *open* a file.\n\n  x += f(y, 3)[4]",
            "Use open to open a file.",
        ),
    ],
)
def test_markup_and_code_go(split, page, prose):
    assert list(split(page)) == [[prose]]


def test_no_document_and_no_paragraph_is_in_both_parts():
    named = [(f"file#{number}", [f"this is paragraph {number}"]) for number in range(2000)]
    train_part, held_out = corpus.divide(iter(named))
    assert len(train_part) + len(held_out) == 2000
    assert not set(train_part) & set(held_out)
    assert 60 < len(held_out) < 170
    assert corpus.divide(iter(named[::-1])) == (train_part, held_out)


def test_repeated_paragraphs_are_dropped(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / f"{name}.pod").write_text(f"This text is in both files.\n\nThis one is in file {name}.")
    monkeypatch.setattr(corpus, "SOURCES", (corpus.Source("some", "*.pod", "", corpus.pod),))
    assert list(corpus.documents(tmp_path)) == [
        ("a.pod#0", ["This text is in both files.", "This one is in file a."]),
        ("b.pod#0", ["This one is in file b."]),
    ]


def test_missing_package_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "SOURCES", (corpus.Source("no-such-package-at-all", "*", "", corpus.pod),))
    with pytest.raises(corpus.InputError, match=r"the \.deb file of each package that README\.md lists"):
        corpus.unpack(tmp_path)
