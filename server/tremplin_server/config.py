"""Configuration: defaults, then a TOML file, then the environment; it fails loudly.

Every field of `Config` is a key of the file and, in upper case behind `TREMPLIN_`, a
variable of the environment. A secret can come from a file: `TREMPLIN_SECRET_KEY_FILE`
names it. An unknown key, a value of the wrong type and a file that cannot be read are
errors (`config.invalid`), never ignored.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from tremplin_server.errors import TremplinError

PREFIX = "TREMPLIN_"
FILE_VARIABLE = "TREMPLIN_CONFIG"
SECRETS = ("secret_key", "database_url", "oidc_client_secret", "smtp_password")


@dataclass(frozen=True, slots=True)
class Config:
    """What the operator chose.

    Times are in the unit that the name ends with. Limits of 0 mean: none.
    """

    data_dir: Path = Path("/var/lib/tremplin")
    database_url: str = ""
    secret_key: str = field(default="", repr=False)
    bind: str = "0.0.0.0"  # noqa: S104 - agents come from everywhere
    port: int = 8443
    public_urls: tuple[str, ...] = ()
    workers: int = 1
    http_threads: int = 16
    tls: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: int = 0
    payload_dir: Path | None = None
    log_level: str = "info"
    log_format: str = "text"
    language: str = "en"
    heartbeat_seconds: int = 15
    statistics_seconds: int = 300
    check_in_seconds: int = 900
    wake_port: int = 8024
    lost_days: int = 15
    delete_days: int = 180
    uninstalled_records: str = "keep"
    limit_clients: int = 0
    limit_active_clients: int = 0
    limit_technicians: int = 0
    enrolments_per_second: int = 50
    api_requests_per_second: int = 20
    api_requests_per_hour: int = 15_000
    sign_in_attempts: int = 5
    sign_in_lock_minutes: int = 15
    sign_in_hours: int = 12
    password_length: int = 10
    password_strength: int = 2
    password_history: int = 5
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_name: str = "OpenID Connect"
    oidc_scopes: tuple[str, ...] = ("openid", "profile", "email")
    oidc_ca: Path | None = None
    oidc_create: bool = False
    oidc_role_claim: str = ""
    oidc_roles: tuple[str, ...] = ()
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_security: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    smtp_ca: Path | None = None
    mail_from: str = ""
    strict: bool = False
    update_mode: str = "off"
    update_version: str = ""
    update_days: str = "mon,tue,wed,thu,fri,sat,sun"
    update_from: str = "00:00"
    update_until: str = "24:00"
    update_zone: str = "UTC"
    update_concurrent: int = 20
    update_bandwidth: int = 0
    update_trial_seconds: int = 180
    oldest_agent: str = "0.1.0"
    session_starts_at_once: int = 20
    session_hours: int = 12
    session_idle_minutes: int = 0
    session_recording_mb: int = 32
    session_recording_days: int = 180
    session_notice: bool = False
    session_ports: tuple[int, ...] = ()
    simultaneous_jumps: str = "join"
    recordings_dir: Path | None = None
    peer_bind: str = ""
    peer_port: int = 0
    bastion: bool = True
    bastion_port: int = 8022
    bastion_address: str = ""

    @property
    def sqlite(self) -> bool:
        """Whether the embedded database is used."""
        return self.effective_database_url.startswith("sqlite")

    @property
    def effective_database_url(self) -> str:
        """The SQLAlchemy URL: as given, or SQLite in the data directory."""
        return self.database_url or f"sqlite:///{self.data_dir / 'tremplin.db'}"

    @property
    def effective_public_urls(self) -> tuple[str, ...]:
        """Base URLs that agents dial; this machine's own name when none is given."""
        if self.public_urls:
            return self.public_urls
        return (f"https://localhost:{self.port}",)

    @property
    def effective_recordings_dir(self) -> Path:
        """Where recordings are kept; machines of one site share it."""
        return self.recordings_dir or self.data_dir / "recordings"


_CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("text", "json"),
    "language": ("en", "fr"),
    "uninstalled_records": ("keep", "remove"),
    "simultaneous_jumps": ("join", "disallow"),
    "smtp_security": ("starttls", "tls", "none"),
    "update_mode": ("off", "this_version", "always"),
}
_AT_LEAST = {
    "port": 1,
    "workers": 1,
    "http_threads": 1,
    "heartbeat_seconds": 1,
    "statistics_seconds": 5,
    "check_in_seconds": 5,
    "wake_port": 1024,
    "lost_days": 1,
    "delete_days": 15,
    "session_hours": 1,
    "sign_in_hours": 1,
    "password_length": 8,
    "password_strength": 0,
    "password_history": 0,
    "limit_technicians": 0,
    "bastion_port": 1,
    "smtp_port": 1,
    "update_concurrent": 1,
    "update_trial_seconds": 5,
}
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}", re.ASCII)


def _is_database(text: str) -> bool:
    # Most commands look at a configuration without a database of their own to open.
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return not text or make_url(text).drivername in _DATABASES
    except (ArgumentError, ValueError):
        return False


_DATABASES = ("sqlite", "postgresql", "postgresql+psycopg")
_TEXTS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "database_url": (_is_database, "postgresql://user:password@host/name, or nothing for SQLite"),
    "update_version": (lambda text: not text or _VERSION.fullmatch(text), "a version, or nothing"),
    "update_days": (re.compile(f"{_DAY}(, ?{_DAY})*").fullmatch, "days such as mon,tue"),
    "update_from": (_CLOCK.fullmatch, "a time of the day such as 22:00"),
    "update_until": (_CLOCK.fullmatch, "a time of the day such as 06:00"),
    "update_zone": (lambda text: text in available_timezones(), "a time zone such as Europe/Paris"),
    "oldest_agent": (_VERSION.fullmatch, "a version"),
}
"""Texts of a certain form: what checks each, and the form in words."""
_MAX_PORT = 65535
_AT_MOST = {
    "password_length": 128,
    "password_strength": 4,
    "password_history": 24,
    "check_in_seconds": 86_400,
    "wake_port": _MAX_PORT,
    "update_trial_seconds": 3600,
}
_MOST_SETTING = {"update_bandwidth": 2**31 - 1}
MAX_COUNT = 1_000_000
"""What a setting that counts something may be at most, unless `most` says less."""
_SENDER = re.compile(r"[^\r\n<>@]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+")
_ROLES = ("administrator", "technician", "auditor")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def load(environment: Mapping[str, str], file: Path | None = None) -> Config:
    """Return the configuration of `file` (or the one TREMPLIN_CONFIG names) and environment.

    Raises TremplinError `config.invalid`, naming the key and what it takes.
    """
    path = file or (Path(environment[FILE_VARIABLE]) if FILE_VARIABLE in environment else None)
    values: dict[str, Any] = _from_file(path) if path else {}
    values.update(_from_environment(environment))
    known = {f.name: f for f in fields(Config)}
    for name in values:
        if name not in known:
            raise _wrong(f"unknown key {name}")
    typed = {name: _typed(name, str(known[name].type), value) for name, value in values.items()}
    config = Config(**typed)
    _check(config)
    return config


def origins(environment: Mapping[str, str]) -> dict[str, str]:
    """Return where each name that is stated comes from: `file`, or `environment`, which wins."""
    path = environment.get(FILE_VARIABLE)
    file = _from_file(Path(path)) if path else {}
    return {
        **dict.fromkeys(file, "file"),
        **dict.fromkeys(_from_environment(environment), "environment"),
    }


def stated(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the names that the configuration's file or the environment states."""
    return frozenset(origins(environment))


def least(name: str) -> int:
    """Return the least value that a number of the configuration takes."""
    return _AT_LEAST.get(name, 0)


def most(name: str) -> int:
    """Return the greatest value that a number of the settings takes."""
    return _MOST_SETTING.get(name, _AT_MOST.get(name, MAX_COUNT))


def form_of(name: str, value: str) -> str:
    """Return nothing when a text has the form that its key takes, else that form in words."""
    good, words = _TEXTS[name]
    return "" if good(value) else words


def _wrong(detail: str) -> TremplinError:
    return TremplinError("config.invalid", detail=detail)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(f"{path}: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        name = variable[len(PREFIX) :].lower()
        if name.endswith("_file") and name[:-5] in SECRETS:
            try:
                values[name[:-5]] = Path(value).read_text("utf-8").strip()
            except OSError as error:
                raise _wrong(f"{variable}: {value} cannot be read: {error.strerror}") from error
        else:
            values[name] = value
    return values


def _typed(name: str, annotation: str, value: Any) -> Any:
    try:
        if annotation == "int":
            if isinstance(value, bool):
                raise ValueError
            return int(value)
        if annotation == "bool":
            return _boolean(value)
        if annotation.startswith("Path"):
            # Absolute: the database, a fork and a changed directory must mean the same place.
            return Path(str(value)).expanduser().absolute() if str(value) else None
        if annotation.startswith("tuple"):
            parts = value.replace(",", " ").split() if isinstance(value, str) else value
            if annotation.startswith("tuple[int"):
                return tuple(int(part) for part in parts)
            return tuple(str(part).rstrip("/") for part in parts)
        if not isinstance(value, str):
            raise ValueError
        return value
    except (ValueError, TypeError) as error:
        raise _wrong(f"{name} takes {_word(annotation)}") from error


def _word(annotation: str) -> str:
    words = {
        "int": "a whole number",
        "bool": "true or false",
        "str": "a text",
        "tuple[int, ...]": "a list of whole numbers",
    }
    return words.get(annotation, "a list of texts")


def _boolean(value: Any) -> bool:
    word = str(value).lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError(word)


def _check(config: Config) -> None:
    for name, choices in _CHOICES.items():
        if getattr(config, name) not in choices:
            raise _wrong(f"{name} must be one of {', '.join(choices)}")
    for name in _TEXTS:
        if form := form_of(name, getattr(config, name)):
            raise _wrong(f"{name} takes {form}")
    if config.update_mode == "this_version" and not config.update_version:
        raise _wrong("update_version is needed with update_mode this_version")
    _check_bounds(config)
    _check_ports(config)
    _check_oidc(config)
    _check_mail(config)
    for url in config.public_urls:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise _wrong("public_urls takes addresses of the form https://host[:port]")
    if (config.tls_certificate is None) != (config.tls_key is None):
        raise _wrong("tls_certificate and tls_key go together")
    if config.workers > 1 and config.sqlite:
        raise TremplinError("server.sqlite_workers")


def _check_bounds(config: Config) -> None:
    for name, least in _AT_LEAST.items():
        if getattr(config, name) < least:
            raise _wrong(f"{name} must be at least {least}")
    for name, most in _AT_MOST.items():
        if getattr(config, name) > most:
            raise _wrong(f"{name} must be at most {most}")


def _check_ports(config: Config) -> None:
    for name in ("port", "peer_port", "bastion_port", "smtp_port"):
        if getattr(config, name) > _MAX_PORT:
            raise _wrong(f"{name} must be at most {_MAX_PORT}")
    if not all(0 < port <= _MAX_PORT for port in config.session_ports):
        raise _wrong(f"session_ports takes ports from 1 to {_MAX_PORT}")
    if config.bastion and config.bastion_port == config.port:
        raise _wrong("bastion_port must differ from port")


def _check_oidc(config: Config) -> None:
    if not config.oidc_issuer:
        return
    parts = urlsplit(config.oidc_issuer)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname:
        raise _wrong("oidc_issuer takes the https:// address of an OpenID provider")
    if not config.oidc_client_id:
        raise _wrong("oidc_client_id is needed with oidc_issuer")
    if "openid" not in config.oidc_scopes:
        raise _wrong("oidc_scopes must have openid among them")
    for pair in config.oidc_roles:
        if pair.rpartition("=")[2] not in _ROLES or not pair.rpartition("=")[0]:
            raise _wrong(f"oidc_roles takes VALUE=ROLE, ROLE being one of {', '.join(_ROLES)}")
    if config.oidc_create and not (config.oidc_role_claim and config.oidc_roles):
        raise _wrong("oidc_create needs oidc_role_claim and oidc_roles, which give the role")


def _check_mail(config: Config) -> None:
    if config.smtp_host and not _SENDER.fullmatch(config.mail_from):
        raise _wrong("mail_from takes the address that e-mail comes from, needed with smtp_host")
    if config.smtp_user and config.smtp_security == "none":
        raise _wrong("smtp_user needs smtp_security starttls or tls: a password goes with it")


def from_environment() -> Config:
    """Return the configuration of this process's environment."""
    return load(os.environ)
