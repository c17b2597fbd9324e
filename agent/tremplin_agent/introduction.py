"""Who this agent is: its key, and what it says of itself when it connects."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict

from tremplin_agent import __version__, wire
from tremplin_agent.core.identity import Identity, fingerprint
from tremplin_agent.core.protocol import Enrolment, Self
from tremplin_agent.installation import Installation
from tremplin_agent.parameters import OVERRIDES
from tremplin_agent.platform import here
from tremplin_agent.reports import current_statistics
from tremplin_agent.store import State, Store, StoreError


def load_identity(store: Store) -> Identity:
    """Return the agent's identity, made at the first call."""
    raw = store.private_key()
    if raw is not None:
        return Identity.from_raw(raw)
    identity = Identity.generate()
    store.save_private_key(identity.raw())
    return identity


async def host_facts(installation: Installation) -> Dict[str, Any]:
    """Return what a new agent says of its host and of how it was installed.

    Gathered before it connects: the server does not wait for a slow resolver.
    """
    installed_at = datetime.fromisoformat(installation.installed_at)
    return {
        **await current_statistics("", here.console_user()),
        "install_dir": installation.install_dir,
        "run_as": installation.user,
        "scope": installation.scope,
        "startup": installation.startup,
        "installed_at": installed_at.timestamp(),
    }


def introduced(
    installation: Installation, store: Store, state: State, facts: Dict[str, Any]
) -> Self:
    """Return who connects. facts: of a new agent, with this end's address among them.

    Raises StoreError when a new agent has nothing to enrol with.
    """
    return Self(
        version=__version__,
        platform=installation.platform,
        fingerprint=fingerprint(here.machine_id(), here.hardware(installation.directory)),
        ca_pin=bytes.fromhex(installation.ca_pin),
        client_id=state.client_id,
        server_key=wire.b64decode(state.server_key),
        enrolment=None if state.client_id else _enrolment(installation, store, facts),
    )


def _enrolment(installation: Installation, store: Store, facts: Dict[str, Any]) -> Enrolment:
    key_info = store.key_info()
    if key_info is None:
        raise StoreError(f"{store.directory}: nothing to enrol with")
    given = installation.parameters
    return Enrolment(
        installer_id=key_info.installer_id,
        secret=key_info.secret,
        overrides={p.wire_name: given[p.name] for p in OVERRIDES.values() if p.name in given},
        facts=facts,
    )
