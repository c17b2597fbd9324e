"""Errors of Jump Clients, Jump Shortcuts, installers, and agents that connect."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
    "shortcut.client_gone": Entry(
        409,
        5,
        "the Jump Client that {name} goes through was deleted: choose another one, or none",
        "le Jump Client par lequel passe {name} a été supprimé : choisissez-en un autre, ou aucun",
    ),
    "shortcut.direct": Entry(
        409,
        5,
        "{name} is reached directly: open its RDP file, without ssh",
        "{name} se joint directement : ouvrez son fichier RDP, sans ssh",
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
    "shortcut.special_address": Entry(
        409,
        5,
        "{hostname} is a loopback, link-local or metadata address: through a Jump Client it is"
        " reached only once an administrator has saved the shortcut",
        "{hostname} est une adresse de boucle locale, de lien local ou de métadonnées : un Jump"
        " Client n'y mène qu'une fois le raccourci enregistré par un administrateur",
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
    "limit.activate": Entry(
        409, 3, "the site has as many active Jump Clients as it may have (limit_active_clients)",
        "le site a atteint son nombre maximal de Jump Clients actifs (limit_active_clients)",
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
    "client.one_copy": Entry(
        409, 3, "one Jump Client is copied at a time", "un seul Jump Client est copié à la fois"
    ),
    "client.is_copy": Entry(
        409, 3, "this is a copy; do that to the host's own Jump Client {name} (id {id})",
        "ceci est une copie ; faites-le sur le Jump Client {name} de la machine (id {id})",
    ),
    "wake.awake": Entry(
        409, 3, "{name} is connected already", "{name} est déjà connecté"
    ),
    "wake.unknown": Entry(
        409, 3, "{name} has not told its network cards yet; it does at its next connection",
        "{name} n'a pas encore indiqué ses cartes réseau ; il le fera à sa prochaine connexion",
    ),
    "wake.nobody": Entry(
        409, 3, "no Jump Client that is connected shares a network with {name} ({networks}); "
        "install one there, or switch the host on by hand",
        "aucun Jump Client connecté ne partage un réseau avec {name} ({networks}) ; "
        "installez-en un sur place ou allumez la machine à la main",
    ),
}  # fmt: skip
