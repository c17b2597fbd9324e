"""Errors of updates: why one cannot be ordered, and how agents say that one failed."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
    "update.current": Entry(
        409,
        3,
        "it runs version {version} already",
        "il est déjà en version {version}",
    ),
    "update.no_payload": Entry(
        409,
        5,
        "this server has no payload {version} for {platform}: build it, or put it in payload_dir",
        "ce serveur n'a pas l'agent {version} pour {platform} : construisez-le, ou placez-le dans"
        " payload_dir",
    ),
    "update.unsupported": Entry(
        409,
        3,
        "agents on {platform} are not updated by the server: install the new version over them",
        "les agents {platform} ne sont pas mis à jour par le serveur : installez la nouvelle"
        " version par-dessus",
    ),
    "update.gone": Entry(
        410,
        5,
        "the payload of this update was replaced meanwhile; the update is ordered anew",
        "l'agent de cette mise à jour a été remplacé entre-temps ; elle est ordonnée à nouveau",
    ),
    "update.refused": Entry(
        409,
        3,
        "the host did not take the update; see the agent's log there",
        "la machine a refusé la mise à jour ; voyez-y le journal de l'agent",
    ),
    "update.damaged": Entry(
        409,
        3,
        "what arrived on the host is not the payload that was ordered; build it again if this"
        " repeats",
        "ce qui est arrivé sur la machine n'est pas l'agent attendu ; reconstruisez-le si cela se"
        " répète",
    ),
    "update.older": Entry(
        409,
        3,
        "the host has a newer version; hold it at the older one to go back",
        "la machine a une version plus récente ; fixez-lui l'ancienne pour revenir en arrière",
    ),
    "update.no_space": Entry(
        409,
        3,
        "there is no room for the update on the host; make some and order it again",
        "la machine n'a plus de place pour la mise à jour ; libérez-en et ordonnez-la à nouveau",
    ),
    "update.cannot_run": Entry(
        409,
        3,
        "the new version cannot run on the host, which keeps the one it has",
        "la nouvelle version ne peut pas tourner sur la machine, qui garde la sienne",
    ),
    "update.rolled_back": Entry(
        409,
        3,
        "the new version did not connect, and the host went back to the one before",
        "la nouvelle version ne s'est pas connectée, et la machine est revenue à la précédente",
    ),
    "update.interrupted": Entry(
        409,
        3,
        "the update was cut each time; see that the host stays up, and order it again",
        "la mise à jour a été coupée chaque fois ; veillez à ce que la machine reste allumée et"
        " ordonnez-la à nouveau",
    ),
    "update.no_answer": Entry(
        409,
        3,
        "the agent did not answer the order to update",
        "l'agent n'a pas répondu à l'ordre de mise à jour",
    ),
}
