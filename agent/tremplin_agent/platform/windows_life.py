"""The agent's life as a Windows service, to its own removal by the MSI that installed it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, List

from tremplin_agent import installation
from tremplin_agent.__main__ import opened
from tremplin_agent.journal import set_up
from tremplin_agent.platform.windows import PRODUCT_KEY, registry_text

_DETACHED = 0x00000008 | 0x00000200 | 0x01000000
"""DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP, CREATE_BREAKAWAY_FROM_JOB."""

log = logging.getLogger("tremplin.service")


def live(directory: Path, on_stop: Callable[[Callable[[], None]], None]) -> None:
    """Run the agent until it is stopped, or has to remove itself, which is begun then."""
    facts = installation.read(directory)
    set_up(facts.name)
    agent = opened(directory)
    gc.collect()
    gc.freeze()
    if asyncio.run(_until_stopped(agent.run(), on_stop)):
        remove_installation()


async def _until_stopped(work: Any, on_stop: Callable[[Callable[[], None]], None]) -> bool:
    """Return what `work` gives, or False once the service was told to stop."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.call_soon_threadsafe(task.cancel)

    on_stop(stop)
    with suppress(asyncio.CancelledError):
        return bool(await task)
    return False


def removal(product_code: str) -> List[str]:
    """Return the command that removes the installation, whose `unregister` does the rest."""
    return [_msiexec(), "/x", product_code, "/qn", "/norestart"]


def _msiexec() -> str:
    windows = os.environ.get("SYSTEMROOT", "C:\\Windows")
    return windows + "\\System32\\msiexec.exe"


def remove_installation() -> None:
    """Begin the removal, which outlives this process: it stops the service first."""
    code = registry_text(PRODUCT_KEY, "ProductCode")
    if not code:
        log.error("the product code is not in the registry: uninstall this Jump Client by hand")
        return
    log.warning("the Jump Client removes itself")
    subprocess.Popen(  # noqa: S603 - Windows' own installer, and the code that it gave
        removal(code),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=True,
        creationflags=_DETACHED,
    )
