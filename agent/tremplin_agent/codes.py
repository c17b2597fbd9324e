"""The codes that agent and server say to each other, and the installer's own failures.

A code is stable: scripts match on it. Agents send codes and the server owns the words;
the installer must also speak where there is no server, so the words of its failures
stand here, with their exit statuses, and the server's catalogue takes them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Dict


class Code(str, Enum):
    """Every code that can cross the wire or end an installer."""

    LIMIT_TOTAL = "limit.total"
    LIMIT_ACTIVE = "limit.active"
    CLIENT_MISSING = "client.missing"
    CLIENT_UNINSTALLED = "client.uninstalled"
    ENROL_CLONE = "enrol.clone"
    ENROL_DUPLICATE_REFUSED = "enrol.duplicate_refused"
    ENROL_WINDOW_CLOSED = "enrol.window_closed"
    ENROL_KEY_REPLACED = "enrol.key_replaced"
    ENROL_BUSY = "enrol.busy"
    ENROL_BAD_PROOF = "enrol.bad_proof"
    ENROL_NOT_ALLOWED = "enrol.not_allowed"
    JUMP_DISABLED = "jump.disabled"
    JUMP_HOST_BUSY = "jump.host_busy"
    JUMP_INTERNAL = "jump.internal"
    SESSION_IDLE = "session.idle"
    SESSION_TIME_UP = "session.time_up"
    SESSION_HOST_LOST = "session.host_lost"
    SESSION_DISABLED = "session.disabled"
    SESSION_REMOVED = "session.removed"
    SESSION_WITHDRAWN = "session.withdrawn"
    SESSION_SUPPORT_OVER = "session.support_over"
    SUPPORT_CUSTOMER_ENDED = "support.customer_ended"
    PIN_REFUSED = "pin.refused"
    PROTOCOL_VERSION = "protocol.version"
    PROTOCOL_ERROR = "protocol.error"
    INSTALL_USAGE = "install.usage"
    INSTALL_DIR_EXISTS = "install.dir_exists"
    INSTALL_DIR_NOT_WRITABLE = "install.dir_not_writable"
    INSTALL_USER_MISSING = "install.user_missing"
    INSTALL_USER_NO_RIGHTS = "install.user_no_rights"
    INSTALL_ROOT_NEEDS_USER = "install.root_needs_user"
    INSTALL_NEEDS_ROOT = "install.needs_root"
    INSTALL_KEY_MISSING = "install.key_missing"
    INSTALL_KEY_DAMAGED = "install.key_damaged"
    INSTALL_KEY_EXPIRED = "install.key_expired"
    INSTALL_KEY_UNKNOWN = "install.key_unknown"
    INSTALL_KEY_EXHAUSTED = "install.key_exhausted"
    INSTALL_OVERRIDE_DENIED = "install.override_denied"
    INSTALL_BAD_VALUE = "install.bad_value"
    INSTALL_SERVER_UNREACHABLE = "install.server_unreachable"
    INSTALL_SERVER_UNTRUSTED = "install.server_untrusted"
    INSTALL_PYTHON_MISSING = "install.python_missing"
    INSTALL_PLATFORM = "install.platform"
    INSTALL_NO_SPACE = "install.no_space"
    INSTALL_STARTUP = "install.startup"
    INSTALL_INTERNAL = "install.internal"


@dataclass(frozen=True)
class Failure:
    """How the installer ends: its exit status and its one line in both languages.

    The texts are `str.format` templates; each names its parameters in braces.
    """

    exit_status: int
    en: str
    fr: str


FAILURES: Dict[Code, Failure] = {
    Code.INSTALL_USAGE: Failure(
        2,
        "{detail}; run with --help to see the parameters",
        "{detail} ; --help donne la liste des paramètres",
    ),
    Code.INSTALL_BAD_VALUE: Failure(
        3,
        "{parameter}: {detail}",
        "{parameter} : {detail}",
    ),
    Code.INSTALL_DIR_EXISTS: Failure(
        10,
        "{path} already exists; choose a new directory with --install-dir",
        "{path} existe déjà ; indiquez un nouveau répertoire avec --install-dir",
    ),
    Code.INSTALL_DIR_NOT_WRITABLE: Failure(
        11,
        "{path} cannot be created: {detail}",
        "impossible de créer {path} : {detail}",
    ),
    Code.INSTALL_USER_MISSING: Failure(
        12,
        "the user {user} does not exist on this host; create it first or name another with --user",
        "l'utilisateur {user} n'existe pas sur cette machine ; "
        "créez-le d'abord ou indiquez-en un autre avec --user",
    ),
    Code.INSTALL_USER_NO_RIGHTS: Failure(
        13,
        "the user {user} has no rights on {path}; give it access to every parent directory",
        "l'utilisateur {user} n'a pas de droits sur {path} ; "
        "donnez-lui accès à tous les répertoires parents",
    ),
    Code.INSTALL_ROOT_NEEDS_USER: Failure(
        14,
        "root must say who runs the Jump Client: --user NAME, or --scope system",
        "root doit indiquer qui exécute le Jump Client : --user NOM, ou --scope system",
    ),
    Code.INSTALL_NEEDS_ROOT: Failure(
        15,
        "{parameter} needs root; run the installer as root or leave it out",
        "{parameter} exige root ; lancez l'installeur en root ou retirez ce paramètre",
    ),
    Code.INSTALL_KEY_MISSING: Failure(
        20,
        "this generic installer needs --key-info; take it from the installer page of the server",
        "cet installeur générique exige --key-info ; prenez-le sur la page des installeurs",
    ),
    Code.INSTALL_KEY_DAMAGED: Failure(
        21,
        "the key info is damaged or incomplete; copy it again, whole",
        "la clé d'installation est abîmée ou incomplète ; recopiez-la en entier",
    ),
    Code.INSTALL_KEY_EXPIRED: Failure(
        22,
        "the validity of this installer is over; create a new one on the server",
        "la validité de cet installeur est dépassée ; créez-en un nouveau sur le serveur",
    ),
    Code.INSTALL_KEY_UNKNOWN: Failure(
        23,
        "the server does not know this installer, or it was revoked; create a new one",
        "le serveur ne connaît pas cet installeur, ou il a été révoqué ; créez-en un nouveau",
    ),
    Code.INSTALL_KEY_EXHAUSTED: Failure(
        24,
        "this installer has reached its number of uses; create a new one on the server",
        "cet installeur a atteint son nombre d'utilisations ; créez-en un nouveau sur le serveur",
    ),
    Code.INSTALL_OVERRIDE_DENIED: Failure(
        25,
        "the installer does not allow {parameter} to be set at installation",
        "l'installeur n'autorise pas {parameter} à l'installation",
    ),
    Code.INSTALL_SERVER_UNREACHABLE: Failure(
        30,
        "the server cannot be reached: {detail}",
        "le serveur est injoignable : {detail}",
    ),
    Code.INSTALL_SERVER_UNTRUSTED: Failure(
        31,
        "the server's certificate is not the one this installer was made for: {detail}",
        "le certificat du serveur n'est pas celui prévu par cet installeur : {detail}",
    ),
    Code.INSTALL_PYTHON_MISSING: Failure(
        40,
        "no CPython 3.9 or newer was found; install the package python3 "
        "(on a Mac: xcode-select --install) and try again",
        "aucun CPython 3.9 ou plus récent ; installez le paquet python3 "
        "(sur un Mac : xcode-select --install) et recommencez",
    ),
    Code.INSTALL_PLATFORM: Failure(
        41,
        "this installer is made for {wanted}, and this host is {found}",
        "cet installeur est fait pour {wanted}, et cette machine est {found}",
    ),
    Code.INSTALL_NO_SPACE: Failure(
        42,
        "no space left in {path}",
        "il n'y a plus de place dans {path}",
    ),
    Code.INSTALL_STARTUP: Failure(
        43,
        "registration at boot by {manager} failed: {detail}",
        "l'inscription au démarrage par {manager} a échoué : {detail}",
    ),
    Code.LIMIT_TOTAL: Failure(
        50,
        "the site has reached its number of Jump Clients",
        "le nombre total de Jump Clients du site est atteint",
    ),
    Code.LIMIT_ACTIVE: Failure(
        51,
        "the site has reached its number of active Jump Clients",
        "le nombre total de Jump Clients actifs du site est atteint",
    ),
    Code.ENROL_DUPLICATE_REFUSED: Failure(
        52,
        "this machine already has a Jump Client, and the installer refuses a second one",
        "cette machine a déjà un Jump Client, et l'installeur en refuse un second",
    ),
    Code.ENROL_NOT_ALLOWED: Failure(
        53,
        "this installer may not take over the record that has this name or key",
        "cet installeur n'a pas le droit de reprendre la fiche qui porte ce nom ou cette clé",
    ),
    Code.ENROL_WINDOW_CLOSED: Failure(
        54,
        "the first start came after the validity of the installer; deploy again",
        "premier démarrage après la fin de validité de l'installeur ; déployez à nouveau",
    ),
    Code.INSTALL_INTERNAL: Failure(
        70,
        "unexpected failure: {detail}",
        "échec inattendu : {detail}",
    ),
}
"""The installer's failures, the server's refusals at enrolment among them."""
