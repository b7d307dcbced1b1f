"""Run the stored chapters as other processors do: without the newest instructions, and with two threads.

OpenBLAS is told to use the code of a processor of 2011, and NumPy to leave out all that it chooses at run time.
"""

import os
import subprocess
import sys
from pathlib import Path

from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

ROOT = Path(__file__).resolve().parents[2]
# A name that NumPy does not know or that this processor lacks is an error in some versions.
NEW = " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))
SETTINGS = {
    "older processor": {"OPENBLAS_CORETYPE": "Sandybridge", "NPY_DISABLE_CPU_FEATURES": NEW},
    "two threads": {"MOELAWS_THREADS": "2"},
}


def main():
    """Compare all chapters under each setting, and end with an error if one differs."""
    failed = []
    for name, setting in SETTINGS.items():
        said = " ".join(f"{variable}={value!r}" for variable, value in setting.items())
        print(f"Chapters, {name}: {said}", flush=True)
        command = [sys.executable, "-m", "pytest", "-m", "slow or not slow", "chapters"]
        if subprocess.run(command, cwd=ROOT, env={**os.environ, **setting}).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"Error: chapters differ from what is stored ({', '.join(failed)}).")


if __name__ == "__main__":
    main()
