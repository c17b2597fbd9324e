"""The README shows the examples that the tests play, and the licences are as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

COLLECTION = Path(__file__).parents[3] / "ansible_collection"
EXAMPLES = sorted((COLLECTION / "docs" / "examples").glob("*.yml"))
README = (COLLECTION / "README.md").read_text("utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_shows_the_example(example: Path) -> None:
    content = example.read_text("utf-8").removeprefix("---\n")
    assert f"```yaml\n{content}```" in README
    assert example.name in README


LICENCES = {
    "plugins/modules": "GPL-3.0-or-later",
    "plugins/inventory": "GPL-3.0-or-later",
    "plugins/action": "GPL-3.0-or-later",
    "plugins/doc_fragments": "GPL-3.0-or-later",
    "plugins/module_utils": "Apache-2.0",
}


@pytest.mark.parametrize("directory", LICENCES)
def test_every_file_names_its_licence(directory: str) -> None:
    licence = LICENCES[directory]
    assert (COLLECTION / "LICENSES" / f"{licence}.txt").exists()
    for path in (COLLECTION / directory).glob("*.py"):
        assert f"SPDX-License-Identifier: {licence}\n" in path.read_text("utf-8"), path
