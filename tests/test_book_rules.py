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
How many?
```{{exercise-end}}
```

```{{solution-start}} ex-key-{0}
:class: dropdown
```

```{{code-cell}} ipython3
{0} + 1
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
    "Paper card": "It is arXiv:2503.12345v2, under CC BY 4.0; see its Section 5.1 and `x = 0.5`.",
    "In one minute": f"The loss is {{glue:text}}`loss`, see {{numref}}`fig-one`.\n\n{FIGURE}",
    "The law": "$$\nL = E\n$$ (eq-key-1)\n\nThis is Eq. (3) of the paper.",
    "The ledger": '```{code-cell} ipython3\nledger.check("key-C01", computed=x, note=f"{x:.3f} nats")\n```',
    "Exercises": "".join(EXERCISE.format(number) for number in range(5)),
}
TEXT = "# Title\n\n" + "\n\n".join(f"## {title}\n\n{BODY.get(title, 'Text.')}" for title in book_rules.SKELETON)


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
    ("same_cells", spoiled(lambda cell: cell.metadata.update(tags=["hide-input"]))),
    ("executed_in_order", spoiled(lambda cell: cell.update(execution_count=None))),
    ("executed_in_order", spoiled(lambda cell: cell.update(execution_count=99))),
    ("no_error_or_warning", output("error", ename="ValueError", evalue="no", traceback=[])),
    ("no_error_or_warning", output("stream", name="stderr", text="a warning")),
    ("no_semicolon", code("plot();")),
    ("valid_notebook", spoiled(lambda cell: cell.update(outputs=None))),
    ("described_figures", changed("caption: Loss against tokens.", "caption: ''")),
    ("described_figures", changed("name: fig-one, ", "")),
    ("described_figures", changed("image: {alt: A line that falls.}", "image: {width: 300px}")),
    ("no_typed_number", prose("The exponent is 0.34.")),
    ("no_typed_number", prose("The exponent is $\\alpha = 0.34$.")),
    ("no_typed_number", prose("```{note}\nThe exponent is -0.34.\n```")),
    ("no_typed_number", prose("```{note} An exponent of 0.34\nText.\n```")),
    ("no_typed_number", prose("It is 1,234.5 and not in Section 3.")),
    ("no_typed_number", changed("Loss against tokens.", "Loss 0.34")),
    ("no_typed_number", changed("A line that falls.", "A line at 0.34")),
    ("no_typed_result", code('glue("a", "0.34")')),
    ("no_typed_result", code('glue("a", f"{x:.2f} of 0.34")')),
    ("no_typed_result", code('ledger.cannot("key-C02", reason="the paper says 0.34")')),
    ("no_typed_result", code('ledger.check("key-C02", computed=x, note="0.34 " + note)')),
    ("equations_have_a_place", changed("eq-key-1", "eq-other-1")),
    ("equations_have_a_place", changed("This is Eq. (3) of the paper.", "This is the law.")),
    ("equations_have_a_place", prose("```{math}\n:label: eq-key-2\nx\n```\n\nThat.")),
    ("solved_exercises", changed(EXERCISE.format(4), "")),
    ("solved_exercises", changed(":class: dropdown", ":class: note")),
    ("solved_exercises", changed("```{code-cell} ipython3\n3 + 1\n```", "3 + 1")),
    ("solved_exercises", changed("{solution-start} ex-key-2", "{solution-start} ex-key-1")),
    ("sections_in_order", changed("## The law", "## A law")),
    ("sections_in_order", changed("## The data\n", "")),
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


@pytest.mark.parametrize("rule", book_rules.RULES, ids=lambda rule: rule.__name__)
def test_a_good_chapter_keeps(rule):
    assert rule(chapter()) == []


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(FAULTS)])
def test_a_fault_is_found(name, fault):
    problems = getattr(book_rules, name)(fault())
    assert len(problems) >= 1
    assert all(problem.startswith("00-key: ") for problem in problems)


def test_every_rule_has_a_fault():
    assert {name for name, _ in FAULTS} == {rule.__name__ for rule in book_rules.RULES}


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
