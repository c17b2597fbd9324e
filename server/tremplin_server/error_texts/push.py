"""Errors of installing over SSH from the server."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
    "push.host": Entry(502, 9, "{host}: {detail}", "{host} : {detail}"),
    "push.unreachable": Entry(
        502, 9,
        "the host cannot be reached over SSH: {detail}; check its name and port, and that this "
        "server may reach it",
        "la machine est injoignable en SSH : {detail} ; vérifiez son nom, son port, et que ce "
        "serveur peut l'atteindre",
    ),
    "push.connection": Entry(
        502, 9, "the SSH connection broke: {detail}", "la connexion SSH a été coupée : {detail}"
    ),
    "push.authentication": Entry(
        502, 9,
        "the host does not let {user} in with this key or password; check them, and whether its "
        "sshd takes them",
        "la machine n'accepte pas {user} avec cette clé ou ce mot de passe ; vérifiez-les, et si "
        "son sshd les admet",
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
    "push.cancelled": Entry(
        409, 9, "cancelled; pushing again finishes what was begun",
        "annulé ; un nouvel envoi terminera ce qui était commencé",
    ),
    "push.broken_off": Entry(
        502, 9, "broken off: the server was stopped meanwhile; pushing again finishes it",
        "interrompu : le serveur s'est arrêté entre-temps ; un nouvel envoi terminera",
    ),
    "push.busy": Entry(
        409, 5, "a push to {host} is under way; wait for its end or cancel it",
        "un envoi vers {host} est en cours ; attendez sa fin ou annulez-le",
    ),
    "push.key_moved": Entry(
        409, 5, "this host waits for no answer about that key any more; look at it again",
        "cette machine n'attend plus de réponse pour cette clé ; revérifiez",
    ),
    "push.key_unanswered": Entry(
        504, 9,
        "nobody said within 10 minutes whether the host key is right; push again and compare it",
        "personne n'a dit en 10 minutes si la clé de la machine est la bonne ; relancez l'envoi "
        "et comparez-la",
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
