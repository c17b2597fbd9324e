# SPDX-License-Identifier: Apache-2.0
# A copy of ansible_collection/plugins/module_utils/errors.py, written by .ci/salt-shared.
"""What can go wrong between a module and the server.

TremplinError                  anything that ends a module; its text is for the operator
├── Unreachable                no answer came; trying again may help
│   └── Untrusted              the certificate is not the one that was expected
├── Ambiguous                  a name that several records have; `candidates` lists them
├── TimedOut                   a state that was waited for did not come in time
└── Refused                    the server answered with an error: `status`, `code`
    ├── Denied                 401 or 403
    ├── Missing                404
    ├── Conflict               409
    ├── Invalid                422; `fields` says which values and why
    └── Busy                   429 or 503; `retry_after` in seconds
"""

from __future__ import annotations

from typing import Any


class TremplinError(Exception):
    """The root; `facts` goes into the result of a module that fails."""

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a playbook may want to look at, as a dictionary."""
        return {}


class Unreachable(TremplinError):
    """No answer came."""


class Untrusted(Unreachable):
    """The certificate is not the one that was expected."""


class TimedOut(TremplinError):
    """A state that was waited for did not come in time."""


class Ambiguous(TremplinError):
    """A name that several records have."""

    def __init__(self, what: str, name: str, candidates: list[dict[str, Any]]) -> None:
        self.candidates = candidates
        listed = ", ".join(
            "{} ({})".format(
                candidate["id"], candidate.get("external_id") or candidate.get("hostname")
            )
            for candidate in candidates
        )
        super().__init__(
            f"{len(candidates)} {what} named {name!r} exist; say which by id: {listed}"
        )

    @property
    def facts(self) -> dict[str, Any]:
        return {"candidates": self.candidates}


class Refused(TremplinError):
    """The server answered with an error.

    status: of HTTP. code: the server's stable code, empty when a proxy answered.
    fields: name of a value -> list of messages.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str = "",
        fields: dict[str, list[str]] | None = None,
        retry_after: float = 0.0,
    ) -> None:
        self.status = status
        self.code = code
        self.fields = fields or {}
        self.retry_after = retry_after
        details = "; ".join(
            "{}: {}".format(name, ", ".join(texts)) for name, texts in self.fields.items()
        )
        super().__init__(f"{message} ({details})" if details else message)

    @property
    def facts(self) -> dict[str, Any]:
        return {"status": self.status, "code": self.code, "errors": self.fields}


class Denied(Refused):
    """The credentials are wrong, or they do not give this right."""


class Missing(Refused):
    """The thing asked for is not there."""


class Conflict(Refused):
    """The state of the thing forbids what was asked."""


class Invalid(Refused):
    """One or more values are wrong."""


class Busy(Refused):
    """Too many requests, or the server is not ready."""


BY_STATUS = {
    401: Denied,
    403: Denied,
    404: Missing,
    409: Conflict,
    422: Invalid,
    429: Busy,
    503: Busy,
}
