"""What a technician's own ssh needs: the bastion's address, the host keys, a configuration.

Everything is what the actor sees: nobody learns of other groups' hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tremplin_server.clients.identity import site_key
from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Invalid
from tremplin_server.sessions import naming
from tremplin_server.sessions.host_keys import ssh_public_key

HOST_KEY = "bastion_host_key"
SSH_PORT = 22
BASTION_ALIAS = "tremplin-bastion"
KNOWN_HOSTS = "~/.ssh/tremplin_known_hosts"
"""Where the configuration expects the known hosts, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Bastion:
    """Where technicians connect. host_key: its OpenSSH form, `ssh-ed25519 AAAA…`."""

    host: str
    port: int
    host_key: str

    @property
    def known_host(self) -> str:
        """Its line of a known_hosts file."""
        where = self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"
        return f"{where} {self.host_key}"


def bastion(work: Work) -> Bastion:
    """Return the site's bastion; Conflict (bastion.off) when it has none."""
    config = work.config
    if not config.bastion:
        raise Conflict("bastion.off")
    host, port = address(config)
    return Bastion(host, port, ssh_public_key(host_key(work).public_key().public_bytes_raw()))


def address(config: Config) -> tuple[str, int]:
    """Return where the bastion is reached: `bastion_address`, or the first public name."""
    host = urlsplit(config.effective_public_urls[0]).hostname or "localhost"
    if not config.bastion_address:
        return host, config.bastion_port
    given = urlsplit(f"//{config.bastion_address}")
    return given.hostname or host, given.port or config.bastion_port


def host_key(work: Work) -> Ed25519PrivateKey:
    """Return the bastion's host key, one for the site; the first call makes it."""
    return site_key(work, HOST_KEY)


def known_hosts(work: Work) -> str:
    """Return a known_hosts file: the bastion, and every Jump Client with all its names."""
    lines = []
    if work.config.bastion:
        lines.append(bastion(work).known_host)
    for host in naming.reachable(work):
        # ssh compares in lower case, other programs as it was typed.
        words = dict.fromkeys(w for word in host.words for w in (word, word.lower()))
        lines.append(f"{','.join(words)} {ssh_public_key(host.client.public_key)}")
    return "".join(f"{line}\n" for line in lines)


def ssh_config(work: Work, user: str = "", known_hosts_file: str = KNOWN_HOSTS) -> str:
    """Return a file for `Include` in ~/.ssh/config: `ssh NAME` goes through the bastion.

    user: who signs in at the bastion; ssh's own choice when empty. known_hosts_file: where
    what `known_hosts` returns is kept. Raises Invalid when ssh has no way to write it.
    """
    if not _quotable(known_hosts_file):
        raise Invalid({"known_hosts_file": ["Not a valid string."]})
    return "".join(f"{line}\n" for line in _configuration(work, user, known_hosts_file))


def _configuration(work: Work, user: str, known_hosts_file: str) -> Iterator[str]:
    entrance = bastion(work)
    file = quoted(known_hosts_file)
    yield "# Tremplin: put into a file that ~/.ssh/config names with Include, above any Host."
    yield f"# The host keys (tremplin known-hosts) belong into {known_hosts_file}."
    yield f"Host {BASTION_ALIAS}"
    yield f"    HostName {entrance.host}"
    yield f"    Port {entrance.port}"
    if user and _quotable(user):
        yield f"    User {quoted(user)}"
    yield f"    UserKnownHostsFile {file}"
    yield "    StrictHostKeyChecking yes"
    yield "    ServerAliveInterval 30"
    for host in naming.reachable(work):
        # Names first: what is typed is what the prompt and the errors should show.
        yield f"Host {' '.join((*host.words[1:], host.words[0]))}"
        yield f"    HostName {host.words[0]}"
        yield f"    ProxyJump {BASTION_ALIAS}"
        yield f"    UserKnownHostsFile {file}"
        yield "    StrictHostKeyChecking yes"


def _quotable(word: str) -> bool:
    return word.isprintable() and '"' not in word


def quoted(word: str) -> str:
    """Return a word as ssh_config takes it, in quotes when it has spaces."""
    return f'"{word}"' if any(character.isspace() for character in word) else word
