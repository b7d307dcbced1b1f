"""The site is built anew when, and only when, something that it is made from changed."""

import subprocess

import build
import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a project whose site is up to date; no site is really built."""
    for name in ("_config.yml", "_toc.yml", "requirements.lock", "book/a.md", "data/a b.csv", "moelaws/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "_build").mkdir()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))
    assert build.build(tmp_path).returncode == 0
    assert build.is_current(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["_toc.yml", "book/a.md", "data/a b.csv", "moelaws/a.py", "chapters/new.ipynb"])
def test_a_change_makes_the_site_stale(project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("changed", encoding="utf-8")
    assert not build.is_current(project)


def test_a_renamed_page_makes_the_site_stale(project):
    (project / "book/a.md").rename(project / "book/b.md")
    assert not build.is_current(project)


@pytest.mark.parametrize("name", ["data/.#a b.csv", "book/.a.md.swp", "moelaws/__pycache__/a.pyc", "tests/a.py"])
def test_what_no_page_is_made_from_leaves_it_fresh(project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).symlink_to("someone@machine:1")  # as editors lock a file
    assert build.is_current(project)


@pytest.mark.parametrize("name", ["data/a b c.csv", "chapters/it's.md~", "book/#a#", "data/é\nü.csv"])
def test_any_name_is_taken(project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).touch()
    assert not build.is_current(project)
    build.build(project)
    assert build.is_current(project)


def test_a_failed_build_is_not_taken_for_a_site(project, monkeypatch):
    (project / "_toc.yml").touch()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    assert build.build(project).returncode == 1
    assert not build.is_current(project)
