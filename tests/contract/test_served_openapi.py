"""Our own OpenAPI as the oracle: generated requests, good and bad, against every operation."""

from __future__ import annotations

from contextlib import suppress

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tremplin_server.rest import API_PREFIX

from tests.contract.conftest import Site
from tests.personas import api_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 6
ANY_HEALTH = list(HealthCheck)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation(app: Flask, site: Site, mode: GenerationMode) -> None:
    api = api_of(app, "fuzzer")
    schema = schemathesis.openapi.from_wsgi(f"{API_PREFIX}/openapi.json", app, headers=api.headers)
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=ANY_HEALTH,
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def try_it(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, headers=api.headers)

        # An operation without parameters and body has no wrong request.
        with suppress(Unsatisfiable):
            try_it()
            tried += 1
    assert tried > 20
