"""What axe-core finds wrong with a page for people who cannot see it, or use no mouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
_RUN = "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)"


def findings(page: Page) -> list[str]:
    """Return the serious findings on what `page` shows: rule, element, what is wrong."""
    # Evaluated, not added as an element: the page's own policy would refuse that.
    page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [
        f"{rule['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]
