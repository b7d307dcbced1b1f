"""The kernel that runs a chapter: the same whoever starts it, the executor or the tests.

Nothing of a user's own settings reaches it (backend and style of figures, warnings, IPython's profile, locale, time
zone), as each of them changes what a chapter shows. It loads :mod:`kernel_extension`, which records what the chapter
read and describes what it drew.
"""

import os
import tempfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parent

# Where things are, and how far the processor may be used; nothing else is taken over.
KEPT = [
    "PATH",
    "HOME",
    "TMPDIR",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "MOELAWS_DATA",
    "XDG_CACHE_HOME",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PYTHONDONTWRITEBYTECODE",
]

ARGUMENTS = [
    # At start a kernel warns about its transport, which here is this machine's own.
    "--log-level=ERROR",
    "--HistoryManager.enabled=False",
    "--InteractiveShellApp.extra_extensions=kernel_extension",
]


# Made once, before threads start kernels: what a second one makes is removed as soon as nobody holds it.
_EMPTY = tempfile.TemporaryDirectory(prefix="moelaws-kernel-")


def environment() -> dict[str, str]:
    """Return the environment of a kernel; ``MOELAWS_THREADS`` is its number of threads, one if it is not set."""
    empty = Path(_EMPTY.name)
    (empty / "matplotlibrc").touch()
    # Sums taken by several threads differ in their last digits.
    threads = os.environ.get("MOELAWS_THREADS", "1")
    own = {
        "IPYTHONDIR": str(empty),
        "LC_ALL": "C.UTF-8",
        "MATPLOTLIBRC": str(empty / "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(TOOLS)])),
        "PYTHONUTF8": "1",
        "TZ": "UTC",
        **dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"], threads),
    }
    return {name: os.environ[name] for name in KEPT if name in os.environ} | own
