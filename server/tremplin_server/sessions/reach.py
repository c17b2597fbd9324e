"""What a technician's own ssh needs: the bastion's address, the host keys, a configuration.

Everything is what the actor sees: nobody learns of other groups' hosts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
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


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an ssh configuration is made for; ssh chooses what is empty.

    user: who signs in at the bastion. known_hosts_file: where what `known_hosts` returns is
    kept. identity_file: the private key to sign in with, at the bastion and on the hosts.
    """

    user: str = ""
    known_hosts_file: str = KNOWN_HOSTS
    identity_file: str = ""


def ssh_config(work: Work, wishes: Wishes) -> str:
    """Return a file for `Include` in ~/.ssh/config: `ssh NAME` goes through the bastion.

    Raises Invalid when ssh has no way to write a wish.
    """
    wrong = [f.name for f in fields(wishes) if not _quotable(getattr(wishes, f.name))]
    if wrong:
        raise Invalid({name: ["Not a valid string."] for name in wrong})
    return "".join(f"{line}\n" for line in _configuration(work, wishes))


def _configuration(work: Work, wishes: Wishes) -> Iterator[str]:
    entrance = bastion(work)
    common = [f"UserKnownHostsFile {quoted(wishes.known_hosts_file)}", "StrictHostKeyChecking yes"]
    if wishes.identity_file:
        common.append(f"IdentityFile {quoted(wishes.identity_file)}")
    yield "# Tremplin: put into a file that ~/.ssh/config names with Include, above any Host."
    yield f"# The host keys (tremplin known-hosts) belong into {wishes.known_hosts_file}."
    user = [f"User {quoted(wishes.user)}"] if wishes.user else []
    where = [f"HostName {entrance.host}", f"Port {entrance.port}"]
    yield from _block([BASTION_ALIAS], [*where, *user, *common, "ServerAliveInterval 30"])
    # Shortcuts lead through a client, whose key is known by the client's names.
    yield from _block(["shortcut-*"], common)
    for host in naming.reachable(work):
        jump = [f"HostName {host.address}", f"ProxyJump {BASTION_ALIAS}"]
        yield from _block(host.words, [*jump, *common])


def _block(names: Sequence[str], settings: Sequence[str]) -> Iterator[str]:
    yield f"Host {' '.join(names)}"
    for setting in settings:
        yield f"    {setting}"


def _quotable(word: str) -> bool:
    return word.isprintable() and '"' not in word


def quoted(word: str) -> str:
    """Return a word as ssh_config takes it, in quotes when it has spaces."""
    return f'"{word}"' if any(character.isspace() for character in word) else word
