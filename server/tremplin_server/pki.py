"""The site's own certificate authority and server certificate, or the ones it was given.

Agents pin the authority, so its key is made once and kept; the server certificate is
made anew before it expires and when the names of the server change. With a given
certificate nothing is made, and there is a pin only when its chain ends in a self-made
authority.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tremplin_server.config import Config
from tremplin_server.errors import TremplinError

CA_DAYS = 20 * 365
SERVER_DAYS = 397
RENEW_BEFORE = timedelta(days=30)
_BACKDATE = timedelta(hours=24)
"""Hosts whose clock is a little slow must accept a new certificate at once."""


@dataclass(frozen=True, slots=True)
class Pki:
    """Where the server's TLS material is.

    ca_pem: the authority that agents pin, empty when there is none. ca_pin: SHA-256 of
    its DER form, or empty.
    """

    ca_pem: bytes
    ca_pin: bytes
    certificate_path: Path
    key_path: Path


def site_pki(config: Config, now: datetime | None = None) -> Pki:
    """Return the site's TLS material; make or renew what is missing or due.

    Raises TremplinError `config.invalid` when a given certificate or key is unusable.
    """
    if config.tls_certificate is not None:
        return _given(config)
    moment = now or datetime.now(UTC)
    directory = config.data_dir / "tls"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(directory):
        ca_certificate, ca_key = _authority(directory, moment)
        _server(directory, server_names(config), ca_certificate, ca_key, moment)
    ca_pem = ca_certificate.public_bytes(serialization.Encoding.PEM)
    return Pki(ca_pem, pin(ca_certificate), directory / "server.pem", directory / "server.key")


def ca_pin(config: Config) -> bytes:
    """Return what agents pin: 32 bytes, or none when a public authority vouches for us.

    A server without TLS of its own stands behind a proxy whose certificate is not known
    here; tls_certificate may name it even so.
    """
    if config.tls_certificate is None and not config.tls:
        return b""
    made = config.data_dir / "tls" / "ca.pem"
    if config.tls_certificate is None and made.exists():
        return pin(leaf(made))
    return site_pki(config).ca_pin


def pin(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 of the DER form of `certificate`."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()


def server_names(config: Config) -> tuple[str, ...]:
    """Return the names and addresses that the server certificate must hold, sorted."""
    names = {urlsplit(url).hostname or "" for url in config.effective_public_urls}
    names |= {"localhost", socket.gethostname(), "127.0.0.1", "::1"}
    return tuple(sorted(name for name in names if name))


def leaf(path: Path) -> x509.Certificate:
    """Return the first certificate of the PEM file `path`."""
    return x509.load_pem_x509_certificates(path.read_bytes())[0]


def passing_certificate() -> tuple[bytes, bytes, bytes]:
    """Return key (PEM), certificate (PEM) and certificate (DER) for as long as a process runs.

    Nobody vouches for it: only for TLS between parties that prove themselves in another way.
    """
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tremplin worker")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(_serial())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .sign(key, hashes.SHA256())
    )
    pem, der = (
        certificate.public_bytes(form)
        for form in (serialization.Encoding.PEM, serialization.Encoding.DER)
    )
    return _private(key), pem, der


# --- a given certificate ----------------------------------------------------------------


def _given(config: Config) -> Pki:
    assert config.tls_certificate is not None, "the caller looked"
    assert config.tls_key is not None, "the configuration checks that they go together"
    try:
        chain = x509.load_pem_x509_certificates(config.tls_certificate.read_bytes())
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            config.tls_certificate, config.tls_key
        )
    except (OSError, ValueError, ssl.SSLError) as error:
        raise TremplinError(
            "config.invalid", detail=f"tls_certificate and tls_key cannot be used: {error}"
        ) from error
    last = chain[-1]
    if not _self_signed(last):
        return Pki(b"", b"", config.tls_certificate, config.tls_key)
    pem = last.public_bytes(serialization.Encoding.PEM)
    return Pki(pem, pin(last), config.tls_certificate, config.tls_key)


def _self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


# --- our own ------------------------------------------------------------------------------


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep two processes that start at once from making two authorities."""
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _authority(
    directory: Path, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_path, key_path = directory / "ca.pem", directory / "ca.key"
    if certificate_path.exists():
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "we write no other kind"
        return leaf(certificate_path), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Tremplin {_serial():x}"[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(_serial())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    # The certificate is what says that the authority exists: it comes last.
    _write(key_path, _private(key))
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate, key


def _server(
    directory: Path,
    names: Sequence[str],
    ca_certificate: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> None:
    certificate_path, key_path = directory / "server.pem", directory / "server.key"
    if certificate_path.exists() and _still_good(leaf(certificate_path), key_path, names, now):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[-1][:64])]))
        .issuer_name(ca_certificate.subject)
        .public_key(key.public_key())
        .serial_number(_serial())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(min(now + timedelta(days=SERVER_DAYS), ca_certificate.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    _write(key_path, _private(key))
    # Without its issuer: whoever trusts that has it, and it would cost every handshake.
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _still_good(
    certificate: x509.Certificate, key_path: Path, names: Sequence[str], now: datetime
) -> bool:
    # A crash between the two files leaves a new key beside an old certificate.
    key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    if key.public_key() != certificate.public_key():
        return False
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(held) >= {_general(name) for name in names} and (
        now + RENEW_BEFORE < certificate.not_valid_after_utc
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode("ascii"))


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _serial() -> int:
    return x509.random_serial_number()


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write whole or not at all: a crash must not leave half a key."""
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    partial.replace(path)
