"""The differ looks at what a task asks for, and at nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tremplin.jump.plugins.module_utils import differ

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing asked": ({}, {"tag": "a"}, {}),
    "the same": ({"tag": "a"}, {"tag": "a", "id": 1}, {}),
    "another": ({"tag": "b"}, {"tag": "a"}, {"tag": "b"}),
    "not there": ({"tag": "b"}, {}, {"tag": "b"}),
    "taken away": ({"jump_policy_id": None}, {"jump_policy_id": 2}, {"jump_policy_id": None}),
    "zero is not no": ({"ephemeral": False}, {"ephemeral": 0}, {"ephemeral": False}),
    "nested, extra key": ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, {}),
    "nested, changed": ({"a": {"x": 2}}, {"a": {"x": 1, "y": 2}}, {"a": {"x": 2}}),
    "list as a whole": ({"a": [1]}, {"a": [1, 2]}, {"a": [1]}),
}


@pytest.mark.parametrize("case", CASES)
def test_changes(case: str) -> None:
    desired, current, changed = CASES[case]
    assert differ.changes(desired, current) == changed
    shown = differ.diff(desired, current)
    assert shown["after"] == changed
    assert set(shown["before"]) == set(changed)
