"""The site that the tests look at, built anew where it is older than its sources."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = Path("_build", "html")


def build(root):
    """Build the site strictly, as ``make book`` does, and return the finished process."""
    shutil.rmtree(root / SITE, ignore_errors=True)
    shutil.rmtree(root / "_build" / ".doctrees", ignore_errors=True)
    return build_changed(root)


def build_changed(root):
    """Build, strictly, the pages that changed since the last build."""
    book = Path(sys.executable).with_name("jupyter-book")
    strict = ["--warningiserror", "--nitpick", "--keep-going", "--quiet"]
    return subprocess.run([book, "build", *strict, "."], cwd=root, capture_output=True, text=True)


def is_current(root):
    """Tell whether the site is newer than everything it is made from."""
    finished = root / SITE / "searchindex.js"  # written last
    sources = [
        root / "_config.yml",
        root / "_toc.yml",
        *(root / "book").rglob("*.*"),
        *(root / "chapters").glob("*.ipynb"),
        *(root / "moelaws").rglob("*.py"),
    ]
    return finished.exists() and finished.stat().st_mtime >= max(path.stat().st_mtime for path in sources)
