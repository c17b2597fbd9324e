"""What the MSI has done in Python: the first and the last steps of an installation.

The MSI's own tables copy files, make the registry's entries and the service. Its custom
actions run these commands of `DIR/lib`, hand them a JSON object on stdin, and show what
they print in the installer's log; the last line of a command that fails is the reason.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from tremplin_agent import __version__, installation
from tremplin_agent.codes import Code
from tremplin_agent.installation import FACTS_FILE, Installation
from tremplin_agent.parameters import PARAMETERS, Parameter, Where, check
from tremplin_agent.platform import windows, windows_files, windows_service
from tremplin_agent.platform.windows_api import reads_french
from tremplin_agent.refusal import Refusal, enrolment_refusal
from tremplin_agent.store import Store, StoreError, write_durably
from tremplin_agent.wire import KeyInfo, WireError

PARAMETERS_HERE: Tuple[Parameter, ...] = tuple(p for p in PARAMETERS if p.where is not Where.UNIX)
PROPERTIES: Dict[str, Parameter] = {
    p.msi_property: p for p in PARAMETERS_HERE if p.name != "install_dir"
}
"""The MSI's properties that reach `register`, and their parameters."""

START_SERVICES = "START_SERVICES"
"""0: the service is not started, and the agent does not enrol yet, for images."""
KEEP_RECORD = "KEEP_RECORD"
"""1, at a removal: the server is not told."""
RUNS_AS = "SYSTEM"
FAREWELL_FAILED = "the server could not be told; delete the record there"


def given(properties: Mapping[str, str]) -> Dict[str, Any]:
    """Return the parameters in their proper types; Refusal when one of them is wrong.

    properties: of the MSI, an empty one being one that was not given.
    """
    found: Dict[str, Any] = {}
    for name, parameter in PROPERTIES.items():
        text = properties.get(name, "")
        if not text.strip():
            continue
        try:
            value = check(parameter, text)
        except ValueError as error:
            raise Refusal(Code.INSTALL_BAD_VALUE, parameter=name, detail=str(error)) from error
        if value is not False:
            found[parameter.name] = value
    return found


def with_properties(text: str) -> str:
    """Return a text with the MSI's properties in the place of the `.bin`'s flags."""
    for parameter in sorted(PARAMETERS, key=lambda p: -len(p.flag)):
        text = text.replace(parameter.flag, parameter.msi_property)
    return text


def register(directory: Path, order: Mapping[str, Any]) -> None:
    """Make the files in `directory` an installation; Refusal, with all undone, if it can't.

    order: `properties` as the MSI has them, and `upgrade`: whether the installation of an
    older version is taken over, as it is.
    """
    properties: Dict[str, str] = order.get("properties", {})
    before = _before(directory)
    if before is not None:
        _keep(before)
        return
    try:
        _register(directory, given(properties), properties.get(START_SERVICES, "") != "0")
    except BaseException as error:
        discard(directory)
        if isinstance(error, (OSError, StoreError)):
            raise Refusal(Code.INSTALL_INTERNAL, detail=str(error)) from error
        raise


def _before(directory: Path) -> Optional[Installation]:
    try:
        found = installation.read(directory)
    except installation.NotInstalled:
        return None
    return found if found.complete else None


def _keep(before: Installation) -> None:
    """Take over an older version's identity and parameters."""
    now = replace(before, version=__version__, python=sys.executable)
    _write_facts(now)
    windows_service.settle(now.directory)
    sys.stdout.write(f"version {before.version} becomes {__version__}\n")


def _register(directory: Path, parameters: Dict[str, Any], starts: bool) -> None:
    key_text = str(parameters.pop("key_info", ""))
    key_info = _key_info(key_text)
    facts = Installation(
        install_dir=str(directory),
        user=RUNS_AS,
        scope="system",
        startup="service",
        name=windows.SERVICE,
        platform=windows.PLATFORM,
        installed_by="root",
        installed_at=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        python=sys.executable,
        urls=list(key_info.urls),
        ca_pin=key_info.ca_pin.hex(),
        parameters=parameters,
    )
    windows_files.make_private(facts.var)
    Store(facts.var).save_key_info(key_text)
    _write_facts(facts)
    windows_service.settle(directory)
    online = bool(parameters.get("online_install"))
    if online or starts:
        _enrol(directory, online)
    _write_facts(replace(facts, complete=True))


def _key_info(text: str) -> KeyInfo:
    if not text:
        raise Refusal(Code.INSTALL_KEY_MISSING)
    try:
        return KeyInfo.decode(text)
    except WireError as error:
        raise Refusal(Code.INSTALL_KEY_DAMAGED) from error


def _write_facts(facts: Installation) -> None:
    write_durably(facts.directory / FACTS_FILE, facts.dump().encode(), 0o644)


def _enrol(directory: Path, online: bool) -> None:
    """Enrol; Refusal when the server refuses. online: also when it can't be asked."""
    from tremplin_agent.__main__ import enrolment, opened

    outcome = asyncio.run(enrolment(opened(directory)))
    if not outcome["code"]:
        sys.stdout.write("enrolled\n")
        return
    refusal = enrolment_refusal(outcome["code"], outcome["detail"])
    unanswered = (Code.INSTALL_SERVER_UNREACHABLE, Code.INSTALL_SERVER_UNTRUSTED)
    if online or refusal.code not in unanswered:
        raise refusal
    sys.stdout.write(f"not enrolled yet: {refusal.line(False)}\n")


def unregister(directory: Path, order: Mapping[str, Any]) -> None:
    """Tell the server that the installation goes, and remove what the MSI knows nothing of.

    order: `upgrade`: a newer version takes its place, and what is the agent's own stays.
    A server that can't be told does not keep anybody from uninstalling.
    """
    if order.get("upgrade"):
        _forget_bytecode(directory)
        return
    kept = order.get("properties", {}).get(KEEP_RECORD) == "1"
    if not kept and not _told(directory):
        sys.stdout.write(FAREWELL_FAILED + "\n")
    discard(directory)


def _told(directory: Path) -> bool:
    from tremplin_agent.__main__ import told

    try:
        return told(directory, patient=False)
    except (installation.NotInstalled, StoreError):
        return True


def discard(directory: Path) -> None:
    """Remove what the agent and Python have made in an installation's directory."""
    shutil.rmtree(directory / "var", ignore_errors=True)
    with suppress(OSError):
        (directory / FACTS_FILE).unlink()
    _forget_bytecode(directory)


def _forget_bytecode(directory: Path) -> None:
    for made in list((directory / "lib").rglob("__pycache__")):
        shutil.rmtree(made, ignore_errors=True)


def carry_out(command: Callable[[Path, Mapping[str, Any]], None], directory: Path) -> int:
    """Run a command with the order on stdin; say why it failed, and return the exit status."""
    try:
        order = json.loads(sys.stdin.buffer.read() or b"{}")
        command(directory, order)
    except Refusal as refusal:
        return _failed(refusal)
    except Exception as error:  # the edge: whatever it is, one line
        return _failed(Refusal(Code.INSTALL_INTERNAL, detail=f"{type(error).__name__}: {error}"))
    return 0


def _failed(refusal: Refusal) -> int:
    _print(with_properties(refusal.line(reads_french())))
    return refusal.failure.exit_status


def _print(line: str) -> None:
    sys.stdout.buffer.write(" ".join(line.split()).encode() + b"\n")


Command = Callable[[Path, List[str]], int]


def commands() -> Tuple[Tuple[str, Command], ...]:
    """Return the commands that only Windows has."""
    return (
        ("service", lambda directory, _: _serve(directory)),
        ("register", lambda directory, _: carry_out(register, directory)),
        ("unregister", lambda directory, _: carry_out(unregister, directory)),
        ("session", lambda directory, _: _serve_session()),
    )


def _serve(directory: Path) -> int:
    from tremplin_agent.platform.windows_life import live

    windows_service.Service(lambda on_stop: live(directory, on_stop)).serve()
    return 0


def _serve_session() -> int:
    from tremplin_agent.ssh import windows as sessions

    sessions.main()
    return 0
