"""The one catalogue of errors.

TremplinError                  anything a user or a client of ours can be told
├── NotFound                   the thing asked for is not there
├── Conflict                   its state forbids what was asked
├── Invalid                    a value is wrong; `fields` says which
├── Denied                     the caller may not
└── Unavailable                busy or too slow; trying again may help

Domain code raises; only an edge (page, API, CLI, gateway) turns an error into a page, a
problem body, an exit status or a close code. A `Entry` is written once: stable code,
HTTP status, exit status, English and French, in `error_texts`. Installer failures come from
`tremplin_agent.codes`, which must know their words where there is no server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tremplin_agent.codes import FAILURES, Code

from tremplin_server.error_texts import SUBJECTS, Entry
from tremplin_server.field_messages import translated

CATALOGUE: dict[str, Entry] = {
    code: entry for subject in SUBJECTS for code, entry in subject.ENTRIES.items()
}

_STATUS_OF_FAILURE = {
    Code.INSTALL_KEY_UNKNOWN: 404,
    Code.INSTALL_BAD_VALUE: 422,
    Code.INSTALL_OVERRIDE_DENIED: 403,
    Code.ENROL_NOT_ALLOWED: 403,
}
for _code, _failure in FAILURES.items():
    CATALOGUE[_code.value] = Entry(
        _STATUS_OF_FAILURE.get(_code, 409), _failure.exit_status, _failure.en, _failure.fr
    )


class TremplinError(Exception):
    """An error of the catalogue.

    code: a key of CATALOGUE. parameters: the values of its template; never a secret.
    """

    def __init__(self, code: str, **parameters: object) -> None:
        self.code = code
        self.entry = CATALOGUE[code]
        self.parameters = parameters
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        """Return the message in `language`, a code such as `fr` or `en-us`."""
        template = self.entry.fr if language.lower().startswith("fr") else self.entry.en
        return template.format(**self.parameters)

    def details(self) -> dict[str, object]:
        """Return what a program is told besides the message: JSON values by their names."""
        return {}


class NotFound(TremplinError):
    """The thing asked for is not there."""


class Conflict(TremplinError):
    """The state of the thing forbids what was asked."""


class Denied(TremplinError):
    """The caller may not do this."""


class Unavailable(TremplinError):
    """Busy or too slow; trying again may help. retry_after is in seconds."""

    retry_after: int = 1


class Invalid(TremplinError):
    """One or more values are wrong.

    fields: field name → messages, in the form of the API's 422 body.
    """

    def __init__(self, fields: Mapping[str, Sequence[str]], code: str = "request.invalid") -> None:
        self.fields = {name: list(messages) for name, messages in fields.items()}
        super().__init__(code)

    def fields_in(self, language: str) -> dict[str, list[str]]:
        """Return `fields` with the messages in `language`."""
        return {
            name: [translated(message, language) for message in messages]
            for name, messages in self.fields.items()
        }

    def text(self, language: str) -> str:
        details = "; ".join(f"{k}: {', '.join(v)}" for k, v in self.fields_in(language).items())
        head = super().text(language)
        return f"{head} ({details})" if details else head
