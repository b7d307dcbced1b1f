"""The notebooks for teaching say what the pages say, run from top to bottom, and keep the answers to themselves."""

import ast
import builtins
import re
import symtable
from functools import cache

import execute
import kernel
import nbformat
import pytest
import teach
from nbclient import NotebookClient
from plain_text import TextError

from moelaws.paths import ROOT
from moelaws.teaching import answers

MAKER = teach.Maker()
PAGES = list(MAKER.pages)
RAW = re.compile(r"\{[\w:.-]+\}`|^[`:]{3,}\s*\{|^\([\w-]+\)=|\bglue\(", re.M)

CHAPTER = """---
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# Halving (Nobody, 2026)

:::{div} answer
A half is {glue:text}`half`, and a third {glue:text}`third:.3f`.
:::

1. Two findings ([more](sec-law), [Section](#sec-law)), {ref}`sec-law`, {ref}`the law <sec-law>`.

```{code-cell} ipython3
:tags: [hide-input]

# The numbers
from myst_nb import glue

whole = 12
for name, value in {"half": whole / 24}.items():
    glue(name, value, display=False)


def show(**values):
    'Glue some values.'
    for name, value in values.items():
        glue(name, value, display=False)


show(third=1 / 3)
```

(sec-law)=
## The law of halves

By {cite}`yang2025`, as {cite:t}`yang2025` say, a {term}`ridge` is {eq}`eq-example-one`
in {numref}`fig-example` of {doc}`/book/index`.

$$
x = y / 2
$$ (eq-example-one)

:::{admonition} Takeaway
:class: takeaway
Halves are half ({claim}`yang2025-C26`).
:::

```{verdicts} yang2025
```

```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-example
    caption: A point at {glue:text}`half`.
  image:
    alt: A point.
---
import matplotlib.pyplot as plt
figure, ax = plt.subplots()
_ = ax.plot([whole / 2], [1], "o")
```

## Exercises

:::{exercise-start} Halve it
:label: ex-example-1
:::
★ · 5 minutes · needs: the number `whole`

What is a seventh of the whole, by {eq}`eq-example-one`?

Hint: divide
by seven.

Answer: a number, in $10^{0}$, to two digits.
:::{exercise-end}
:::

:::{solution-start} ex-example-1
:label: sol-example-1
:class: dropdown
:::

```{code-cell} ipython3
divided_by_seven = whole / 7
answer = divided_by_seven
glue("seventh", f"{answer:.2f}", display=False)
print(answer)
```

It comes to {glue:text}`seventh` of what there was.

:::{solution-end}
:::

:::{exercise-start} Say it
:label: ex-example-2
:::
★★ · 5 minutes · needs: `whole`, whose `real` part counts

Is it even, how many halves has it, and what is it called?

Hint: count.

Answer: a list of True or False, a whole number, and a word.
:::{exercise-end}
:::

:::{solution-start} ex-example-2
:label: sol-example-2
:class: dropdown
:::

```{code-cell} ipython3
import numpy as np
answer = [np.bool_(whole % 2 == 0), np.int64(2), "dozen"]
```

:::{solution-end}
:::

## References

```{bibliography}
:filter: docname in docnames
```
"""
PROJECT = {
    "_config.yml": "repository: {url: https://github.com/owner/name, branch: main}\nbibtex_bibfiles: [book/some.bib]\n",
    "_toc.yml": "root: book/index\nparts:\n- chapters: [{file: book/index}]\n"
    "- {numbered: true, chapters: [{file: chapters/01-example.ipynb}]}\n",
    "pyproject.toml": '[project]\nversion = "1.2.0"\n',
    "book/index.md": "# First page\n",
    "book/some.bib": (
        "@misc{yang2025, author={Yang, A and Shi, B and {\\L}{\\'o}d{\\'z}, C}, title={{MoE}}, year={2025}, "
        "eprint={1.2}}"
    ),
    "requirements.lock": "",
    "chapters/01-example.md": CHAPTER,
}


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A project with one executed chapter."""
    root = tmp_path_factory.mktemp("project")
    for name, text in PROJECT.items():
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "ROOT", root)
        execute.execute(root / "chapters/01-example.md")
        assert not execute.stale(root / "chapters/01-example.md")
    return root


def told(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def run(notebook):
    client = NotebookClient(notebook, timeout=1200, extra_arguments=kernel.ARGUMENTS)
    client.execute(env=kernel.environment())
    return notebook


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


# What readers see


def test_text_is_readable_without_the_book(example):
    maker = teach.Maker(example)
    page = maker.pages["chapters/01-example"]
    site = "https://owner.github.io/name"
    for notebook in (maker.teacher(page), maker.student(page)):
        text = told(notebook)
        assert "> A half is 0.5, and a third 0.333." in text
        here = "(#The-law-of-halves)"
        assert f"([more]{here}, [Section]{here}), [The law of halves]{here}, [the law]{here}." in text
        paper = "https://arxiv.org/abs/1.2"
        assert f"([Yang et al., 2025]({paper})), as [Yang et al. (2025)]({paper}) say" in text
        assert f"[ridge]({site}/book/glossary.html#term-ridge)" in text
        assert f"[(1.1)]({site}/chapters/01-example.html#equation-eq-example-one)" in text
        assert f"in [Fig. 1.1]({site}/chapters/01-example.html#fig-example)" in text
        assert f"of [First page]({site}/book/index.html)." in text
        assert "x = y / 2\n\\tag{1.1}$$" in text
        assert re.search(
            r"> \*\*Takeaway\*\*\n> \n> Halves are half \(\[C26: \w+\]\(https://\S+#yang2025-c26\)\)", text
        )
        assert re.search(r"\*\*Verdicts\*\*: \d+ agree · .*\(\[evidence\]", text)
        assert "**Fig. 1.1.** A point at 0.5." in text
        assert f"- Yang, Shi, Łódź: *MoE* (2025). [arxiv.org/abs/1.2]({paper})" in text
        assert "### Exercise 1.1: Halve it" in text
        assert not RAW.search("\n\n".join(cell.source for cell in notebook.cells))


def test_teachers_see_figures_and_folded_solutions(example):
    maker = teach.Maker(example)
    notebook = maker.teacher(maker.pages["chapters/01-example"])
    assert "<details><summary>Solution of Exercise 1.1</summary>\n\nIt comes to 1.71 of what there was." in told(
        notebook
    )
    cells = {cell.source.split("\n")[0]: cell for cell in notebook.cells}
    figure = cells["import matplotlib.pyplot as plt"]
    assert not figure.metadata
    assert {mime for output in figure.outputs for mime in output.data} == {"text/plain", "image/png"}
    folded = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    assert cells["# The numbers"].metadata == folded
    assert cells["# The numbers"].source == "# The numbers\n\nwhole = 12"
    solution = cells["divided_by_seven = whole / 7"]
    assert solution.metadata == folded | {"jupyter": {"source_hidden": True, "outputs_hidden": True}}
    assert printed(solution).startswith("1.714")


def test_students_get_a_cell_and_a_check_for_each_question(example):
    maker = teach.Maker(example)
    notebook = maker.student(maker.pages["chapters/01-example"])
    text = told(notebook)
    assert "**Answer**: a number, in $10^{0}$, to two digits." in text
    assert "<details><summary>Hint</summary>\n\ndivide\nby seven.\n\n</details>" in text
    assert "Hint:" not in text
    assert "Answer:" not in text
    sources = [cell.source for cell in notebook.cells]
    assert "# At hand: whole. Expected: a number, in 10^0, to two digits.\nanswer = ..." in sources
    assert any(source.startswith("# At hand: whole. Expected: a list of") for source in sources)
    whole = "\n".join(sources)
    for secret in ("divided_by_seven", "whole / 7", "It comes to", "1.7", "dozen"):
        assert secret not in whole
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_a_students_notebook_runs_and_takes_the_teachers_answers(example):
    maker = teach.Maker(example)
    page = maker.pages["chapters/01-example"]
    notebook = run(with_solutions(maker, page))
    assert [printed(cell) for cell in notebook.cells if "check(" in cell.source] == [
        "No answer yet. Expected: a number, in 10^0, to two digits.\n",
        "No answer yet. Expected: a list of True or False, a whole number, and a word.\n",
        "Right.\n",
        "Right.\n",
    ]


def with_solutions(maker, page):
    """Return the student's notebook, and below it each solution's code followed by the student's check."""
    notebook = maker.student(page)
    checks = {label: cell for cell in notebook.cells if (label := checked(cell))}
    solutions = [part for part in teach.parts(page) if part.kind == "solution" and part.cell]
    for place, part in enumerate(solutions):
        notebook.cells.append(nbformat.v4.new_code_cell(teach.without_glue(part.cell.source, teach.gluers(page))))
        last = place + 1 == len(solutions) or solutions[place + 1].label != part.label
        if last and part.label in checks:
            notebook.cells.append(nbformat.v4.new_code_cell(checks[part.label].source))
    return notebook


def checked(cell):
    """Return the label of the question whose answer a cell checks."""
    found = re.search(r'^check\(answer, "([^"]+)"', cell.source, re.M)
    return found and found[1]


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("{term}`ridge`", "{nonsense}`ridge`", "the role 'nonsense' has no rule"),
        ("```{verdicts} yang2025", "```{nonsense} yang2025", "the directive 'nonsense' has no rule"),
        ("{ref}`sec-law`", "{ref}`sec-lore`", "there is no label 'sec-lore'"),
        ("{glue:text}`half`", "{glue:text}`quarter`", "nothing is glued as 'quarter'"),
        ("{cite}`yang2025`", "{cite}`wang2025`", "the bibliography has no entry 'wang2025'"),
        ("{claim}`yang2025-C26`", "{claim}`yang2025-C999`", "there is no claim 'yang2025-C999'"),
        ("to two digits", "quickly", "names no precision"),
        (
            "Answer: a number, in $10^{0}$, to two digits.",
            "",
            "the exercise 'ex-example-1' has no paragraph 'Answer: …'",
        ),
    ],
)
def test_what_cannot_be_told_is_an_error(example, before, after, sentence):
    maker = teach.Maker(example)
    page = maker.pages["chapters/01-example"]
    for cell in page.cells:
        cell.source = cell.source.replace(before, after)
    with pytest.raises(TextError) as error:
        maker.student(page)
    assert str(error.value).startswith("chapters/01-example: ")
    assert sentence in str(error.value)


def test_answers_that_were_not_stored_are_asked_for(example, monkeypatch):
    maker = teach.Maker(example)
    page = maker.pages["chapters/01-example"]
    page.answers.pop()
    with pytest.raises(TextError, match="2 cells assign an answer and 1 answers are stored; python book/tools/execute"):
        maker.student(page)
    path = example / "chapters/01-example.ipynb"
    stored = path.read_text(encoding="utf-8")
    monkeypatch.setattr(execute, "ROOT", example)
    notebook = nbformat.reads(stored, as_version=4)
    notebook.metadata.moelaws.answers.pop()
    nbformat.write(notebook, path)
    assert execute.stale(path.with_suffix(".md"))
    path.write_text(stored, encoding="utf-8")


def test_what_someone_changed_is_kept(example):
    assert teach.lay_out(example) == []
    path = example / "lab/student/01-example.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert not teach.changed(path)
    notebook.metadata.language_info["version"] = "3.13"  # as Jupyter does when it opens one
    nbformat.write(notebook, path)
    assert not teach.changed(path)
    notebook.cells[-1].source += " mine"
    nbformat.write(notebook, path)
    assert teach.lay_out(example) == [path]
    assert "mine" in path.read_text(encoding="utf-8")


def test_stored_notebooks_follow_their_pages(example):
    gone = example / teach.STUDENT / "00-gone.ipynb"
    gone.parent.mkdir(parents=True)
    gone.write_text("{}", encoding="utf-8")
    teach.write(example)
    assert [path.name for path in gone.parent.iterdir()] == ["01-example.ipynb"]


@pytest.mark.parametrize(("version", "ref"), [("1.2.0", "v1.2.0"), ("1.3.0.dev0", "main")])
def test_the_first_cell_installs_the_pages_version(example, version, ref, tmp_path):
    for name in ("_config.yml", "_toc.yml", "book", "chapters"):
        (tmp_path / name).symlink_to(example / name)
    (tmp_path / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n', encoding="utf-8")
    maker = teach.Maker(tmp_path)
    notebook = maker.student(maker.pages["chapters/01-example"])
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert f'"moelaws @ git+https://github.com/owner/name@{ref}"' in first.source
    assert notebook.metadata.moelaws.ref == ref


# The book's own notebooks


@cache
def notebook(whom, name):
    """Return a page's notebook for teachers or students; nobody changes it."""
    return getattr(MAKER, whom)(MAKER.pages[name])


@pytest.mark.parametrize("name", PAGES)
def test_stored_notebook_is_in_step(name):
    path = ROOT / teach.STUDENT / f"{name.rpartition('/')[2]}.ipynb"
    made = nbformat.writes(notebook("student", name))
    assert path.read_text(encoding="utf-8").strip() == made.strip(), f"{path.name}: run make book"


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("whom", ["teacher", "student"])
def test_nothing_raw_is_left(whom, name):
    assert not RAW.findall("\n\n".join(cell.source for cell in notebook(whom, name).cells))


def secrets(page):
    """Yield what only a page's solutions say: their lines of code and their sentences."""
    elsewhere = "\n".join(part.text or part.cell.source for part in teach.parts(page) if part.kind != "solution")
    names = teach.gluers(page)
    for part in teach.parts(page):
        if part.kind == "solution":
            text = teach.without_glue(part.cell.source, names) if part.cell else MAKER.book.tell(page, part.text)
            for line in map(str.strip, re.split(r"\n|(?<=[.!?]) ", text)):
                if len(line) > 20 and line not in elsewhere:
                    yield line


@pytest.mark.parametrize("name", PAGES)
def test_no_student_sees_a_solution(name):
    cells = notebook("student", name).cells
    whole = "\n".join(cell.source for cell in cells)
    assert not [line for line in secrets(MAKER.pages[name]) if line in whole]
    assert not any(cell.get("outputs") for cell in cells)


def solved(page):
    """Yield the label, form, hashes and right answer of each question that is checked."""
    sealed = MAKER.sealed(page)
    labels = [part.label for part in teach.parts(page) if part.cell and teach.ANSWER.search(part.cell.source)]
    for label, answer in zip(labels, page.answers, strict=True):
        yield label, *sealed[label], answer


def wrong(answer):
    """Three answers that are not the right one, of its kind."""
    if isinstance(answer, list):
        others = zip(*map(wrong, answer), strict=True)
        return [list(other) for other in others]
    if isinstance(answer, bool):
        return [not answer, "perhaps", 3]
    if isinstance(answer, str):
        return [f"{answer}s", "something else", ""]
    return [1.7 * answer + 1, -answer - 1, answer / 3 - 2]


@pytest.mark.parametrize("name", [name for name in PAGES if MAKER.pages[name].answers])
def test_checks_accept_the_right_answer_and_refuse_three_others(name):
    for label, form, sealed, answer in solved(MAKER.pages[name]):
        assert all(answers.right(answer, label, form, sealed))
        for other in wrong(answer):
            assert not all(answers.right(other, label, form, sealed)), f"{label} takes {other}"


def used_and_made(source):
    """Return the names that a cell reads without making them first, and those that it makes at its top level."""
    source = re.sub(r"^\s*[%!].*$", lambda line: re.sub(r"\S.*", "pass", line[0]), source, flags=re.M)
    table = symtable.symtable(source, "cell", "exec")
    made = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}

    def free(table):
        own = {one.get_name() for one in table.get_symbols() if one.is_referenced() and one.is_global()}
        return own.union(*map(free, table.get_children()))

    return (free(table) & names) - made, made


@pytest.mark.parametrize("name", PAGES)
def test_no_name_is_missing(name):
    known = {*dir(builtins), "__name__", "display", "get_ipython"}
    for cell in notebook("student", name).cells:
        if cell.cell_type == "code":
            used, made = used_and_made(cell.source)
            assert used <= known, f"{sorted(used - known)} in {cell.source}"
            known |= made
            if at_hand := re.match(r"# At hand: (.*?)\. Expected", cell.source):
                needed = {re.split(r"\W", one)[0] for one in at_hand[1].split(", ")} - {""}
                assert needed <= known, f"{sorted(needed - known)} in {cell.source}"


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_students_notebook_runs_and_its_checks_take_the_solutions(name):
    if absent := execute.absent(ROOT / f"{name}.md"):
        pytest.skip(
            f"{name} needs public runs that are not here: {', '.join(absent)}; MOELAWS_DATA can name their folder."
        )
    said = [printed(cell) for cell in run(with_solutions(MAKER, MAKER.pages[name])).cells if checked(cell)]
    count = len(said) // 2
    assert all(line.startswith("No answer yet") for line in said[:count])
    assert said[count:] == ["Right.\n"] * count


@pytest.mark.slow
def test_the_lab_gives_the_same_table_twice():
    tables = []
    for _ in range(2):
        notebook = MAKER.student(MAKER.pages["book/teach/lab"])
        (exam,) = [cell for cell in notebook.cells if cell.source.startswith("ready = False")]
        exam.source = exam.source.replace("False", "True", 1)
        run(notebook)
        tables += [output.data["text/html"] for output in exam.outputs]
    assert len(tables) == 2
    assert tables[0] == tables[1]
    assert all(name in tables[0] for name in ("predicted", "low", "high", "loss", "error", "inside"))


def test_the_labs_notebook_is_fresh():
    assert not execute.stale(ROOT / "book/teach/lab.md"), (
        "lab.md: its text, the package or its data changed; run make book"
    )
