"""Each rule of a chapter holds for a good chapter and finds its own fault in a bad one."""

import copy
import itertools

import book_rules
import jupytext
import nbformat
import pytest
from book_rules import Chapter

EXERCISE = """
```{{exercise-start}}
:label: ex-key-{0}
```
★ · 5 minutes · needs: the law

How many?

Hint: count.

Answer: a number.
```{{exercise-end}}
```

```{{solution-start}} ex-key-{0}
:class: dropdown
```

```{{code-cell}} ipython3
answer = {0} + 1
```

```{{solution-end}}
```
"""
FIGURE = """```{code-cell} ipython3
---
mystnb:
  figure: {name: fig-one, caption: Loss against tokens.}
  image: {alt: A line that falls.}
---
show(table)
```
"""
BODY = {
    "Why it matters": "It is arXiv:2503.12345v2, under CC BY 4.0; see its Section 5.1 and `x = 0.5`.",
    "Result 1": f"The loss is {{glue:text}}`loss`, see {{numref}}`fig-one`.\n\n{FIGURE}",
    "The law": "$$\nL = E\n$$ (eq-key-1)\n\nThis is Eq. (3) of the paper.",
    "Your data": '```{code-cell} ipython3\n:tags: [hide-input]\n\n# The loss\nglue("loss", f"{x:.3f} nats")\n```',
    "Exercises": "".join(EXERCISE.format(number) for number in range(5)),
}


def text_of(skeleton):
    """Return the text of a chapter with three results."""
    titles = [
        title
        for part in skeleton
        for title in ([f"Result {n}" for n in (1, 2, 3)] if isinstance(part, tuple) else [part])
    ]
    return "# Title\n\n" + "\n\n".join(f"## {title}\n\n{BODY.get(title, 'Text.')}" for title in titles)


TEXT = text_of(book_rules.OF_A_PAPER + book_rules.LAST)
TABLE = "| a |\n|---|\n" + "| 1 |\n" * 9


def chapter(text=TEXT):
    """Return the chapter of a text as if it had been executed without any fault."""
    read = jupytext.reads(text, "md:myst")
    stored = copy.deepcopy(read)
    counts = itertools.count(1)
    for number, cell in enumerate(stored.cells):
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            cell.execution_count = next(counts)
        if "show(" in cell.source:
            cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": ""})]
    return Chapter("00-key", read, stored)


def changed(old, new):
    """Return a fault in the text: one passage replaced."""
    assert old in TEXT
    return lambda: chapter(TEXT.replace(old, new))


def rows(count):
    """Return a table as pandas shows it."""
    html = "<table><thead><tr></tr></thead><tbody>" + "<tr><td>1</td></tr>" * count + "</tbody></table>"
    return nbformat.v4.new_output("display_data", {"text/html": html})


def spoiled(spoil):
    """Return a fault of the stored notebook's last code cell."""

    def make():
        made = chapter()
        spoil([cell for cell in made.stored.cells if cell.cell_type == "code"][-1])
        return made

    return make


def output(kind, **content):
    return spoiled(lambda cell: cell.outputs.append(nbformat.v4.new_output(kind, **content)))


def prose(text):
    return changed("How many?", text)


def code(text):
    return changed("show(table)", f"show(table)\n{text}")


LONG = "def long():\n" + "    pass\n" * 10
FAULTS = [
    ("same_cells", spoiled(lambda cell: cell.update(source="2"))),
    ("same_cells", spoiled(lambda cell: cell.metadata.update(tags=["remove-input"]))),
    ("executed_in_order", spoiled(lambda cell: cell.update(execution_count=None))),
    ("executed_in_order", spoiled(lambda cell: cell.update(execution_count=99))),
    ("no_error_or_warning", output("error", ename="ValueError", evalue="no", traceback=[])),
    ("no_error_or_warning", output("stream", name="stderr", text="a warning")),
    ("no_semicolon", code("plot();")),
    ("valid_notebook", spoiled(lambda cell: cell.update(outputs=None))),
    ("described_figures", changed("caption: Loss against tokens.", "caption: ''")),
    ("described_figures", changed("name: fig-one, ", "")),
    ("described_figures", changed("image: {alt: A line that falls.}", "image: {width: 300px}")),
    ("lettered_panels", changed("Loss against tokens.", "'Left: loss against tokens.'")),
    ("lettered_panels", changed("Loss against tokens.", "Loss against tokens (right)")),
    ("no_typed_number", prose("The exponent is 0.34.")),
    ("no_typed_number", prose("The exponent is $\\alpha = 0.34$.")),
    ("no_typed_number", prose("```{note}\nThe exponent is -0.34.\n```")),
    ("no_typed_number", prose("```{note} An exponent of 0.34\nText.\n```")),
    ("no_typed_number", prose("It is 1,234.5 and not in Section 3.")),
    ("no_typed_number", changed("Loss against tokens.", "Loss 0.34")),
    ("no_typed_number", changed("A line that falls.", "A line at 0.34")),
    ("no_typed_result", code('glue("a", "0.34")')),
    ("no_typed_result", code('glue("a", f"{x:.2f} of 0.34")')),
    ("no_typed_result", code('Cannot("the paper says 0.34")')),
    ("no_typed_result", code('Result(x, note="0.34 " + note)')),
    ("no_typed_result", code("Result(7.5)")),
    ("no_typed_result", code("Result([1, -2], note)")),
    ("no_typed_result", code("Result(computed=True)")),
    ("equations_have_a_place", changed("eq-key-1", "eq-other-1")),
    ("equations_have_a_place", changed("This is Eq. (3) of the paper.", "This is the law.")),
    ("equations_have_a_place", prose("```{math}\n:label: eq-key-2\nx\n```\n\nThat.")),
    ("solved_exercises", changed(EXERCISE.format(4), "")),
    ("solved_exercises", changed(":class: dropdown", ":class: note")),
    ("solved_exercises", changed("```{code-cell} ipython3\nanswer = 3 + 1\n```", "3 + 1")),
    ("solved_exercises", changed("answer = 3 + 1", "3 + 1")),
    ("solved_exercises", changed("★ · 5 minutes · needs: the law", "Easy.")),
    ("solved_exercises", changed("Hint: count.", "")),
    ("solved_exercises", changed("Answer: a number.", "")),
    ("solved_exercises", changed(EXERCISE.format(4), "".join(EXERCISE.format(number) for number in range(4, 8)))),
    ("solved_exercises", changed("{solution-start} ex-key-2", "{solution-start} ex-key-1")),
    ("sections_in_order", changed("## The law", "## A law")),
    ("sections_in_order", changed("## Your data\n", "")),
    ("sections_in_order", changed("## Result 2\n", "")),
    ("sections_in_order", changed("## Result 2\n", "## Result 2\n\n## 4\n\n## 5\n\n## 6\n")),
    ("short_prose", changed("## Result 2\n", "## Result 2\n" + "word " * 2501)),
    ("little_code", changed("show(table)", "show(table)\n" + "x = 1\n" * 150)),
    ("little_code", changed("# The loss", "# The loss\n" + "x = 1\n" * 500)),
    ("few_figures", changed(FIGURE, FIGURE * 9)),
    ("short_tables", changed("## Result 2\n", f"## Result 2\n\n{TABLE}")),
    ("short_tables", spoiled(lambda cell: cell.outputs.append(rows(9)))),
    ("named_folds", changed("# The loss\n", "")),
    ("short_functions", code(LONG)),
    ("public_names", code("from moelaws.fitting.estimation import _private")),
    ("public_names", code("import moelaws._private")),
    ("public_names", code("moelaws.fitting.estimation._private()")),
    ("no_relative_path", code('open("../data/x.csv")')),
    ("no_relative_path", code('read("data/key/x.csv")')),
]
ALLOWED = [
    "Qwen1.5 and GPT-3.5 are names.",
    "See Sec. 5.1, Table 2.1, Eq. (4.2), Eqs. (4.2) and (4.3), Figures 2.1 to 2.3, § 3.2 and Appendix B.1.",
    "[the code](https://example.org/v1.5) and https://example.org/2.0",
    "```python\nx = 0.5\n```",
    "```{figure} a.png\n:width: 0.5\n```",
    "$$\nx = 1 \\tag{3.1}\n$$",
    "In 2025. There are 3 rows, or 1,000.",
]


@pytest.mark.parametrize("rule", book_rules.rules("00-key"), ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("skeleton", [book_rules.OF_A_PAPER, book_rules.WITHOUT_PAPER], ids=["paper", "own"])
def test_a_good_chapter_keeps(rule, skeleton):
    assert rule(chapter(text_of(skeleton + book_rules.LAST))) == []


def test_words_are_those_of_prose():
    text = (
        "# One title\n\nTwo words, $x = 1$ and {glue:text}`a b`.\n\n| a | b |\n\n:::{note}\n:class: tip\nIt's.\n:::\n"
    )
    assert book_rules.words(text) == 2 + 2 + 3 + 1 + 1


def test_limits_leave_out_exercises():
    long = EXERCISE.format(0).replace("How many?", "word " * 3000).replace("answer", "x = 1\n" * 600 + "answer")
    told = chapter(TEXT.replace(EXERCISE.format(0), long))
    assert book_rules.short_prose(told) == book_rules.little_code(told) == []


def evidence(shown, stored):
    """Return a page that shows some claims and stores some."""
    bundle = {
        "text/html": "".join(f'<div class="claim" id="{name.lower()}">' for name in shown),
        book_rules.MIME: {"paper": "key", "claims": [{"id": name} for name in stored]},
    }
    page = chapter()
    cell = next(cell for cell in page.stored.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("display_data", bundle)]
    return Chapter("00-key-evidence", page.text, page.stored)


def test_an_evidence_page_shows_every_claim_once():
    assert book_rules.every_claim_once in book_rules.rules("00-key-evidence")
    assert book_rules.every_claim_once(evidence(["key-C1", "key-C2"], ["key-C1", "key-C2"])) == []
    assert len(book_rules.every_claim_once(evidence(["key-C1"], ["key-C1", "key-C2"]))) == 1
    assert len(book_rules.every_claim_once(evidence(["key-C1", "key-C1"], ["key-C1"]))) == 1
    assert len(book_rules.every_claim_once(evidence([], []))) == 1


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(FAULTS)])
def test_a_fault_is_found(name, fault):
    problems = getattr(book_rules, name)(fault())
    assert len(problems) >= 1
    assert all(problem.startswith("00-key: ") for problem in problems)


def test_every_rule_has_a_fault():
    assert {name for name, _ in FAULTS} == {rule.__name__ for rule in book_rules.rules("00-key")}


@pytest.mark.parametrize("text", ALLOWED)
def test_a_decimal_point_in_a_name_or_place_is_allowed(text):
    assert book_rules.decimals(text) == []


def test_a_figure_name_used_twice_is_found():
    assert book_rules.unique_figures([chapter()]) == []
    assert len(book_rules.unique_figures([chapter(), chapter()])) == 1


def test_a_figure_that_no_text_mentions_is_found():
    silent = changed("{numref}`fig-one`", "below")()
    assert book_rules.mentioned_figures([chapter()], []) == []
    assert len(book_rules.mentioned_figures([silent], ["{numref}`fig-two`"])) == 1
    assert book_rules.mentioned_figures([silent], ["{numref}`Figure %s <fig-one>`"]) == []
