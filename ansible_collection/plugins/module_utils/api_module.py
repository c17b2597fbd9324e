# SPDX-License-Identifier: Apache-2.0
"""What every module that talks to the API has in common: its options and its end."""

from __future__ import annotations

import time
from typing import Any, Callable, TypeVar

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.tremplin.jump.plugins.module_utils.client import Client
from ansible_collections.tremplin.jump.plugins.module_utils.errors import TimedOut, TremplinError
from ansible_collections.tremplin.jump.plugins.module_utils.tokens import FileTokens
from ansible_collections.tremplin.jump.plugins.module_utils.transport import UrlTransport

T = TypeVar("T")

FIRST_LOOK = 0.2
SLOWEST_LOOK = 3.0


def argument_spec(**options: Any) -> dict[str, Any]:
    """Return the options of the `api` documentation fragment and those of one module."""
    return dict(
        url=dict(type="str", required=True, fallback=(env_fallback, ["TREMPLIN_URL"])),
        client_id=dict(type="str", required=True, fallback=(env_fallback, ["TREMPLIN_CLIENT_ID"])),
        client_secret=dict(
            type="str",
            required=True,
            no_log=True,
            fallback=(env_fallback, ["TREMPLIN_CLIENT_SECRET"]),
        ),
        ca_path=dict(type="path", fallback=(env_fallback, ["TREMPLIN_CA_PATH"])),
        ca_pin=dict(type="str", fallback=(env_fallback, ["TREMPLIN_CA_PIN"])),
        validate_certs=dict(
            type="bool", default=True, fallback=(env_fallback, ["TREMPLIN_VALIDATE_CERTS"])
        ),
        timeout=dict(type="int", default=30, fallback=(env_fallback, ["TREMPLIN_TIMEOUT"])),
        token_dir=dict(type="path", no_log=False, fallback=(env_fallback, ["TREMPLIN_TOKEN_DIR"])),
        **options,
    )


def run(module: AnsibleModule, work: Callable[[Client], dict[str, Any]]) -> None:
    """End `module` with the result of `work(client)`, or with the error that stopped it.

    work: returns the result as a dictionary with `changed`.
    """
    given = module.params
    url = given["url"].rstrip("/")
    transport = UrlTransport(
        url, given["ca_path"], given["ca_pin"], given["validate_certs"], given["timeout"]
    )
    tokens = None
    if given["token_dir"]:
        tokens = FileTokens(
            given["token_dir"], url, given["client_id"], given["client_secret"], time.time
        )
    client = Client(url, given["client_id"], given["client_secret"], transport, tokens)
    try:
        result = work(client)
    except TremplinError as error:
        module.fail_json(msg=str(error), **error.facts)
    finally:
        transport.close()
    module.exit_json(**result)


def wait_for(
    look: Callable[[], T],
    seconds: float,
    what: str,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Return the first true `look()`; TimedOut, naming `what`, after `seconds`."""
    until = clock() + seconds
    pause = FIRST_LOOK
    while True:
        found = look()
        if found:
            return found
        if clock() + pause > until:
            raise TimedOut(f"{what} did not happen within {seconds} s")
        sleep(pause)
        pause = min(pause * 1.5, SLOWEST_LOOK)
