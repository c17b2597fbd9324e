"""A shell on a host over SSH: connect, run, upload; root through sudo when asked.

Host keys are checked against known_hosts or fingerprints that the caller accepts; there
is no way to skip the check. Passwords travel on standard input only, never in arguments.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import paramiko

from tremplin_server.errors import TremplinError

KNOWN_HOSTS = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))
CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect. user None takes the user that runs the push."""

    host: str
    port: int = 22
    user: str | None = None

    @classmethod
    def parse(cls, text: str, *, port: int, user: str | None) -> Target:
        """Return the target of `[user@]host[:port]`; an IPv6 address stands in brackets.

        Raises ValueError with the reason.
        """
        head, at, rest = text.rpartition("@")
        if rest.startswith("["):
            host, closed, tail = rest[1:].partition("]")
            if not closed:
                raise ValueError(f"{text}: a bracket is not closed")
        else:
            host, colon, tail = rest.partition(":")
            host, tail = (rest, "") if ":" in tail else (host, colon + tail)
        if not host or (at and not head) or host.startswith("-"):
            raise ValueError(f"{text}: no host is named")
        if tail and not (tail[0] == ":" and tail[1:].isdigit() and 0 < int(tail[1:]) < 65536):
            raise ValueError(f"{text}: the port is no number from 1 to 65535")
        return cls(host, int(tail[1:]) if tail else port, head or user)


@dataclass(frozen=True, slots=True)
class Access:
    """How to be let in, and how far to trust. sudo_password None: sudo asks for none.

    key: a private key that is in no file. known_hosts: lines beside those of the files.
    """

    key_file: Path | None = None
    key: paramiko.PKey | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    agent: bool = True
    host_key_files: tuple[Path, ...] = KNOWN_HOSTS
    known_hosts: str = ""
    accepted_fingerprints: tuple[str, ...] = ()
    sudo: bool = False
    sudo_password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 15


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended; the texts have no trailing white space."""

    status: int
    stdout: str
    stderr: str


def fingerprint(key: paramiko.PKey) -> str:
    """Return the fingerprint of a host key in the form that ssh prints, `SHA256:…`."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def known_hosts(text: str) -> list[paramiko.hostkeys.HostKeyEntry]:
    """Return the entries of a known_hosts file; ValueError naming a line that is none."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            entry = paramiko.hostkeys.HostKeyEntry.from_line(line.strip(), number)
        except (paramiko.SSHException, paramiko.hostkeys.InvalidHostKey, ValueError) as error:
            raise ValueError(f"Line {number} is not one of a known_hosts file.") from error
        if entry is None:
            raise ValueError(f"Line {number} is not one of a known_hosts file.")
        entries.append(entry)
    return entries


def private_key(text: str, passphrase: str | None) -> paramiko.PKey:
    """Return the private key that `text` holds; ValueError with the reason, for people.

    paramiko tells only one kind from another by trying.
    """
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text), passphrase)
        except paramiko.PasswordRequiredException as error:
            raise ValueError("The private key wants its passphrase.") from error
        except (paramiko.SSHException, ValueError, TypeError, IndexError):
            continue
    if passphrase:
        raise ValueError("Not a private SSH key, or the passphrase is wrong.")
    raise ValueError("Not a private SSH key in OpenSSH's or PEM form.")


class _OnlyAccepted(paramiko.MissingHostKeyPolicy):  # type: ignore[misc] # it has no types
    """Takes an unknown host key only when its fingerprint was accepted beforehand."""

    def __init__(self, accepted: Sequence[str]) -> None:
        self._accepted = [text.strip().rstrip("=") for text in accepted]

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        found = fingerprint(key)
        if not any(hmac.compare_digest(found, accepted) for accepted in self._accepted):
            raise TremplinError("push.host_key_unknown", kind=key.get_name(), fingerprint=found)


class Shell:
    """An open connection to one host; use it as a context manager."""

    def __init__(self, target: Target, access: Access) -> None:
        self._target = target
        self._access = access
        self._client = paramiko.SSHClient()
        self._sudo: tuple[str, ...] = ()
        self._sudo_input = b""

    def __enter__(self) -> Shell:
        """Connect and become ready for sudo; TremplinError push.* says what failed."""
        try:
            self._connect()
            if self._access.sudo:
                self._prepare_sudo()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        root: bool | None = None,
        timeout_seconds: float = 120,
    ) -> Result:
        """Run `command` and return how it ended.

        root: whether through sudo; by default as the push was asked to.
        timeout_seconds: how long it may be silent. Raises push.connection when the
        connection breaks or that time is over.
        """
        wrap = bool(self._sudo) if root is None else root
        words = [*(self._sudo if wrap else ()), *command]
        given = (self._sudo_input if wrap else b"") + stdin
        try:
            return self._execute(shlex.join(words), given, timeout_seconds)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise _broken(error) from error

    def upload(self, source: Path, directory: str, sha256: str) -> str:
        """Copy `source` into `directory` of the host over SFTP and return its path there.

        sha256: hex digest that the copy is checked against, on the host. Raises
        push.upload when it cannot be written or differs.
        """
        path = f"{directory}/{source.name}"
        try:
            with self._client.open_sftp() as sftp:
                sftp.put(str(source), path)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise TremplinError("push.upload", path=path, detail=_reason(error)) from error
        found = self.run(["sha256sum", path], root=False).stdout.split()
        if not found or not hmac.compare_digest(found[0], sha256):
            raise TremplinError("push.upload", path=path, detail="the checksum differs")
        return path

    def _connect(self) -> None:
        access, target = self._access, self._target
        for file in access.host_key_files:
            if file.expanduser().is_file():
                self._client.load_system_host_keys(str(file.expanduser()))
        for entry in known_hosts(access.known_hosts):
            for name in entry.hostnames:
                self._client.get_host_keys().add(name, entry.key.get_name(), entry.key)
        self._client.set_missing_host_key_policy(_OnlyAccepted(access.accepted_fingerprints))
        try:
            self._client.connect(
                target.host,
                target.port,
                username=target.user,
                password=access.password,
                passphrase=access.passphrase,
                pkey=access.key,
                key_filename=str(access.key_file.expanduser()) if access.key_file else None,
                allow_agent=access.agent,
                look_for_keys=access.agent and access.key_file is None,
                timeout=access.timeout_seconds,
                banner_timeout=access.timeout_seconds,
                auth_timeout=access.timeout_seconds,
            )
        except paramiko.BadHostKeyException as error:
            raise TremplinError(
                "push.host_key_changed", fingerprint=fingerprint(error.key)
            ) from error
        except paramiko.AuthenticationException as error:
            raise TremplinError("push.authentication", user=target.user or "?") from error
        except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
            raise TremplinError("push.unreachable", detail=_reason(error)) from error

    def _prepare_sudo(self) -> None:
        """Find out once whether sudo asks for a password, so that it is sent just then.

        -k makes sudo forget an earlier answer: else it would sometimes leave the password
        in standard input, for the command to read.
        """
        if self._execute("id -u", b"", 30).stdout == "0":
            return
        free = ("sudo", "-n", "-k", "--")
        if self._execute(shlex.join([*free, "true"]), b"", 30).status == 0:
            self._sudo = free
            return
        if self._access.sudo_password is None:
            raise TremplinError("push.sudo", detail="sudo asks for a password")
        asking = ("sudo", "-S", "-k", "-p", "", "--")
        given = self._access.sudo_password.encode() + b"\n"
        tried = self._execute(shlex.join([*asking, "true"]), given, 30)
        if tried.status != 0:
            lines = tried.stderr.splitlines()
            raise TremplinError("push.sudo", detail=lines[-1] if lines else "refused")
        self._sudo, self._sudo_input = asking, given

    def _execute(self, line: str, stdin: bytes, timeout_seconds: float) -> Result:
        transport = self._client.get_transport()
        if transport is None:
            raise EOFError("not connected")
        with transport.open_session(timeout=self._access.timeout_seconds) as channel:
            channel.settimeout(timeout_seconds)
            channel.exec_command(line)
            channel.sendall(stdin)
            channel.shutdown_write()
            stdout, stderr = _drain(channel)
            return Result(channel.recv_exit_status(), stdout, stderr)


def _drain(channel: paramiko.Channel) -> tuple[str, str]:
    """Read both streams to their end; a thread for the second would be one too many.

    Standard error is small here (an installer says one line), so it fits the window.
    """
    out, err = channel.makefile("rb"), channel.makefile_stderr("rb")
    stdout, stderr = out.read(), err.read()
    return stdout.decode("utf-8", "replace").rstrip(), stderr.decode("utf-8", "replace").rstrip()


def _broken(error: BaseException) -> TremplinError:
    return TremplinError("push.connection", detail=_reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        inner = next(iter(error.errors.values()))
        return _reason(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
