"""SSH public keys of people and API accounts: with them they sign in to the bastion.

A key belongs to one account, so that whoever shows it is known. Everybody handles their own;
others' need accounts.write.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.exc import IntegrityError

from tremplin_server.accounts.models import ApiAccount, SshKey, User
from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Invalid, NotFound
from tremplin_server.permissions import ActorKind, Permission

ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
LEAST_RSA_BITS = 2048
MAX_LENGTH = 16_384
"""Characters of a public key line; an RSA key of 16384 bits has 2800."""
MAX_KEYS = 100
"""Of one account: the keys of a session travel to the agent."""
_COMMENT_LENGTH = 255
_FIELD = "public_key"
Owner = User | ApiAccount


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: `line` is algorithm and base64, the form of authorized_keys."""

    line: str
    fingerprint: str
    comment: str = ""


def parse(text: str) -> PublicKey:
    """Return the key of a line such as that of `id_ed25519.pub`.

    Raises Invalid (`public_key`): no public key, a private one, several, one with options
    in front, a kind or size that is not accepted.
    """
    if "PRIVATE KEY" in text:
        raise _wrong("This is a private key: keep it to yourself and give the .pub file.")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    words = lines[0].split(None, 2) if len(lines) == 1 else []
    if len(text) > MAX_LENGTH or len(words) < 2:
        raise _wrong("Not an SSH public key.")
    algorithm, encoded = words[0], words[1]
    if algorithm not in ALGORITHMS:
        raise _wrong("Must be one of: " + ", ".join(ALGORITHMS) + ".")
    _check(algorithm, encoded)
    comment = words[2].strip() if len(words) == 3 else ""
    return PublicKey(f"{algorithm} {encoded}", fingerprint_of(encoded), comment[:_COMMENT_LENGTH])


def fingerprint_of(encoded: str) -> str:
    """Return the fingerprint of a key's base64, as `ssh-keygen -l` shows it."""
    digest = hashlib.sha256(base64.b64decode(encoded)).digest()
    return "SHA256:" + base64.b64encode(digest).rstrip(b"=").decode("ascii")


def _check(algorithm: str, encoded: str) -> None:
    try:
        raw = base64.b64decode(encoded, validate=True)
        inner = raw[4 : 4 + int.from_bytes(raw[:4], "big")]
        key = load_ssh_public_key(f"{algorithm} {encoded}".encode("ascii"))
    except (binascii.Error, ValueError, UnsupportedAlgorithm, UnicodeEncodeError) as error:
        raise _wrong("Not an SSH public key.") from error
    if inner != algorithm.encode():
        raise _wrong("Not an SSH public key.")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise _wrong(f"An RSA key needs at least {LEAST_RSA_BITS} bits.")


def _wrong(message: str) -> Invalid:
    return Invalid({_FIELD: [message]})


# --- whose keys -----------------------------------------------------------------------


def acting_owner(work: Work) -> Owner:
    """Return the account of whoever acts; NotFound for the command line and the system."""
    found: Owner | None = None
    if work.actor.kind is ActorKind.USER:
        found = work.session.get(User, work.actor.id)
    elif work.actor.kind is ActorKind.API_ACCOUNT:
        found = work.session.get(ApiAccount, work.actor.id)
    if found is None:
        raise NotFound("request.not_found", what="account", id=work.actor.name)
    return found


def name_of(owner: Owner) -> str:
    """Return the name under which the account signs in to the bastion."""
    return owner.username if isinstance(owner, User) else owner.name


def query(work: Work, owner: Owner) -> Select[SshKey]:
    """Return the keys of an account, oldest first; one's own, or with accounts.read."""
    if not _is_own(work, owner):
        work.actor.require(Permission.ACCOUNTS_READ)
    return select(SshKey).where(owned(owner)).order_by(SshKey.id)


def add(work: Work, owner: Owner, text: str, comment: str = "") -> SshKey:
    """Register a public key. comment: instead of the one in `text`.

    Raises Invalid (see `parse`), Conflict (ssh_key.taken) when any account has it already.
    """
    _require_write(work, owner)
    key = parse(text)
    if len(work.session.scalars(select(SshKey.id).where(owned(owner))).all()) >= MAX_KEYS:
        raise _wrong(f"An account has at most {MAX_KEYS} keys.")
    made = SshKey(
        fingerprint=key.fingerprint,
        public_key=key.line,
        comment=(comment.strip() or key.comment)[:_COMMENT_LENGTH],
        created_at=work.now(),
    )
    made.user_id = owner.id if isinstance(owner, User) else None
    made.account_id = owner.id if isinstance(owner, ApiAccount) else None
    try:
        with work.session.begin_nested():
            work.session.add(made)
    except IntegrityError as error:
        raise Conflict("ssh_key.taken") from error
    _record(work, "ssh_key.added", owner, made)
    return made


def get(work: Work, owner: Owner, key_id: int) -> SshKey:
    """Return one key of an account; NotFound when it has none of that id."""
    found = work.session.scalar(query(work, owner).where(SshKey.id == key_id))
    if found is None:
        raise NotFound("request.not_found", what="SSH key", id=key_id)
    return found


def remove(work: Work, owner: Owner, key_id: int) -> None:
    """Take a key away: nobody signs in with it any more."""
    _require_write(work, owner)
    found = get(work, owner, key_id)
    _record(work, "ssh_key.removed", owner, found)
    work.session.delete(found)
    work.session.flush()


def owned(owner: Owner) -> ColumnElement[bool]:
    """Return the condition that a key is that account's."""
    return (SshKey.user_id if isinstance(owner, User) else SshKey.account_id) == owner.id


def _is_own(work: Work, owner: Owner) -> bool:
    kind = ActorKind.USER if isinstance(owner, User) else ActorKind.API_ACCOUNT
    return work.actor.kind is kind and work.actor.id == owner.id


def _require_write(work: Work, owner: Owner) -> None:
    if not _is_own(work, owner):
        work.actor.require(Permission.ACCOUNTS_WRITE)


def _record(work: Work, action: str, owner: Owner, key: SshKey) -> None:
    kind = "user" if isinstance(owner, User) else "api_account"
    audit.record(
        work, action, kind, owner.id, name_of(owner),
        fingerprint=key.fingerprint, comment=key.comment,
    )  # fmt: skip
