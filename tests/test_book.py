"""Every chapter keeps the rules of the book; milliseconds each, nothing is executed."""

import book_rules
import pytest
import yaml
from book_rules import Chapter
from execute import absent, stale, touched

from moelaws.paths import ROOT

TEXTS = book_rules.stored_chapters(ROOT)


@pytest.fixture(scope="module")
def chapters():
    return {path: Chapter.read(path) for path in TEXTS}


def test_contents_list_every_chapter_once():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    entries = [entry for part in contents["parts"] for entry in part["chapters"]]
    listed = [name["file"] for entry in entries for name in [entry, *entry.get("sections", [])]]
    stored = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("chapters/*.ipynb"))
    assert sorted(name for name in listed if name.startswith("chapters/")) == stored
    for entry in entries:
        if entry["file"].startswith("chapters/"):
            evidence = entry["file"].replace(".ipynb", "-evidence.ipynb")
            assert entry.get("sections") == ([{"file": evidence}] if evidence in stored else None)
    assert stored == [path.with_suffix(".ipynb").relative_to(ROOT).as_posix() for path in TEXTS]
    assert stored


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        pytest.param(path, rule, id=f"{path.stem}-{rule.__name__}")
        for path in TEXTS
        for rule in book_rules.rules(path.stem)
    ],
)
def test_chapter_keeps(path, rule, chapters):
    problems = rule(chapters[path])
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_chapter_is_fresh(path):
    if stale(path) and absent(path):
        pytest.skip(f"{path.name} cannot be brought up to date, as {', '.join(absent(path))} is not here.")
    assert not stale(path), f"{path.name}: its text, the package or its data changed; run make book"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_what_a_chapter_shows_is_what_it_showed_when_executed(path):
    assert not touched(path), f"{path.stem}.ipynb: its outputs were changed; run make book"


def test_figures_have_a_name_of_their_own(chapters):
    problems = book_rules.unique_figures(chapters.values())
    assert not problems, "\n".join(problems)


def test_every_figure_is_mentioned(chapters):
    pages = [path.read_text(encoding="utf-8") for path in ROOT.glob("book/[a-z]*.md")]
    problems = book_rules.mentioned_figures(chapters.values(), pages)
    assert not problems, "\n".join(problems)
