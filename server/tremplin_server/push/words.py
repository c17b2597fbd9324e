"""What a push says while it goes on, in English and French: steps, results, reasons.

The command line has no catalogue of messages, so these words stand here in both languages,
as those of errors do.
"""

from __future__ import annotations

import re

from tremplin_server.push.plan import Outcome, Step

_STEPS = {
    Step.CONNECTING: ("connecting", "connexion"),
    Step.LOOKING: ("looking at the host", "examen de la machine"),
    Step.UNINSTALLING: ("uninstalling", "désinstallation"),
    Step.UPLOADING: ("uploading", "envoi de l'installeur"),
    Step.INSTALLING: ("installing", "installation"),
    Step.ENROLLING: ("waiting for the agent", "attente de l'agent"),
    Step.COMING_ONLINE: ("waiting to be online", "attente de la mise en ligne"),
    Step.CHANGING: ("changing properties", "modification des propriétés"),
    Step.VERIFYING: ("verifying", "vérification"),
}
_OUTCOMES = {
    Outcome.INSTALLED: ("installed", "installé"),
    Outcome.REINSTALLED: ("reinstalled", "réinstallé"),
    Outcome.UPDATED: ("updated", "mis à jour"),
    Outcome.STARTED: ("started", "démarré"),
    Outcome.UNCHANGED: ("unchanged", "inchangé"),
    Outcome.REMOVED: ("removed", "supprimé"),
    Outcome.ABSENT: ("absent", "absent"),
    Outcome.FAILED: ("failed", "échec"),
}
_WAITING = ("waiting", "en attente")
_REASONS = (
    (re.compile(r"changed: (.+)"), r"modifié : \1"),
    (re.compile(r"the installation is incomplete"), "l'installation est incomplète"),
    (re.compile(r"the server has no record of it"), "le serveur n'en a pas de fiche"),
    (re.compile(r"the record is (\w+)"), r"la fiche est dans l'état \1"),
    (
        re.compile(r"the record is that of another installation"),
        "la fiche est celle d'une autre installation",
    ),
)


def step(value: Step, language: str) -> str:
    """Return the word for what is being done."""
    return _of(_STEPS[value], language)


def outcome(value: Outcome, language: str) -> str:
    """Return the word for how a host stands."""
    return _of(_OUTCOMES[value], language)


def waiting(language: str) -> str:
    """Return the word for a host whose turn has not come."""
    return _of(_WAITING, language)


def reason(text: str, language: str) -> str:
    """Return why something was done; `text` is as the plan says it."""
    if not language.lower().startswith("fr"):
        return text
    for pattern, french in _REASONS:
        found = pattern.fullmatch(text)
        if found:
            return found.expand(french)
    return text


def _of(pair: tuple[str, str], language: str) -> str:
    return pair[1] if language.lower().startswith("fr") else pair[0]
