# SPDX-License-Identifier: Apache-2.0
# A copy of ansible_collection/plugins/module_utils/differ.py, written by .ci/salt-shared.
"""Compares what a task asks for with what is there, and nothing else."""

from __future__ import annotations

from typing import Any


def changes(desired: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """Return the items of `desired` whose value in `current` is another one.

    Keys that only `current` has do not count, in nested dictionaries neither; lists are
    compared as a whole.
    """
    return {name: value for name, value in desired.items() if not _holds(value, current.get(name))}


def diff(desired: dict[str, Any], current: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the diff of the changed keys: {before, after}, both empty if none."""
    changed = changes(desired, current)
    return {"before": {name: current.get(name) for name in changed}, "after": changed}


def _holds(desired: object, current: object) -> bool:
    if isinstance(desired, dict) and isinstance(current, dict):
        return not changes(desired, current)
    return desired == current and isinstance(desired, bool) == isinstance(current, bool)
