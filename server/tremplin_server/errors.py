"""The one catalogue of errors.

TremplinError                  anything a user or a client of ours can be told
├── NotFound                   the thing asked for is not there
├── Conflict                   its state forbids what was asked
├── Invalid                    a value is wrong; `fields` says which
├── Denied                     the caller may not
└── Unavailable                busy or too slow; trying again may help

Domain code raises; only an edge (page, API, CLI, gateway) turns an error into a page, a
problem body, an exit status or a close code. A `Entry` is written once: stable code,
HTTP status, exit status, English and French. Installer failures come from
`tremplin_agent.codes`, which must know their words where there is no server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tremplin_agent.codes import FAILURES, Code

from tremplin_server.field_messages import translated


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the texts are `str.format` templates over the error's parameters."""

    status: int
    exit_status: int
    en: str
    fr: str


CATALOGUE: dict[str, Entry] = {
    "request.not_found": Entry(
        404, 4, "{what} {id} does not exist", "{what} {id} n'existe pas"
    ),
    "request.no_path": Entry(404, 4, "there is nothing at {path}", "il n'y a rien à {path}"),
    "request.invalid": Entry(
        422, 2, "one or more values are invalid", "une ou plusieurs valeurs sont invalides"
    ),
    "request.malformed": Entry(
        400, 2, "the request cannot be read: {detail}", "requête illisible : {detail}"
    ),
    "request.method": Entry(
        405, 2, "this method is not allowed here", "cette méthode n'est pas permise ici"
    ),
    "request.too_many": Entry(
        429, 6, "too many requests; try again in {seconds} s",
        "trop de requêtes ; réessayez dans {seconds} s",
    ),
    "request.too_large": Entry(
        413, 2, "the request body is too large", "le corps de la requête est trop grand"
    ),
    "request.form_expired": Entry(
        400, 2, "the form is too old or came from elsewhere; open the page again",
        "le formulaire est trop ancien ou vient d'ailleurs ; rouvrez la page",
    ),
    "request.internal": Entry(
        500, 70, "internal error; the log has it under request {request_id}",
        "erreur interne ; le journal la garde sous la requête {request_id}",
    ),
    "auth.required": Entry(
        401, 5, "sign in or send a valid access token", "connectez-vous ou envoyez un jeton valable"
    ),
    "auth.bad_credentials": Entry(
        401, 5, "the name or the secret is wrong", "le nom ou le secret est faux"
    ),
    "auth.locked": Entry(
        401, 5, "too many failed attempts; the account is locked until {until}",
        "trop d'échecs ; le compte est verrouillé jusqu'à {until}",
    ),
    "auth.disabled": Entry(401, 5, "this account is disabled", "ce compte est désactivé"),
    "auth.no_second_factor": Entry(
        401, 5, "this account has no second factor; use a registered key, or set one up in the "
        "console",
        "ce compte n'a pas de second facteur ; utilisez une clé enregistrée, ou ajoutez-en un "
        "dans la console",
    ),
    "auth.password_expired": Entry(
        401, 5, "choose a new password in the console first",
        "choisissez d'abord un nouveau mot de passe dans la console",
    ),
    "auth.address": Entry(
        403, 5, "this account may not sign in from {address}",
        "ce compte ne peut pas se connecter depuis {address}",
    ),
    "auth.denied": Entry(
        403, 5, "you do not have the right to do that ({permission})",
        "vous n'avez pas le droit de faire cela ({permission})",
    ),
    "limit.technicians": Entry(
        403, 3, "{limit} technicians are signed in already, which is as many as this site allows; "
        "wait for one to sign out, or ask an administrator",
        "{limit} techniciens sont déjà connectés, le maximum de ce site ; attendez que l'un d'eux "
        "se déconnecte ou demandez à un administrateur",
    ),
    "oidc.off": Entry(
        404, 4, "this site has no sign-in through a provider (setting oidc_issuer)",
        "ce site n'a pas de connexion par un fournisseur (réglage oidc_issuer)",
    ),
    "oidc.unreachable": Entry(
        502, 9, "the provider {name} does not answer as it should; sign in with your password, "
        "or try again later",
        "le fournisseur {name} ne répond pas comme il le devrait ; connectez-vous par mot de "
        "passe ou réessayez plus tard",
    ),
    "oidc.refused": Entry(
        401, 5, "the provider {name} did not sign you in; start again from the sign-in page",
        "le fournisseur {name} ne vous a pas connecté ; recommencez depuis la page de connexion",
    ),
    "oidc.unknown": Entry(
        403, 5, "no account here belongs to you at {name}; sign in with your password and connect "
        "it under My account, or ask an administrator",
        "aucun compte d'ici n'est relié au vôtre chez {name} ; connectez-vous par mot de passe et "
        "reliez-le sous Mon compte, ou demandez à un administrateur",
    ),
    "oidc.no_role": Entry(
        403, 5, "{name} gives you no role on this site; ask an administrator for one",
        "{name} ne vous donne aucun rôle sur ce site ; demandez-en un à un administrateur",
    ),
    "oidc.taken": Entry(
        409, 3, "this account at {name} is connected to another account of this site",
        "ce compte chez {name} est déjà relié à un autre compte de ce site",
    ),
    "account.exists": Entry(
        409, 3, "an account named {name} exists already", "un compte nommé {name} existe déjà"
    ),
    "account.last_administrator": Entry(
        409, 3, "the last administrator cannot be removed or demoted",
        "le dernier administrateur ne peut être ni retiré ni rétrogradé",
    ),
    "account.administrator": Entry(
        409, 3, "an administrator cannot be deleted here; demote the account first",
        "un administrateur ne peut être supprimé ici ; rétrogradez d'abord le compte",
    ),
    "totp.enabled": Entry(
        409, 3, "there is a second factor already; remove it first",
        "il y a déjà un second facteur ; retirez-le d'abord",
    ),
    "totp.missing": Entry(
        409, 3, "there is no second factor yet; set one up first",
        "il n'y a pas encore de second facteur ; ajoutez-en un d'abord",
    ),
    "ssh_key.taken": Entry(
        409, 3, "this key is registered already", "cette clé est déjà enregistrée"
    ),
    "bastion.ambiguous": Entry(
        409, 3, "several Jump Clients are called {name}; take an id: {candidates}",
        "plusieurs Jump Clients répondent à {name} ; prenez un id : {candidates}",
    ),
    "bastion.port": Entry(
        403, 5, "port {port} of Jump Clients may not be forwarded to",
        "le port {port} des Jump Clients n'est pas ouvert à la redirection",
    ),
    "bastion.off": Entry(
        409, 3, "this server has no SSH bastion (setting `bastion`)",
        "ce serveur n'a pas de bastion SSH (réglage `bastion`)",
    ),
    "group.exists": Entry(
        409, 3, "a Jump Group named {name} exists already",
        "un Jump Group nommé {name} existe déjà",
    ),
    "role.exists": Entry(
        409, 3, "a Jump Item Role named {name} exists already",
        "un rôle nommé {name} existe déjà",
    ),
    "role.in_use": Entry(
        409, 3, "{count} members have the role {name}; give them another one first",
        "{count} membres ont le rôle {name} ; donnez-leur-en d'abord un autre",
    ),
    "role.default": Entry(
        409, 3, "{name} is the role of members who were given none; it stays",
        "{name} est le rôle des membres sans rôle choisi ; il reste",
    ),
    "setting.fixed": Entry(
        409,
        5,
        "{name} is stated in the configuration of the server, which has to be changed there",
        "{name} est fixé dans la configuration du serveur, où il faut le changer",
    ),
    "shortcut.client_gone": Entry(
        409,
        5,
        "the Jump Client that {name} goes through was deleted: choose another one, or none",
        "le Jump Client par lequel passe {name} a été supprimé : choisissez-en un autre, ou aucun",
    ),
    "shortcut.not_its_host": Entry(
        409,
        5,
        "through {name} only its own host is reached, not {hostname}: connect directly, or enter"
        " localhost",
        "par {name}, seul son propre hôte est accessible, pas {hostname} : connectez-vous"
        " directement, ou indiquez localhost",
    ),
    "shortcut.one_at_a_time": Entry(
        409,
        3,
        "shortcuts are changed one at a time: choose a single one",
        "les raccourcis se modifient un par un : choisissez-en un seul",
    ),
    "shortcut.port": Entry(
        409,
        5,
        "port {port} may not be forwarded to: the administrator has to add it to session_ports",
        "le port {port} ne peut pas être redirigé : l'administrateur doit l'ajouter à"
        " session_ports",
    ),
    "mail.off": Entry(
        409,
        5,
        "This site sends no e-mail: its administrator has to set smtp_host and mail_from.",
        "Ce site n'envoie pas de courriel : l'administrateur doit définir smtp_host et mail_from.",
    ),
    "policy.exists": Entry(
        409, 3, "a policy with the code name {name} exists already",
        "une politique du nom de code {name} existe déjà",
    ),
    "policy.in_use": Entry(
        409, 3, "{count} installers and Jump Clients refer to {name}; give them another one first",
        "{count} installeurs et Jump Clients renvoient à {name} ; donnez-leur-en d'abord une autre",
    ),
    "policy.default": Entry(
        409, 3, "the site started with {name} and refers to it; it stays",
        "le site a commencé avec {name} et y renvoie ; elle reste",
    ),
    "group.not_empty": Entry(
        409, 3, "the Jump Group {name} still has {count} Jump Clients",
        "le Jump Group {name} contient encore {count} Jump Clients",
    ),
    "installer.revoked": Entry(
        409, 3, "this installer was revoked", "cet installeur a été révoqué"
    ),
    "installer.secret_lost": Entry(
        409, 3, "the secret of this installer can no longer be read; create a new installer",
        "le secret de cet installeur n'est plus lisible ; créez un nouvel installeur",
    ),
    "installer.payload_missing": Entry(
        503, 6, "the server has no payload for {platform}; run `make build` or set payload_dir",
        "le serveur n'a pas l'installeur {platform} ; lancez `make build` ou réglez payload_dir",
    ),
    "client.missing": Entry(
        404, 4, "the Jump Client {id} does not exist", "le Jump Client {id} n'existe pas"
    ),
    "client.offline": Entry(
        409, 3, "the Jump Client is offline", "le Jump Client est hors ligne"
    ),
    "client.uninstalled": Entry(
        409, 3, "the Jump Client was uninstalled", "le Jump Client a été désinstallé"
    ),
    "client.removing": Entry(
        409, 3, "the Jump Client is already being removed",
        "le Jump Client est déjà en cours de suppression",
    ),
    "client.external_id_taken": Entry(
        409, 3, "another Jump Client ({id}) has this external id",
        "un autre Jump Client ({id}) porte cet identifiant externe",
    ),
    "client.state": Entry(
        409, 3, "a Jump Client that is {state} cannot take {event}",
        "un Jump Client dans l'état {state} ne peut pas recevoir {event}",
    ),
    "jump.busy": Entry(
        503, 6, "the server is too busy with other sessions that start; try again in a moment",
        "le serveur est trop occupé à démarrer d'autres sessions ; réessayez dans un instant",
    ),
    "jump.internal": Entry(
        500, 70, "the session could not be created: an internal error",
        "la session n'a pu être créée : erreur interne",
    ),
    "jump.timeout_internal": Entry(
        504, 6, "the session could not be created in time; try again",
        "la session n'a pu être créée à temps ; réessayez",
    ),
    "jump.not_connected": Entry(
        409, 3, "the Jump Client is active but not connected to the server",
        "le Jump Client est actif mais n'est pas connecté au serveur",
    ),
    "jump.timeout_connect": Entry(
        504, 6, "the passive Jump Client could not be reached in time",
        "le Jump Client passif n'a pu être joint à temps",
    ),
    "jump.disabled": Entry(
        423, 3, "the user of the computer has disabled the Jump Client; no session for now",
        "l'utilisateur a désactivé le Jump Client ; pas de session pour l'instant",
    ),
    "jump.version": Entry(
        409, 3, "the Jump Client runs another version ({version}); try again after its update",
        "le Jump Client est d'une autre version ({version}) ; réessayez après sa mise à jour",
    ),
    "jump.policy": Entry(
        409, 3, "the Jump Policy lets one technician in at a time, and somebody is there",
        "la politique n'admet qu'un technicien à la fois, et quelqu'un est déjà là",
    ),
    "jump.host_busy": Entry(
        503, 6, "the Jump Client has as many sessions as it can serve",
        "le Jump Client a déjà autant de sessions qu'il peut en servir",
    ),
    "session.missing": Entry(
        404, 4, "the session {id} does not exist", "la session {id} n'existe pas"
    ),
    "session.ticket": Entry(
        401, 5, "the ticket is unknown, used or expired; start a new session",
        "le ticket est inconnu, utilisé ou expiré ; démarrez une nouvelle session",
    ),
    "session.port": Entry(
        403, 5, "port {port} may not be forwarded to on this site (setting session_ports)",
        "le port {port} n'est pas ouvert à la redirection sur ce site (réglage session_ports)",
    ),
    "session.no_recording": Entry(
        404, 4, "the session has no recording {number}",
        "la session n'a pas d'enregistrement {number}",
    ),
    "session.recording_gone": Entry(
        410, 4, "the Jump Client of this session is gone; its recording is not taken",
        "le Jump Client de cette session a disparu ; son enregistrement n'est pas accepté",
    ),
    "session.recording_damaged": Entry(
        409, 2, "this is not the recording of a terminal", "ceci n'est pas un enregistrement"
    ),
    "session.ended": Entry(409, 3, "the session has ended", "la session est terminée"),
    "session.stopped": Entry(
        409, 3, "the session was ended from the server",
        "la session a été arrêtée depuis le serveur",
    ),
    "session.time_up": Entry(
        409, 3, "the time of the session was up", "la durée de la session était écoulée"
    ),
    "session.idle": Entry(
        409, 3, "nothing happened in the session for too long",
        "la session est restée trop longtemps inactive",
    ),
    "session.host_lost": Entry(
        502, 6, "the connection to the Jump Client broke",
        "la connexion au Jump Client a été coupée",
    ),
    "session.worker_lost": Entry(
        502, 6, "a process of the server died", "un processus du serveur s'est arrêté"
    ),
    "session.draining": Entry(
        503, 6, "the server is being restarted; start a new session in a moment",
        "le serveur redémarre ; démarrez une nouvelle session dans un instant",
    ),
    "session.disabled": Entry(
        423, 3, "the user of the computer has disabled the Jump Client",
        "l'utilisateur a désactivé le Jump Client",
    ),
    "session.removed": Entry(
        409, 3, "the Jump Client was stopped or removed",
        "le Jump Client a été arrêté ou retiré",
    ),
    "session.revoked": Entry(
        401, 5, "the technician's account was disabled or deleted",
        "le compte du technicien a été désactivé ou supprimé",
    ),
    "session.not_begun": Entry(
        409, 3, "nobody came to the session in time", "personne n'est venu à la session à temps"
    ),
    "session.not_yours": Entry(
        403, 5, "this session belongs to another technician",
        "cette session appartient à un autre technicien",
    ),
    "files.closed": Entry(
        409, 3, "the files of this Jump Client are not open; open them first",
        "les fichiers de ce Jump Client ne sont pas ouverts ; ouvrez-les d'abord",
    ),
    "files.missing": Entry(
        404, 4, "there is no file or directory {path}",
        "il n'y a ni fichier ni répertoire {path}",
    ),
    "files.denied": Entry(
        403, 5, "the host does not allow this: {path}", "la machine ne le permet pas : {path}"
    ),
    "files.exists": Entry(409, 3, "{path} is there already", "{path} existe déjà"),
    "files.not_a_file": Entry(
        409, 3, "{path} is not a regular file", "{path} n'est pas un fichier ordinaire"
    ),
    "files.full": Entry(
        507, 3, "there is no room left on the host for {path}",
        "il n'y a plus de place sur la machine pour {path}",
    ),
    "files.busy": Entry(
        503, 6, "too many transfers with this Jump Client at once; try again when one is over",
        "trop de transferts à la fois avec ce Jump Client ; réessayez quand l'un sera terminé",
    ),
    "files.failed": Entry(
        502, 6, "the host could not do it: {path}: {detail}",
        "la machine n'a pu le faire : {path} : {detail}",
    ),
    "enrol.clone": Entry(
        409, 3, "another machine is connected with this identity; this one must enrol anew",
        "une autre machine est connectée avec cette identité ; celle-ci doit s'inscrire à nouveau",
    ),
    "enrol.key_replaced": Entry(
        409, 3, "this identity was replaced by a newer installation on the same machine",
        "cette identité a été remplacée par une installation plus récente sur la même machine",
    ),
    "enrol.bad_proof": Entry(
        401, 5, "the signature does not match the known key",
        "la signature ne correspond pas à la clé connue",
    ),
    "enrol.busy": Entry(
        429, 6, "too many enrolments at once; the agent tries again by itself",
        "trop d'inscriptions à la fois ; l'agent réessaie de lui-même",
    ),
    "protocol.version": Entry(
        409, 3, "the agent speaks another version of the protocol",
        "l'agent parle une autre version du protocole",
    ),
    "protocol.error": Entry(
        400, 3, "the agent sent something unreadable", "l'agent a envoyé une trame illisible"
    ),
    "config.invalid": Entry(
        500, 78, "configuration: {detail}", "configuration : {detail}"
    ),
    "server.sqlite_workers": Entry(
        500, 78, "SQLite serves one worker only; set workers to 1 or database_url to PostgreSQL",
        "SQLite ne sert qu'un seul worker ; mettez workers à 1 ou database_url vers PostgreSQL",
    ),
    "server.not_initialised": Entry(
        500, 78, "the database is not initialised; run `tremplin init` first",
        "la base n'est pas initialisée ; lancez d'abord `tremplin init`",
    ),
    "server.not_migrated": Entry(
        500, 78,
        "the database is at revision {current} and this program wants {newest}; "
        "run `tremplin db upgrade`",
        "la base est à la révision {current} et ce programme veut {newest} ; "
        "lancez `tremplin db upgrade`",
    ),
    "server.running": Entry(
        500, 78, "another server already runs on {path}", "un autre serveur tourne déjà sur {path}"
    ),
    "server.address": Entry(
        500, 78, "cannot listen on {address}: {detail}; choose another with --bind and --port",
        "impossible d'écouter sur {address} : {detail} ; choisissez-en une autre avec --bind "
        "et --port",
    ),
    "push.host": Entry(502, 9, "{host}: {detail}", "{host} : {detail}"),
    "push.unreachable": Entry(
        502, 9, "the host cannot be reached over SSH: {detail}",
        "la machine est injoignable en SSH : {detail}",
    ),
    "push.connection": Entry(
        502, 9, "the SSH connection broke: {detail}", "la connexion SSH a été coupée : {detail}"
    ),
    "push.authentication": Entry(
        502, 9, "the host does not let {user} in with this key or password",
        "la machine n'accepte pas {user} avec cette clé ou ce mot de passe",
    ),
    "push.host_key_unknown": Entry(
        502, 9,
        "the host key is not known ({kind} {fingerprint}); compare it on the host, then add it "
        "to known_hosts or give --accept-fingerprint {fingerprint}",
        "la clé de la machine n'est pas connue ({kind} {fingerprint}) ; comparez-la sur place, "
        "puis ajoutez-la à known_hosts ou donnez --accept-fingerprint {fingerprint}",
    ),
    "push.host_key_changed": Entry(
        502, 9,
        "the host key is not the one in known_hosts (now {fingerprint}); if the host was "
        "rebuilt, take the old line out with ssh-keygen -R",
        "la clé de la machine n'est pas celle de known_hosts (maintenant {fingerprint}) ; si la "
        "machine a été refaite, retirez l'ancienne ligne avec ssh-keygen -R",
    ),
    "push.sudo": Entry(
        502, 9, "sudo refuses on the host: {detail}", "sudo refuse sur la machine : {detail}"
    ),
    "push.upload": Entry(
        502, 9, "the upload to {path} failed: {detail}", "l'envoi vers {path} a échoué : {detail}"
    ),
    "push.state_unreadable": Entry(
        502, 9, "the state of the Jump Client in {path} cannot be read; try with --sudo",
        "l'état du Jump Client dans {path} est illisible ; essayez avec --sudo",
    ),
    "push.installer": Entry(
        502, 9, "the installer ended with status {status}: {detail}",
        "l'installeur s'est terminé avec le code {status} : {detail}",
    ),
    "push.step": Entry(
        502, 9, "{step} ended with status {status}: {detail}",
        "{step} s'est terminé avec le code {status} : {detail}",
    ),
    "push.refused": Entry(
        502, 9, "the server refused the agent ({reason})", "le serveur a refusé l'agent ({reason})"
    ),
    "push.not_online": Entry(
        504, 9, "the Jump Client is {state} after {seconds} s; its log on the host says why",
        "le Jump Client est {state} après {seconds} s ; son journal sur la machine dit pourquoi",
    ),
    "push.left_behind": Entry(
        502, 9, "still there after the removal: {what}",
        "encore là après la suppression : {what}",
    ),
}  # fmt: skip

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
