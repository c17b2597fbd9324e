"""What Jump Policies say, rule by rule; `policies.refusal` puts the sentences together."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
    "jump.policy": Entry(
        409, 3, "the Jump Policy does not allow this session now",
        "la Jump Policy n'autorise pas cette session pour l'instant",
    ),
    "approval.own": Entry(
        403, 5, "nobody decides a request of his own; ask another approver",
        "personne ne décide de sa propre demande ; adressez-vous à un autre approbateur",
    ),
    "approval.decided": Entry(
        409, 3, "{name} has decided this request already",
        "{name} a déjà décidé de cette demande",
    ),
    "approval.expired": Entry(
        409, 3, "the time of this request is over; the technician has to ask again",
        "le délai de cette demande est passé ; le technicien doit la renouveler",
    ),
    "session.not_granted": Entry(
        403, 5, "the session policy {policy} grants nothing of what this session is for",
        "la règle de session {policy} n'accorde rien de ce que cette session demande",
    ),
    "session.policy_closed": Entry(
        409, 3, "the hours that the Jump Policy allows are over",
        "les heures que la Jump Policy autorise sont passées",
    ),
}  # fmt: skip

SENTENCES: dict[str, tuple[str, str]] = {
    "schedule": (
        "the Jump Policy {policy} allows no session at this hour; it opens {when}",
        "la Jump Policy {policy} n'autorise pas de session à cette heure ; elle ouvre {when}",
    ),
    "schedule_never": (
        "the Jump Policy {policy} allows no session: its schedule never opens; "
        "ask an administrator",
        "la Jump Policy {policy} n'autorise aucune session : son horaire n'ouvre jamais ; "
        "demandez à un administrateur",
    ),
    "simultaneous": (
        "the Jump Policy {policy} lets one technician in at a time, and somebody is there; "
        "try again when that session has ended",
        "la Jump Policy {policy} n'admet qu'un technicien à la fois, et quelqu'un est déjà là ; "
        "réessayez quand cette session sera terminée",
    ),
    "factor_none": (
        "the Jump Policy {policy} wants a second factor, and this account has none; a person sets "
        "one up under My account, a program cannot have one",
        "la Jump Policy {policy} exige un second facteur, et ce compte n'en a pas ; une personne "
        "en installe un sous Mon compte, un programme ne peut en avoir",
    ),
    "needs": (
        "the Jump Policy {policy} asks for {things}",
        "la Jump Policy {policy} demande {things}",
    ),
    "approval_asked": (
        "the Jump Policy {policy} asks for an approval: request {number} was sent to those who "
        "decide; try again once it is approved",
        "la Jump Policy {policy} demande une approbation : la demande {number} est partie aux "
        "approbateurs ; réessayez quand elle sera approuvée",
    ),
    "reason": ("a reason", "un motif"),
    "ticket": ("a ticket id", "un numéro de ticket"),
    "factor": (
        "a code of your authenticator app", "un code de votre application d'authentification"
    ),
    "approval": ("an approval", "une approbation"),
    "when": ("on {moment} ({zone})", "{moment} ({zone})"),
    "warning": (
        "this session ends in {minutes} min: {why}",
        "cette session se termine dans {minutes} min : {why}",
    ),
}  # fmt: skip


def sentence(key: str, language: str, **values: object) -> str:
    """Return a sentence in `language`, a code such as `fr` or `en-us`."""
    english, french = SENTENCES[key]
    return (french if language.lower().startswith("fr") else english).format(**values)
