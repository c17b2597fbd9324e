"""Session keys: short enough to be read aloud, kept as a hash that needs the site's secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from tremplin_agent.wire import KEY_ALPHABET, KEY_LENGTH, SupportKey, normal_key

from tremplin_server import pki, sealing
from tremplin_server.config import Config

LINKS = "/support/join/"
"""Where a customer's link leads; the key follows, so that the path is not logged."""
_PURPOSE = "tremplin support session key v1"


def new_key() -> str:
    """Return a new session key, about 41 bits."""
    return "".join(secrets.choice(KEY_ALPHABET) for _ in range(KEY_LENGTH))


def hash_of(config: Config, key: str) -> str:
    """Return what is kept of a key: who has read the database alone can't try keys out."""
    secret = sealing.derived(config, _PURPOSE)
    return hmac.new(secret, normal_key(key).encode(), hashlib.sha256).hexdigest()


def stamped_key(config: Config, key: str = "") -> str:
    """Return what is written into a customer's client: this site, and the key if given."""
    urls = config.effective_public_urls
    return SupportKey(urls, pki.ca_pin(config), key and normal_key(key)).encode()
