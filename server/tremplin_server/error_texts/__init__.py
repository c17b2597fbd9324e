"""The rows of the catalogue of errors, a module a subject; `tremplin_server.errors` joins them."""

from __future__ import annotations

from tremplin_server.error_texts import (
    accounts,
    attending,
    clients,
    policies,
    push,
    requests,
    roles,
    sessions,
    support,
    updates,
)
from tremplin_server.error_texts.entry import Entry

SUBJECTS = (
    requests,
    accounts,
    roles,
    policies,
    clients,
    sessions,
    support,
    attending,
    push,
    updates,
)

__all__ = ["SUBJECTS", "Entry"]
