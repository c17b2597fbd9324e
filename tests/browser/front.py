"""The bundles of the pages, as the server under test serves them."""

from __future__ import annotations

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def build() -> None:
    """Bundle the scripts of the pages unless they are new enough."""
    subprocess.run([REPOSITORY / ".ci/front"], check=True, capture_output=True, cwd=REPOSITORY)
