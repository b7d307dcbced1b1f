"""What a measurement says of the machine that it was made on."""

import platform
from pathlib import Path


def processor() -> str:
    """Return what the processor is called: its model's name where the system tells it, or else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
