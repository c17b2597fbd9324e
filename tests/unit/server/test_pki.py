"""The site's certificate authority and server certificate."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tremplin_server import pki
from tremplin_server.config import Config
from tremplin_server.errors import TremplinError

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def names_of(path: Path) -> set[str]:
    held = pki.leaf(path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(held.get_values_for_type(x509.DNSName)) | {
        str(address) for address in held.get_values_for_type(x509.IPAddress)
    }


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path, public_urls=("https://jump.example.org:8443",))


def test_the_first_start_makes_an_authority_and_a_certificate_that_it_signed(
    config: Config,
) -> None:
    made = pki.site_pki(config, NOW)
    assert len(made.ca_pin) == 32
    assert pki.ca_pin(config) == made.ca_pin
    authority = x509.load_pem_x509_certificate(made.ca_pem)
    pki.leaf(made.certificate_path).verify_directly_issued_by(authority)
    assert {"jump.example.org", "localhost", "127.0.0.1", "::1"} <= names_of(made.certificate_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate_path, made.key_path)


def test_keys_are_for_their_owner_only(config: Config) -> None:
    made = pki.site_pki(config, NOW)
    for path in (made.key_path, made.key_path.with_name("ca.key")):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_start_changes_nothing(config: Config) -> None:
    made = pki.site_pki(config, NOW)
    before = made.certificate_path.read_bytes()
    assert pki.site_pki(config, NOW + timedelta(days=1)) == made
    assert made.certificate_path.read_bytes() == before


@pytest.mark.parametrize(
    ("urls", "later"),
    [
        (("https://jump.example.org:8443",), timedelta(days=pki.SERVER_DAYS - 29)),
        (("https://new.example.org",), timedelta()),
        (("https://192.0.2.7",), timedelta()),
    ],
    ids=["due", "another name", "an address"],
)
def test_the_certificate_is_renewed_and_the_authority_kept(
    config: Config, urls: tuple[str, ...], later: timedelta
) -> None:
    made = pki.site_pki(config, NOW)
    before = pki.leaf(made.certificate_path).serial_number
    changed = Config(data_dir=config.data_dir, public_urls=urls)
    again = pki.site_pki(changed, NOW + later)
    assert again.ca_pin == made.ca_pin
    assert pki.leaf(made.certificate_path).serial_number != before
    assert urls[0].removeprefix("https://").partition(":")[0] in names_of(made.certificate_path)


def test_a_key_that_does_not_fit_its_certificate_is_replaced(config: Config) -> None:
    made = pki.site_pki(config, NOW)
    made.key_path.write_bytes(made.key_path.with_name("ca.key").read_bytes())
    pki.site_pki(config, NOW)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate_path, made.key_path)


def given(tmp_path: Path, certificate: Path, key: Path) -> Config:
    return Config(data_dir=tmp_path / "other", tls_certificate=certificate, tls_key=key)


def test_a_given_chain_that_ends_in_its_own_authority_is_pinned(
    config: Config, tmp_path: Path
) -> None:
    made = pki.site_pki(config, NOW)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(made.certificate_path.read_bytes() + made.ca_pem)
    used = pki.site_pki(given(tmp_path, chain, made.key_path), NOW)
    assert (used.ca_pin, used.certificate_path) == (made.ca_pin, chain)
    assert not (tmp_path / "other").exists()


def test_a_given_certificate_of_another_authority_has_no_pin(
    config: Config, tmp_path: Path
) -> None:
    made = pki.site_pki(config, NOW)
    used = given(tmp_path, made.certificate_path, made.key_path)
    assert pki.site_pki(used, NOW).ca_pem == b""
    assert pki.ca_pin(used) == b""


def test_a_given_certificate_without_its_key_is_refused(config: Config, tmp_path: Path) -> None:
    made = pki.site_pki(config, NOW)
    with pytest.raises(TremplinError) as caught:
        pki.site_pki(given(tmp_path, made.certificate_path, made.key_path.with_name("ca.key")), NOW)
    assert caught.value.code == "config.invalid"


def test_without_tls_of_its_own_the_server_has_no_pin(tmp_path: Path) -> None:
    assert pki.ca_pin(Config(data_dir=tmp_path, tls=False)) == b""
