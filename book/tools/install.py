"""Install what requirements.lock lists into .venv, where that has changed or .venv is broken.

Only the standard library is at hand here, and an old Python has to get as far as the sentence that refuses it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

OLDEST = (3, 11)
VENV = ".venv"
PYTHON = os.path.join(VENV, "bin", "python")
DONE = os.path.join(VENV, ".installed")
WORKS = "import sys, pip; sys.exit(sys.version_info < (%d, %d))" % OLDEST  # noqa: UP031


def main():
    """Bring .venv up to date, or end with one sentence."""
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            "Error: moelaws needs Python 3.11 or newer, and %s is %s; name another one, for example: "  # noqa: UP031
            "make PYTHON=python3.12 book" % (sys.executable, version)
        )
    wanted, works = state(), usable()
    if works and os.path.exists(DONE) and read(DONE) == wanted:
        return
    if not works:
        create()
    if os.path.exists(DONE):
        os.remove(DONE)  # an interrupted installation is not taken for a finished one
    install()
    with open(DONE, "w", encoding="utf-8") as file:
        file.write(wanted)


def state():
    """Return a hash of what decides which versions are installed, and where the package lies."""
    parts = [read("requirements.lock"), read("pyproject.toml"), os.getcwd()]
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()


def read(path):
    """Return the text of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def usable():
    """Tell whether .venv has a Python that is new enough and a pip."""
    try:
        return (
            subprocess.run([PYTHON, "-c", WORKS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        )
    except OSError:
        return False


def create():
    """Make .venv anew; it takes its name only once it is whole."""
    if os.path.islink(VENV) or os.path.isfile(VENV):
        os.remove(VENV)
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode or not usable():
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit("Error: %s cannot make an environment with pip; install its venv and ensurepip." % sys.executable)  # noqa: UP031


def install():
    """Install by uv, in seconds; where uv cannot be had or fails, pip does it in a minute."""
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    packages = ["--no-deps", "-r", "requirements.lock", "-e", "."]
    uv = [PYTHON, "-m", "uv", "pip", "install", "-q", "--python", PYTHON]
    with tempfile.TemporaryFile() as said:
        if all(subprocess.run(command, stderr=said).returncode == 0 for command in ([*pip, "uv"], [*uv, *packages])):
            return
    if subprocess.run([*pip, *packages]).returncode:
        sys.exit("Error: the packages of requirements.lock could not be installed (see above); run make again.")


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    main()
