"""The key info: what an installer needs to find its server and to be let in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Tuple

from tremplin_agent.wire.base import SECRET_BYTES, WireError, b64decode, b64encode


@dataclass(frozen=True)
class KeyInfo:
    """What an installer needs to find its server and to be let in.

    urls: base URLs of the server (`https://host[:port]`), tried in order.
    ca_pin: SHA-256 (32 bytes) of the DER form of the server's own CA certificate, or
        empty when the server has a certificate of a public authority.
    installer_id: 32 hexadecimal characters.
    secret: SECRET_BYTES random bytes; the server knows only their hash.
    server_key: the server's identity key (32 bytes), whose orders root itself can check;
        empty in key info of servers that did not tell it.
    """

    urls: Tuple[str, ...]
    ca_pin: bytes
    installer_id: str
    secret: bytes = field(repr=False)
    server_key: bytes = b""

    def encode(self) -> str:
        """Return the opaque, URL-safe, unpadded form."""
        body = {
            "v": 1,
            "u": list(self.urls),
            "p": b64encode(self.ca_pin),
            "i": self.installer_id,
            "s": b64encode(self.secret),
        }
        if self.server_key:
            body["k"] = b64encode(self.server_key)
        return b64encode(json.dumps(body, separators=(",", ":")).encode())

    @classmethod
    def decode(cls, text: str) -> KeyInfo:
        """Return the key info of `text`; WireError when it is cut, mistyped or foreign."""
        try:
            body = json.loads(b64decode(text.strip()))
            urls, installer_id = body["u"], body["i"]
            ca_pin, secret = b64decode(body["p"]), b64decode(body["s"])
            version, server_key = body["v"], b64decode(body.get("k", ""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WireError("the key info is damaged or incomplete") from error
        good = (
            version == 1
            and isinstance(urls, list)
            and bool(urls)
            and all(isinstance(url, str) and url.startswith("https://") for url in urls)
            and isinstance(installer_id, str)
            and len(installer_id) == 32
            and len(ca_pin) in (0, 32)
            and len(server_key) in (0, 32)
            and len(secret) == SECRET_BYTES
        )
        if not good:
            raise WireError("the key info is damaged or incomplete")
        return cls(tuple(urls), ca_pin, installer_id, secret, server_key)
