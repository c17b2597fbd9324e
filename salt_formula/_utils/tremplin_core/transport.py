# SPDX-License-Identifier: Apache-2.0
"""How a request leaves this machine; the only module here that opens a connection.

The counterpart of the collection's module of the same name: one speaks through Ansible's
client, this one through Python's own. Their messages are the same, which a test holds.
"""

from __future__ import annotations

import hashlib
import ssl
from typing import NamedTuple, Protocol
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from .errors import TremplinError, Unreachable, Untrusted

CA_PATH = "/agent/v1/ca.pem"
USER_AGENT = "tremplin (salt)"


class Response(NamedTuple):
    """An answer, whatever its status. The names of `headers` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Transport(Protocol):
    """Sends one request and returns what is answered; Unreachable when nothing is."""

    def __call__(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> Response:
        """Send the request."""


class _Stay(HTTPRedirectHandler):
    """Follows no redirection: nobody else is to see the token."""

    def redirect_request(self, *_unused: object) -> None:
        """Return None, so that the redirection itself is the answer."""


class UrlTransport:
    """Sends requests with Python's own client, which follows the proxy variables.

    url: base URL of the server, used only to fetch its CA when `ca_pin` is given.
    ca_path: PEM file of the authorities to trust, instead of those of the system.
    ca_pin: hexadecimal SHA-256 of the DER form of the server's own CA, in place of its
        file; the CA is fetched from the server, compared, and everything is verified with it.
    validate_certs: False trusts anybody.
    timeout: seconds that the server may be silent.
    """

    def __init__(
        self,
        url: str,
        ca_path: str | None = None,
        ca_pin: str | None = None,
        validate_certs: bool = True,
        timeout: float = 30,
    ) -> None:
        self._url = url.rstrip("/")
        self._ca_path = ca_path or None
        self._ca_pin = (ca_pin or "").replace(":", "").lower()
        self._validate = validate_certs
        self._timeout = timeout
        self._tls: ssl.SSLContext | None = None

    def __call__(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> Response:
        """Return the Response; Unreachable or Untrusted when there is none."""
        if self._tls is None:
            self._tls = self._settings()
        return self._send(method, url, headers, body, self._tls)

    def _settings(self) -> ssl.SSLContext:
        if not self._validate:
            return _trusting_anybody()
        try:
            if self._ca_pin:
                return ssl.create_default_context(cadata=self._pinned_ca())
            return ssl.create_default_context(cafile=self._ca_path)
        except (OSError, ValueError) as error:
            raise TremplinError(f"the CA in {self._ca_path} cannot be used: {error}") from error

    def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        tls: ssl.SSLContext,
    ) -> Response:
        opener = build_opener(HTTPSHandler(context=tls), _Stay())
        sent = dict(headers, **{"User-Agent": USER_AGENT})
        try:
            answer = opener.open(
                Request(url, data=body, headers=sent, method=method),  # noqa: S310 - as configured
                timeout=self._timeout,
            )
        except HTTPError as error:
            answer = error
        except ssl.SSLError as error:
            raise Untrusted(f"the certificate of {self._url} is not trusted: {error}") from error
        except (URLError, OSError, ValueError) as error:
            raise _unreachable(self._url, error) from error
        with answer:
            try:
                content = answer.read()
            except (OSError, ValueError) as error:
                raise _unreachable(self._url, error) from error
            names = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.getcode(), names, content)

    def _pinned_ca(self) -> str:
        answer = self._send("GET", self._url + CA_PATH, {}, None, _trusting_anybody())
        if answer.status != 200:
            raise Untrusted(f"{self._url} does not show its CA (HTTP {answer.status})")
        pem = answer.body.decode("ascii", "replace")
        if fingerprint(pem) != self._ca_pin:
            raise Untrusted(f"the CA of {self._url} is not the one that ca_pin names")
        return pem


def fingerprint(pem: str) -> str:
    """Return the hexadecimal SHA-256 of the DER form of the first certificate in `pem`."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    first = pem[pem.find(begin) : pem.find(end) + len(end)] if begin in pem else ""
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
    except ValueError as error:
        raise TremplinError("what the server shows as its CA is no PEM certificate") from error


def _trusting_anybody() -> ssl.SSLContext:
    settings = ssl.create_default_context()
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    return settings


def _unreachable(url: str, error: Exception) -> Unreachable:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLError):
        return Untrusted(f"the certificate of {url} is not trusted: {reason}")
    return Unreachable(f"{url} cannot be reached: {reason}")
