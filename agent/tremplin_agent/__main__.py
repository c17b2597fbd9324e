"""The agent's command: `tremplin-agent run | status | enable | disable`.

The installed scripts also use `check`, `enrol`, `farewell`, `settle` and `scripts`.
Arguments are read by hand: argparse would stay in the memory of an agent for as long as it runs.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Dict, List, Optional, Tuple

from tremplin_agent import __version__, installation
from tremplin_agent.core.lifecycle import REMOVAL_EXIT_STATUS, UPDATE_EXIT_STATUS
from tremplin_agent.journal import set_up
from tremplin_agent.slim import import_websockets
from tremplin_agent.store import Store, StoreError

if TYPE_CHECKING:
    from tremplin_agent.agent import Agent

USAGE = """usage: tremplin-agent COMMAND [--dir DIR]

  run        run the Jump Client that is installed in DIR
  status     show what it knows: client id, phase, last contact, refusal, open sessions
  disable    let nobody jump to this host until `enable`; end the sessions there are
  enable     end `disable`
  version    show the version
"""
ENROL_SECONDS = 60.0
FAREWELL_SECONDS = 20.0
FAREWELL_TRIES = 3
PATIENT_SECONDS = 240.0
"""An agent that removes itself, perhaps at boot before the network is up, can wait."""

log = logging.getLogger("tremplin")


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command; return the exit status."""
    try:
        command, directory, rest = _parse(sys.argv[1:] if arguments is None else arguments)
        action = _COMMANDS[command]
    except (KeyError, ValueError):
        sys.stderr.write(USAGE)
        return 2
    try:
        return action(directory, rest)
    except installation.NotInstalled as error:
        sys.stderr.write(f"{error}\n")
        return 5
    except StoreError as error:
        log.error("%s", error)
        sys.stderr.write(f"{error}\n")
        return 1


def _parse(arguments: List[str]) -> Tuple[str, Path, List[str]]:
    rest = list(arguments)
    directory = installation.own_directory()
    if "--dir" in rest:
        place = rest.index("--dir")
        directory = Path(rest[place + 1 : place + 2][0] if rest[place + 1 :] else "")
        del rest[place : place + 2]
    if not rest:
        raise ValueError("no command")
    return rest[0], directory, rest[1:]


def opened(directory: Path) -> Agent:
    """Return the agent of an installation."""
    import_websockets()
    from tremplin_agent.agent import Agent

    facts = installation.read(directory)
    return Agent(facts, Store(facts.var))


def _run(directory: Path, rest: List[str]) -> int:
    set_up(installation.read(directory).name)
    os.umask(0o077)
    agent = opened(directory)
    # What was imported stays for good: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    gone = _until_terminated(agent.run())
    if agent.updates_now:
        return UPDATE_EXIT_STATUS
    return REMOVAL_EXIT_STATUS if gone else 0


def _until_terminated(work: Coroutine[Any, Any, bool]) -> bool:
    """Return what `work` gives, or False once SIGTERM or SIGINT ended it."""

    async def live() -> bool:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Windows has no such thing; what runs there for long is a service.
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            return await task
        return False

    return asyncio.run(live())


def _check(directory: Path, rest: List[str]) -> int:
    """Prove that this Python can load everything that the agent needs."""
    import_websockets()
    import tremplin_agent.agent
    import tremplin_agent.ssh.host  # noqa: F401
    from tremplin_agent.core.identity import Identity, verify

    identity = Identity.generate()
    return 0 if verify(identity.public_key, identity.sign(b"check"), b"check") else 1


def _enrol(directory: Path, rest: List[str]) -> int:
    """Enrol now; print the outcome as a JSON object with `code` and `detail`."""
    sys.stdout.write(json.dumps(asyncio.run(enrolment(opened(directory)))) + "\n")
    return 0


async def enrolment(agent: Agent) -> Dict[str, str]:
    """Enrol within a minute; return the outcome, its `code` empty when all went well."""
    from tremplin_agent.codes import Code
    from tremplin_agent.tls import Untrusted

    try:
        ending = await asyncio.wait_for(agent.enrol(), ENROL_SECONDS)
    except asyncio.TimeoutError:
        return {"code": Code.INSTALL_SERVER_UNREACHABLE.value, "detail": "no answer in time"}
    if ending.was_in:
        return {"code": "", "detail": ""}
    if ending.refused is not None:
        return {"code": ending.refused.code, "detail": ending.refused.detail}
    untrusted = isinstance(ending.fault, Untrusted)
    code = Code.INSTALL_SERVER_UNTRUSTED if untrusted else Code.INSTALL_SERVER_UNREACHABLE
    return {"code": code.value, "detail": str(ending.fault or "the connection was closed")}


def _farewell(directory: Path, rest: List[str]) -> int:
    """Tell the server that the agent is gone; exit status 0 when it knows, 1 otherwise.

    rest: `by_agent` when nobody waits for the answer.
    """
    return 0 if told(directory, patient="by_agent" in rest) else 1


def told(directory: Path, patient: bool) -> bool:
    """Tell the server that the agent is gone; return whether it knows.

    patient: nobody waits for the answer.
    """
    from tremplin_agent.wire import UninstallReason

    agent = opened(directory)
    reason = agent.removal_reason or UninstallReason.BY_HAND.value
    # An agent that leaves because the server is gone has waited for it long enough.
    patient = patient and reason != UninstallReason.OFFLINE_LIMIT.value
    seconds = PATIENT_SECONDS if patient else FAREWELL_SECONDS
    tries = int(PATIENT_SECONDS) if patient else FAREWELL_TRIES

    async def bounded() -> bool:
        with suppress(asyncio.TimeoutError):
            return await asyncio.wait_for(agent.farewell(reason, tries), seconds)
        return False

    return asyncio.run(bounded())


def _settle(directory: Path, rest: List[str]) -> int:
    """Settle an update before the agent starts; see `tremplin_agent.updating`."""
    from tremplin_agent.updating.settling import settle

    set_up(installation.read(directory).name)
    os.umask(0o022)
    try:
        settle(directory)
    except OSError as error:
        log.error("the update cannot be settled: %s", error)
        return 1
    return 0


def _scripts(directory: Path, rest: List[str]) -> int:
    """Write this version's init-script and uninstall in the place of an older one's."""
    from tremplin_agent.installer.scripts import write

    write(installation.read(directory), directory)
    return 0


def _status(directory: Path, rest: List[str]) -> int:
    facts = installation.read(directory)
    state = Store(facts.var).state()
    shown = {
        "version": __version__,
        "install_dir": facts.install_dir,
        "user": facts.user,
        "startup": facts.startup,
        "servers": facts.urls,
        "complete": facts.complete,
        "phase": state.phase.value,
        "client_id": state.client_id,
        "last_contact": state.last_contact,
        "refused": state.refused,
        "disabled": Store(facts.var).is_disabled,
        "sessions": Store(facts.var).sessions(),
    }
    sys.stdout.write(json.dumps(shown, indent=1) + "\n")
    return 0


def _disable(directory: Path, rest: List[str]) -> int:
    Store(installation.read(directory).var).set_disabled(True)
    return 0


def _enable(directory: Path, rest: List[str]) -> int:
    Store(installation.read(directory).var).set_disabled(False)
    return 0


def _version(directory: Path, rest: List[str]) -> int:
    sys.stdout.write(f"tremplin-agent {__version__}\n")
    return 0


_COMMANDS: Dict[str, Callable[[Path, List[str]], int]] = {
    "run": _run,
    "status": _status,
    "disable": _disable,
    "enable": _enable,
    "check": _check,
    "enrol": _enrol,
    "farewell": _farewell,
    "settle": _settle,
    "scripts": _scripts,
    "version": _version,
}
if sys.platform == "win32":
    from tremplin_agent.platform import windows_install

    _COMMANDS.update(windows_install.commands())

if __name__ == "__main__":
    sys.exit(main())
