"""Whom the agent trusts: the CA whose hash its key info pins, or the host's own store."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from tremplin_agent import wire
from tremplin_agent.store import Store

SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
FETCH_SECONDS = 15.0
_LARGEST_PEM = 64 * 1024
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL | re.ASCII
)


class Untrusted(Exception):
    """The server is not the one that the key info was made for; the text says why."""


class NoAnswer(Exception):
    """Nothing answered at that address; the text says why."""


async def context(url: str, pin: bytes, store: Store) -> ssl.SSLContext:
    """Return the TLS context for `url`.

    With a pin, the CA is taken from `store`, or from the server when it is not kept yet,
    and must have the pin as its SHA-256. Raises Untrusted or NoAnswer.
    """
    if not pin:
        return trusting("")
    pem = _pinned(store.ca() or "", pin)
    if not pem:
        pem = _pinned(await _fetch_ca(url), pin)
        if not pem:
            raise Untrusted("its CA does not have the pinned hash")
        store.save_ca(pem)
    return trusting(pem)


def kept_context(pin: bytes, store: Store) -> ssl.SSLContext:
    """Return the TLS context of an agent that has been connected; Untrusted if it can't be."""
    if not pin:
        return trusting("")
    pem = _pinned(store.ca() or "", pin)
    if not pem:
        raise Untrusted("no CA with the pinned hash is kept")
    return trusting(pem)


def trusting(pem: str) -> ssl.SSLContext:
    """Return a TLS context that trusts this CA, or the host's own store when empty."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    if pem:
        tls.load_verify_locations(cadata=pem)
    else:
        _trust_system(tls)
    return tls


def _trust_system(tls: ssl.SSLContext) -> None:
    tls.load_default_certs()
    if tls.cert_store_stats()["x509_ca"]:
        return
    # A Python that was built elsewhere, such as Salt's, looks where this host has nothing.
    for bundle in SYSTEM_BUNDLES:
        if bundle.exists():
            tls.load_verify_locations(cafile=str(bundle))
            return


def _pinned(pem: str, pin: bytes) -> str:
    """Return the certificate of `pem` whose hash is the pin, or nothing."""
    for certificate in _CERTIFICATE.findall(pem):
        try:
            der = ssl.PEM_cert_to_DER_cert(certificate)
        except ValueError:
            continue
        if hashlib.sha256(der).digest() == pin:
            return str(certificate) + "\n"
    return ""


async def _fetch_ca(url: str) -> str:
    """Return what the server says its CA is. The caller holds it against the pin."""
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    try:
        answer = await asyncio.wait_for(_get(url, wire.CA_PATH, unverified), FETCH_SECONDS)
    except asyncio.TimeoutError as error:
        raise NoAnswer("no answer in time") from error
    except (OSError, EOFError) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200" not in head.split(b"\r\n", 1)[0]:
        raise NoAnswer("it does not answer as a Tremplin server")
    return body.decode("ascii", "replace")


async def _get(url: str, path: str, tls: ssl.SSLContext) -> bytes:
    """Return head and body of the answer. HTTP/1.0, so that the body comes in one piece."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    reader, writer = await asyncio.open_connection(host, parts.port or 443, ssl=tls)
    try:
        target = parts.path.rstrip("/") + path
        writer.write(f"GET {target} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        await writer.drain()
        answer = b""
        while len(answer) < _LARGEST_PEM:
            piece = await reader.read(16384)
            if not piece:
                break
            answer += piece
        return answer
    finally:
        writer.close()
