"""What programs look up before they refer to it by id: roles and policies."""

from __future__ import annotations

import pytest

from tests.personas import Api

LISTS = {
    "/jump-item-role": ("name", ["Technician", "Start Sessions Only", "No Access"]),
    "/jump-policy": ("code_name", ["default"]),
    "/session-policy": ("code_name", ["default"]),
}


@pytest.mark.parametrize("path", LISTS)
def test_listed_and_found_by_name(api: Api, path: str) -> None:
    key, names = LISTS[path]
    answer = api.get(path)
    assert [item[key] for item in answer.json] == names
    assert answer.headers["X-BT-Pagination-Total"] == str(len(names))
    found = api.get(path, query_string={key: names[0].upper()}).json
    assert [item[key] for item in found] == names[:1]
    assert api.get(path, query_string={key: "nobody"}).json == []
