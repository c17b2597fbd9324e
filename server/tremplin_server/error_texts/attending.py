"""Errors of support sessions and of attaching a customer's computer as a Jump Client."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
    "support.missing": Entry(
        404, 4, "the support session {id} does not exist",
        "la session d'assistance {id} n'existe pas"
    ),
    "support.key_used": Entry(
        409, 3, "somebody else came with this session key; ask your technician for another one",
        "quelqu'un d'autre a utilisé cette clé de session ; demandez-en une autre à votre "
        "technicien",
    ),
    "support.no_customer": Entry(
        409, 3, "nobody came with the session key yet; wait for the customer",
        "personne n'est encore venu avec la clé de session ; attendez le client",
    ),
    "support.taken": Entry(
        409, 3, "{technician} has this support session; ask to be invited",
        "cette session d'assistance est celle de {technician} ; faites-vous inviter",
    ),
    "support.not_in": Entry(
        403, 5, "you are not in this support session; take it, or join it when you are invited",
        "vous n'êtes pas dans cette session d'assistance ; prenez-la, ou rejoignez-la sur "
        "invitation",
    ),
    "support.not_owner": Entry(
        403, 5, "only the technician who has the support session may do this",
        "seul le technicien qui a la session d'assistance peut le faire",
    ),
    "support.owner_stays": Entry(
        409, 3, "you have this support session: hand it over, or end it",
        "vous avez cette session d'assistance : transmettez-la, ou terminez-la",
    ),
    "support.no_answer": Entry(
        409, 3, "the customer has not answered yet", "le client n'a pas encore répondu"
    ),
    "support.not_granted": Entry(
        403, 5, "the customer has not allowed this ({what}); ask again",
        "le client ne l'a pas autorisé ({what}) ; demandez à nouveau",
    ),
    "support.customer_away": Entry(
        409, 3, "the customer's computer is not connected now; wait for it to come back",
        "l'ordinateur du client n'est pas connecté ; attendez son retour",
    ),
    "support.nobody_to_add": Entry(
        404, 4, "no other technician is called {name}", "aucun autre technicien ne s'appelle {name}"
    ),
    "support.elevated": Entry(
        409, 3, "the customer's client has the administrator's rights already",
        "le client a déjà les droits de l'administrateur",
    ),
    "support.ended": Entry(
        409, 3, "the support session is over", "la session d'assistance est terminée"
    ),
    "support.closed": Entry(
        409, 3, "the technician ended the support session",
        "le technicien a terminé la session d'assistance",
    ),
    "support.customer_ended": Entry(
        409, 3, "the customer ended the support session",
        "le client a terminé la session d'assistance",
    ),
    "support.customer_lost": Entry(
        409, 3, "the customer's computer did not come back",
        "l'ordinateur du client n'est pas revenu",
    ),
    "support.key_expired": Entry(
        409, 3, "nobody used the session key in time",
        "personne n'a utilisé la clé de session à temps",
    ),
    "session.withdrawn": Entry(
        409, 3, "the customer took back the permission", "le client a retiré son autorisation"
    ),
    "session.support_over": Entry(
        409, 3, "the support session is over, or you are no longer in it",
        "la session d'assistance est terminée, ou vous n'y êtes plus",
    ),
    "pin.pending": Entry(
        409, 3, "a request to attach this computer is waiting for the customer already",
        "une demande d'attachement attend déjà la réponse du client",
    ),
    "pin.already": Entry(
        409, 3, "this computer is attached as a Jump Client already",
        "cet ordinateur est déjà attaché comme Jump Client",
    ),
    "pin.no_customer": Entry(
        409, 3, "there is no customer in the support session",
        "il n'y a pas de client dans la session d'assistance",
    ),
    "pin.customer_offline": Entry(
        409, 3, "the customer of the support session is not online",
        "le client de la session d'assistance n'est pas en ligne",
    ),
    "pin.refused": Entry(
        403, 5, "the customer refused to have the computer attached",
        "le client a refusé l'attachement de son ordinateur",
    ),
    "pin.timeout": Entry(
        504, 6, "the customer did not answer the request to attach the computer in time",
        "le client n'a pas répondu à temps à la demande d'attachement",
    ),
    "pin.failed": Entry(
        502, 70, "the installation on the customer's computer failed: {detail}",
        "l'installation sur l'ordinateur du client a échoué : {detail}",
    ),
}  # fmt: skip
