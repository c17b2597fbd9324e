"""Makes the collection importable under the name that Ansible gives it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

COLLECTION = Path(__file__).parents[3] / "ansible_collection"
PLACES = {
    "ansible_collections": COLLECTION.parent / "no-such-directory",
    "ansible_collections.tremplin": COLLECTION.parent / "no-such-directory",
    "ansible_collections.tremplin.jump": COLLECTION,
}

for name, place in PLACES.items():
    package = ModuleType(name)
    package.__path__ = [str(place)]
    sys.modules.setdefault(name, package)
