"""Errors about what is asked of the site: requests, configuration, set-up."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
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
    "setting.fixed": Entry(
        409,
        5,
        "{name} is stated in the configuration of the server, which has to be changed there",
        "{name} est fixé dans la configuration du serveur, où il faut le changer",
    ),
    "mail.off": Entry(
        409,
        5,
        "This site sends no e-mail: its administrator has to set smtp_host and mail_from.",
        "Ce site n'envoie pas de courriel : l'administrateur doit définir smtp_host et mail_from.",
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
}  # fmt: skip
