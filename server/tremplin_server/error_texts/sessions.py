"""Errors of starting sessions, what ends them, their files, and the bastion."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
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
        504, 6, "the passive Jump Client could not be reached in time; tried: {tried}",
        "le Jump Client passif n'a pu être joint à temps ; essayé : {tried}",
    ),
    "jump.disabled": Entry(
        423, 3, "the user of the computer has disabled the Jump Client; no session for now",
        "l'utilisateur a désactivé le Jump Client ; pas de session pour l'instant",
    ),
    "jump.version": Entry(
        409, 3, "the Jump Client runs another version ({version}); try again after its update",
        "le Jump Client est d'une autre version ({version}) ; réessayez après sa mise à jour",
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
}  # fmt: skip
