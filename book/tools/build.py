"""Build the site in _build/html, if anything that it is made from changed since the last build."""

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["_config.yml", "_toc.yml", "requirements.lock", "book", "chapters", "data", "moelaws"]
# The build is strict: each warning is an error.
COMMAND = ["build", "--all", "--warningiserror", "--nitpick", "--keep-going", "--quiet", "."]


def state(root):
    """Return a hash of the names and contents of all that the site is made from."""
    total = sha256()
    for path in sorted(path for name in SOURCES for path in [root / name, *(root / name).rglob("*")]):
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(root).parts)
        if path.is_file() and not hidden:
            total.update(f"{path.relative_to(root).as_posix()}\n{sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def is_current(root):
    """Tell whether the site was made from today's sources."""
    done = root / "_build" / ".built"
    return done.exists() and done.read_text(encoding="utf-8") == state(root)


def build(root):
    """Build the site strictly and return the finished process."""
    # A strict build reports only the pages that it reads again, so it starts from nothing.
    for made in ("html", ".doctrees", ".built"):
        target = root / "_build" / made
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
    before = state(root)
    finished = subprocess.run([Path(sys.executable).with_name("jupyter-book"), *COMMAND], cwd=root)
    if finished.returncode == 0:
        (root / "_build" / ".built").write_text(before, encoding="utf-8")
    return finished


if __name__ == "__main__":
    if not is_current(ROOT) and build(ROOT).returncode:
        sys.exit("Error: the site was not built; its warnings and errors stand above.")
    print("The site is at _build/html/index.html")
