"""The letters about requests for approval: to those who decide, and to who asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from tremplin_server.accounts.models import User
from tremplin_server.accounts.service import language_of
from tremplin_server.db import Work
from tremplin_server.mail import service as mail
from tremplin_server.mail.service import Letter
from tremplin_server.sessions.approval_models import ApprovalState, JumpApproval

PAGE = "/console/approvals"
_WORDS = {
    "requested": (
        "Tremplin: {requester} asks for a session on {item}",
        "Tremplin : {requester} demande une session sur {item}",
    ),
    "approved": (
        "Tremplin: your session on {item} was approved",
        "Tremplin : votre session sur {item} est approuvée",
    ),
    "denied": (
        "Tremplin: your session on {item} was denied",
        "Tremplin : votre session sur {item} est refusée",
    ),
    "policy": ("Jump Policy: {policy}", "Jump Policy : {policy}"),
    "reason": ("Reason: {reason}", "Motif : {reason}"),
    "ticket": ("Ticket: {ticket}", "Ticket : {ticket}"),
    "by": ("Decided by: {by}", "Décision de : {by}"),
    "comment": ("Comment: {comment}", "Commentaire : {comment}"),
    "until": ("Valid until: {until}", "Valable jusqu'au : {until}"),
    "expires": ("To be decided by: {expires}", "À décider avant le : {expires}"),
    "page": ("{url}", "{url}"),
}


def requested(work: Work, approval: JumpApproval, approvers: Iterable[User]) -> None:
    """Tell the approvers of a request; whoever has no address is left out."""
    for user in approvers:
        _send(work, approval, user, "requested", ("policy", "reason", "ticket", "expires", "page"))


def decided(work: Work, approval: JumpApproval, requester: User | None) -> None:
    """Tell who asked what was decided."""
    subject = "approved" if approval.state == ApprovalState.APPROVED else "denied"
    if requester is not None:
        _send(work, approval, requester, subject, ("by", "comment", "until", "page"))


def _send(
    work: Work, approval: JumpApproval, user: User, subject: str, lines: Sequence[str]
) -> None:
    if not user.email_address or not work.config.smtp_host:
        return
    language = language_of(user) or work.config.language
    text = letter(approval, work.config.effective_public_urls[0] + PAGE, subject, lines, language)
    kind, number, name = approval.item_kind, approval.item_id, approval.item_name
    mail.queue(work, text, [user.email_address], kind, number, name)


def letter(
    approval: JumpApproval, url: str, subject: str, lines: Sequence[str], language: str
) -> Letter:
    """Return a letter in `language`; a line whose value is empty is left out."""
    french = language.lower().startswith("fr")
    values = {
        "requester": approval.requester,
        "item": approval.item_name,
        "policy": approval.policy_name,
        "reason": approval.reason,
        "ticket": approval.ticket_id,
        "by": approval.decided_by,
        "comment": approval.comment,
        "until": f"{approval.valid_until:%Y-%m-%d %H:%M} UTC" if approval.valid_until else "",
        "expires": f"{approval.expires_at:%Y-%m-%d %H:%M} UTC",
        "url": url,
    }
    shown = [
        _WORDS[line][french].format(**values)
        for line in lines
        if values["url" if line == "page" else line]
    ]
    body = "".join(f"<p>{escape(line)}</p>" for line in shown)
    page = f'<!doctype html><html lang="{"fr" if french else "en"}"><body>{body}</body></html>'
    return Letter(_WORDS[subject][french].format(**values), "\n".join(shown) + "\n", page)
