"""Makes the formula's package importable, as `_utils/tremplin.py` does for Salt."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

FORMULA = Path(__file__).parents[3] / "salt_formula"
sys.path.insert(0, str(FORMULA / "_utils"))
COLLECTION = FORMULA.parent / "ansible_collection"
for name, place in {
    "ansible_collections": COLLECTION.parent / "no-such-directory",
    "ansible_collections.tremplin": COLLECTION.parent / "no-such-directory",
    "ansible_collections.tremplin.jump": COLLECTION,
}.items():
    package = ModuleType(name)
    package.__path__ = [str(place)]
    sys.modules.setdefault(name, package)


@contextmanager
def without_salts_ways() -> Iterator[None]:
    """Let Salt be imported: it warns of old modules, and leaves an importer of its own behind."""
    finders = list(sys.meta_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    sys.meta_path[:] = finders


@pytest.fixture
def loaded() -> Callable[..., ModuleType]:
    """Load one of the formula's files with the names that Salt's loader gives it."""

    def load(path: str, **names: object) -> ModuleType:
        spec = importlib.util.spec_from_file_location(
            "loaded_" + path.replace("/", "_"), FORMULA / path
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        for name, value in names.items():
            setattr(module, f"__{name}__", value)
        with without_salts_ways():
            spec.loader.exec_module(module)
        return module

    return load
