"""The messages of the control channel, and the closed sets that they name."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Dict, Tuple, Type, Union

from tremplin_agent.wire import support


@dataclass(frozen=True)
class Hello:
    """First frame of an agent. client_id is 0 for an agent that has not enrolled.

    visit: 1 for a passive agent that only checks in and leaves again; see `Statistics`.
    """

    TYPE = "hello"
    protocol: int
    version: str
    platform: str
    fingerprint: str
    client_id: int = 0
    visit: int = 0


@dataclass(frozen=True)
class Challenge:
    """The server's NONCE_BYTES random bytes, base64; signed by `Proof` or `Enrol`."""

    TYPE = "challenge"
    nonce: str


@dataclass(frozen=True)
class Enrol:
    """Ask for a record with an installer's key info.

    overrides: parameter name (see `tremplin_agent.parameters`) → value given at install.
    facts: install_dir, run_as, scope, startup and the first statistics.
    Repeating it with the same public key gives the same client id.
    """

    TYPE = "enrol"
    installer_id: str
    secret: str = field(repr=False)
    public_key: str
    signature: str
    ca_pin: str
    overrides: Dict[str, Any] = field(default_factory=dict)
    facts: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """The signature of `proof_bytes` by a known agent."""

    TYPE = "proof"
    client_id: int
    signature: str
    ca_pin: str


@dataclass(frozen=True)
class Welcome:
    """The agent is in. server_key is the identity key whose commands it obeys."""

    TYPE = "welcome"
    client_id: int
    server_key: str
    settings: Dict[str, Any]
    properties: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """The agent is not let in. retry_after (seconds) is 0 when trying again is useless."""

    TYPE = "refused"
    code: str
    detail: str = ""
    retry_after: int = 0


@dataclass(frozen=True)
class Command:
    """A stored order, repeated until acknowledged.

    kind: a `CommandKind` value. signature: of `command_bytes`, for the signed kinds.
    """

    TYPE = "command"
    id: str
    kind: str
    client_id: int
    body: Dict[str, Any] = field(default_factory=dict)
    signature: str = ""


@dataclass(frozen=True)
class Ack:
    """A command was carried out (`code` empty) or failed for good (`code`)."""

    TYPE = "ack"
    id: str
    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Statistics:
    """What the host looks like now; keys are those of `STATISTICS_FIELDS`.

    A passive agent adds `listening`: where it can be woken, as `port` (0 for nowhere),
    `addresses` of the host, and `fault`: why it does not listen.
    """

    TYPE = "statistics"
    values: Dict[str, Any]


@dataclass(frozen=True)
class UserChanged:
    """Another console user (empty: nobody)."""

    TYPE = "user_changed"
    console_user: str


@dataclass(frozen=True)
class Disabled:
    """The local user switched the Jump Client off; no session until `Enabled`."""

    TYPE = "disabled"


@dataclass(frozen=True)
class Enabled:
    """The local user switched the Jump Client on again."""

    TYPE = "enabled"


@dataclass(frozen=True)
class Uninstalled:
    """The last word of an agent that was removed on its host. reason: `UninstallReason`."""

    TYPE = "uninstalled"
    reason: str


@dataclass(frozen=True)
class Log:
    """One line worth keeping at the server; level is a logging level name in lower case."""

    TYPE = "log"
    level: str
    code: str
    detail: str = ""


@dataclass(frozen=True)
class Drain:
    """The server is going away: reconnect after a random time up to `spread` seconds."""

    TYPE = "drain"
    spread: float


@dataclass(frozen=True)
class SessionOpen:
    """Dial `SESSION_PATH` with this one-time token as Bearer and serve SSH there.

    Never stored and never repeated: a session waits for nobody. terms: see `tremplin_agent.terms`.
    """

    TYPE = "session_open"
    session_id: str
    token: str = field(repr=False)
    terms: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionClose:
    """End this session now, with everything that it started. code: why."""

    TYPE = "session_close"
    session_id: str
    code: str


@dataclass(frozen=True)
class SessionEnded:
    """A session is over on the host, or was refused. code: why; empty for a plain end."""

    TYPE = "session_ended"
    session_id: str
    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class WakeOnLan:
    """Wake hosts that are switched off and stand in a network of this one. Never repeated.

    targets: address of a network card (12 hexadecimal digits) → its network (`10.0.0.0/24`).
    """

    TYPE = "wake_on_lan"
    targets: Dict[str, Any]


AgentMessage = Union[
    Hello, Enrol, Proof, Ack, Statistics, UserChanged, Disabled, Enabled, Uninstalled, Log,
    SessionEnded, support.Attend, support.FromCustomer,
]  # fmt: skip
ServerMessage = Union[
    Challenge, Welcome, Refused, Command, Drain, SessionOpen, SessionClose, WakeOnLan,
    support.ToCustomer,
]  # fmt: skip
Message = Union[AgentMessage, ServerMessage]

AGENT_MESSAGES: Tuple[Type[Any], ...] = (
    Hello, Enrol, Proof, Ack, Statistics, UserChanged, Disabled, Enabled, Uninstalled, Log,
    SessionEnded, support.Attend, *support.FROM_CUSTOMER,
)  # fmt: skip
SERVER_MESSAGES: Tuple[Type[Any], ...] = (
    Challenge, Welcome, Refused, Command, Drain, SessionOpen, SessionClose, WakeOnLan,
    *support.TO_CUSTOMER,
)  # fmt: skip


class CommandKind(str, Enum):
    """What a `Command` may order. The signed kinds name the client in the signature."""

    PROPERTIES = "properties"
    UNINSTALL = "uninstall"

    @property
    def signed(self) -> bool:
        return self is CommandKind.UNINSTALL


class UninstallReason(str, Enum):
    """Why an agent is gone from its host."""

    BY_HAND = "by_hand"
    COMMAND = "command"
    OFFLINE_LIMIT = "offline_limit"
    WINDOW_CLOSED = "window_closed"


STATISTICS_FIELDS = (
    "hostname",
    "fqdn",
    "operating_system",
    "private_ip",
    "console_user",
    "uptime_seconds",
    "cpu_percent",
    "cpu_count",
    "memory_total_bytes",
    "memory_used_bytes",
    "disk_total_bytes",
    "disk_used_bytes",
    "networks",
)
"""Keys of `Statistics.values`; the public IP is what the server sees of the connection."""
