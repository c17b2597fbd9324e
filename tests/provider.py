"""A real OpenID provider on this machine, for tests: `oidc-provider-mock`, which is Authlib's
server with a sign-in form. It takes any client, so what ours must do is held here: PKCE with
S256, as RFC 7636 has it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from authlib.deprecate import AuthlibDeprecationWarning
from flask import Flask, abort, request
from werkzeug.serving import make_server

with warnings.catch_warnings():
    # The provider still takes its keys from a module that Authlib will move.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    import oidc_provider_mock


@dataclass
class Provider:
    """A provider that runs. asked: the parameters of every authorization request."""

    issuer: str
    asked: list[dict[str, str]] = field(default_factory=list)
    redeemed: int = 0
    is_down: bool = False

    def knows(self, subject: str, **claims: Any) -> None:
        """Tell the provider of somebody, and what to claim of them."""
        order = urllib.request.Request(
            f"{self.issuer}/users/{subject}",
            data=json.dumps(claims).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(order, timeout=10) as answer:
            assert answer.status == 204

    def watch(self, app: Flask) -> None:
        """Hold every client of `app` to PKCE."""

        @app.before_request
        def _hold() -> None:
            if self.is_down:
                abort(503)
            if request.path == "/oauth2/authorize":
                assert request.args["code_challenge_method"] == "S256"
                assert request.args["nonce"]
                self.asked.append(request.args.to_dict())
            if request.path == "/oauth2/token":
                self._redeem(request.form["code_verifier"])

    def _redeem(self, verifier: str) -> None:
        digest = hashlib.sha256(verifier.encode("ascii")).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge not in {asked["code_challenge"] for asked in self.asked}:
            abort(400)
        self.redeemed += 1


@contextmanager
def provider() -> Iterator[Provider]:
    """Run a provider on a free port."""
    app = oidc_provider_mock.app(require_nonce=True)
    server = make_server("localhost", 0, app, threaded=True)
    made = Provider(f"http://localhost:{server.server_port}")
    made.watch(app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
