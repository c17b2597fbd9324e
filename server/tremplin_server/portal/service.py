"""What the portal says, for everybody; changing it, for administrators."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import load_only

from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, NotFound
from tremplin_server.permissions import Permission
from tremplin_server.portal import picture
from tremplin_server.portal.models import PortalLogo, PortalText

LANGUAGES = ("en", "fr")
MAX_TITLE = 120
MAX_BODY = 4000
_THE_LOGO = 1


@dataclass(frozen=True, slots=True)
class Words:
    """What is said in one language. body: paragraphs stand between empty lines."""

    title: str = ""
    body: str = ""

    @property
    def paragraphs(self) -> list[str]:
        """The paragraphs of the body."""
        return [part.strip() for part in self.body.split("\n\n") if part.strip()]


@dataclass(frozen=True, slots=True)
class Portal:
    """All of it. logo: without its content."""

    words: Mapping[str, Words]
    logo: PortalLogo | None = None


def portal(work: Work) -> Portal:
    """Return what the portal says; it is public."""
    rows = {row.language: row for row in work.session.scalars(select(PortalText))}
    words = {
        name: Words(rows[name].title, rows[name].body) if name in rows else Words()
        for name in LANGUAGES
    }
    without_content = load_only(
        PortalLogo.mimetype, PortalLogo.sha256, PortalLogo.width, PortalLogo.height
    )
    logo = work.session.scalar(select(PortalLogo).options(without_content))
    return Portal(words, logo)


def logo(work: Work, sha256: str) -> PortalLogo:
    """Return the logo with that digest; NotFound when the portal has another one, or none."""
    found = work.session.get(PortalLogo, _THE_LOGO)
    if found is None or found.sha256 != sha256:
        raise NotFound("request.not_found", what="logo", id=sha256)
    return found


def change_words(work: Work, words: Mapping[str, Words]) -> None:
    """Say something else in the languages of `words`; needs accounts.write.

    The same again changes nothing. Raises Invalid; its fields are `title_en`, `body_fr`, ….
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    good = {language: _tidy(given) for language, given in words.items()}
    _require_good(good)
    for language, now in good.items():
        row = work.session.get(PortalText, language)
        before = Words(row.title, row.body) if row else Words()
        if before == now:
            continue
        if row is None:
            row = PortalText(language=language, changed_at=work.now(), changed_by="")
            work.session.add(row)
        row.title, row.body = now.title, now.body
        row.changed_at, row.changed_by = work.now(), work.actor.name
        audit.record(
            work,
            "portal.text_changed",
            "portal",
            0,
            language,
            before={"title": before.title, "body": before.body},
            now={"title": now.title, "body": now.body},
        )
    work.session.flush()


def set_logo(work: Work, data: bytes) -> PortalLogo:
    """Show the picture in `data`; needs accounts.write.

    Raises Invalid (logo) when it is no picture that may be shown.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    try:
        found = picture.checked(data)
    except ValueError as error:
        raise Invalid({"logo": [str(error)]}) from error
    digest = hashlib.sha256(found.content).hexdigest()
    row = work.session.get(PortalLogo, _THE_LOGO)
    if row is not None and row.sha256 == digest:
        return row
    if row is None:
        row = PortalLogo(id=_THE_LOGO)
        work.session.add(row)
    row.mimetype, row.content, row.sha256 = found.mimetype, found.content, digest
    row.width, row.height = found.width, found.height
    row.changed_at, row.changed_by = work.now(), work.actor.name
    audit.record(
        work,
        "portal.logo_changed",
        "portal",
        0,
        found.mimetype,
        sha256=digest,
        bytes=len(found.content),
        pixels=f"{found.width}x{found.height}",
    )
    work.session.flush()
    return row


def remove_logo(work: Work) -> None:
    """Show no logo any more; needs accounts.write. Without one nothing happens."""
    work.actor.require(Permission.ACCOUNTS_WRITE)
    row = work.session.get(PortalLogo, _THE_LOGO)
    if row is not None:
        work.session.delete(row)
        audit.record(work, "portal.logo_removed", "portal", 0, sha256=row.sha256)
        work.session.flush()


def _tidy(given: Words) -> Words:
    body = given.body.replace("\r\n", "\n").replace("\r", "\n")
    lines = "\n".join(line.rstrip() for line in body.split("\n"))
    return Words(" ".join(given.title.split()), lines.strip("\n"))


def _require_good(words: Mapping[str, Words]) -> None:
    wrong: dict[str, list[str]] = {}
    for language, given in words.items():
        if language not in LANGUAGES:
            wrong[f"title_{language}"] = ["Unknown field."]
            continue
        for name, text, most in (
            ("title", given.title, MAX_TITLE),
            ("body", given.body, MAX_BODY),
        ):
            if len(text) > most:
                wrong[f"{name}_{language}"] = [f"Longer than maximum length {most}."]
            elif not all(char.isprintable() or char in "\n\t" for char in text):
                wrong[f"{name}_{language}"] = ["control characters are not allowed"]
    if wrong:
        raise Invalid(wrong)
