"""Imports websockets without what it imports and the agent never uses.

`websockets` takes in importlib.metadata (to find the version of an unreleased copy) and
urllib.request (to find proxies): with them come the email, HTTP and zip packages, over
two megabytes that an agent would hold for as long as it runs. Empty modules stand in
their place during that one import. When a release of websockets needs more than that,
it is imported as it is.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Dict


def _without_proxies(*_: object) -> None:
    """Stand for both functions that are taken from urllib.request."""


def _placeholders() -> Dict[str, ModuleType]:
    made = {name: ModuleType(name) for name in ("importlib.metadata", "urllib.request")}
    made["urllib.request"].__dict__.update(
        getproxies=_without_proxies, proxy_bypass=_without_proxies
    )
    return {name: module for name, module in made.items() if name not in sys.modules}


def import_websockets() -> None:
    """Bring websockets into `sys.modules`, as small as it will have it."""
    if "websockets" in sys.modules:
        return
    standing_in = _placeholders()
    sys.modules.update(standing_in)
    try:
        import websockets.asyncio.client  # noqa: F401
    except (ImportError, AttributeError):
        for name in [n for n in sys.modules if n.split(".")[0] == "websockets"]:
            del sys.modules[name]
    finally:
        for name, module in standing_in.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
