"""The wire protocol of the control channel: messages, codes, key info, signatures.

Agent and server both import this module; it holds no I/O and needs nothing beyond the
standard library. Messages are JSON objects in WebSocket text frames, `{"type": …}`.
Unknown types decode to None and unknown fields are ignored, so that either side may be
newer than the other. Binary values travel as URL-safe base64 without padding.
"""

from __future__ import annotations

from tremplin_agent.codes import Code
from tremplin_agent.wire.base import (
    CA_PATH,
    CONTROL_PATH,
    MAX_FRAME,
    NONCE_BYTES,
    PAYLOAD_PATH,
    PROTOCOL_VERSION,
    RECORDING_PATH,
    SECRET_BYTES,
    SESSION_PATH,
    WireError,
    b64decode,
    b64encode,
)
from tremplin_agent.wire.codec import decode, encode
from tremplin_agent.wire.key_info import KeyInfo
from tremplin_agent.wire.messages import (
    AGENT_MESSAGES,
    SERVER_MESSAGES,
    STATISTICS_FIELDS,
    Ack,
    AgentMessage,
    Challenge,
    Command,
    CommandKind,
    Disabled,
    Drain,
    Enabled,
    Enrol,
    Hello,
    Log,
    Message,
    Proof,
    Refused,
    ServerMessage,
    SessionClose,
    SessionEnded,
    SessionOpen,
    Statistics,
    Uninstalled,
    UninstallReason,
    UserChanged,
    WakeOnLan,
    Welcome,
)
from tremplin_agent.wire.signed import (
    command_bytes,
    enrol_bytes,
    payload_bytes,
    proof_bytes,
    recording_bytes,
)
from tremplin_agent.wire.upgrade import UpgradeOrder, version_numbers

__all__ = [
    "AGENT_MESSAGES",
    "CA_PATH",
    "CONTROL_PATH",
    "MAX_FRAME",
    "NONCE_BYTES",
    "PAYLOAD_PATH",
    "PROTOCOL_VERSION",
    "RECORDING_PATH",
    "SECRET_BYTES",
    "SERVER_MESSAGES",
    "SESSION_PATH",
    "STATISTICS_FIELDS",
    "Ack",
    "AgentMessage",
    "Challenge",
    "Code",
    "Command",
    "CommandKind",
    "Disabled",
    "Drain",
    "Enabled",
    "Enrol",
    "Hello",
    "KeyInfo",
    "Log",
    "Message",
    "Proof",
    "Refused",
    "ServerMessage",
    "SessionClose",
    "SessionEnded",
    "SessionOpen",
    "Statistics",
    "UninstallReason",
    "Uninstalled",
    "UpgradeOrder",
    "UserChanged",
    "WakeOnLan",
    "Welcome",
    "WireError",
    "b64decode",
    "b64encode",
    "command_bytes",
    "decode",
    "encode",
    "enrol_bytes",
    "payload_bytes",
    "proof_bytes",
    "recording_bytes",
    "version_numbers",
]
