"""What the console's scripts get when a part of a page is refused."""

from __future__ import annotations

from flask import Flask

from tests import translations as catalogues
from tests.integration.test_pages import Browser
from tests.personas import People

PART = {"HX-Request": "true", "Accept-Language": "fr"}


def test_a_refusal_is_told_in_the_readers_language(app: Flask, people: People) -> None:
    catalogues.compile_all()
    client = app.test_client()
    Browser(client).sign_in("administrator")
    whole = client.get("/console/properties?item=client:77", base_url="https://tremplin.example")
    assert (whole.status_code, whole.mimetype) == (404, "text/html")
    part = client.get(
        "/console/properties?item=client:77", base_url="https://tremplin.example", headers=PART
    )
    assert (part.status_code, part.json["code"]) == (404, "client.missing")
    assert part.json["message"] == "le Jump Client 77 n'existe pas"


def test_a_part_for_somebody_who_was_signed_out_reloads_the_page(app: Flask) -> None:
    answer = app.test_client().get(
        "/console/rows", base_url="https://tremplin.example", headers=PART
    )
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (401, "true")
