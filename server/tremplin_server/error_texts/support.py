"""Errors that people meet on the support portal."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
    "support.key_missing": Entry(
        422, 2, "type the session key that your technician gave you",
        "saisissez la clé de session que votre technicien vous a donnée",
    ),
    "support.key_unknown": Entry(
        404, 4,
        "there is no such session key, or its time is over; ask your technician for another one",
        "cette clé de session n'existe pas ou n'est plus valable ; demandez-en une autre à votre "
        "technicien",
    ),
}  # fmt: skip
