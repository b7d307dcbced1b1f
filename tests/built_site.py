"""The site that the tests look at, built anew where it is older than its sources."""

from pathlib import Path

import build as builder

ROOT = Path(__file__).resolve().parents[1]
SITE = Path("_build", "html")


def built(root):
    """Build the site, if its sources changed, and tell whether that succeeded."""
    return builder.is_current(root) or builder.build(root).returncode == 0
