"""Running a customer's client out of its payload, without installing anything.

This runs in the `.bin` itself, with the standard library alone: it unpacks into a private
temporary directory, runs the client there, and removes the directory, however that ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from tremplin_agent import wire
from tremplin_agent.installer import payload
from tremplin_agent.installer.report import is_french
from tremplin_agent.support import place
from tremplin_agent.support.elevation import RESUME_OPTION, resumed
from tremplin_agent.support.words import Speech

OPTION = "--session-key"
TERMINAL_OPTION = "--terminal"
SETTING = "setting.json"
_PROGRAM = """\
import sys
library = sys.argv.pop(1)
sys.path[:] = [library] + [path for path in sys.path if path]
from tremplin_agent.support.run import started
sys.exit(started())
"""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Refused(Exception):
    """The client cannot run; the text is a name among the words."""


def wants_support(words: List[str], stamped: str) -> bool:
    """Return whether this payload runs as a customer's client: it is told to, or stamped so."""
    asked = any(word == OPTION or word.startswith((f"{OPTION}=", RESUME_OPTION)) for word in words)
    bare = [word for word in words if word != TERMINAL_OPTION]
    return asked or (not bare and _support_key(stamped) is not None)


def launch(words: List[str], source: payload.Payload, stamped: str) -> int:
    """Run the client; return the exit status."""
    try:
        setting = _setting(words, stamped)
    except Refused as refused:
        speech = Speech(is_french(os.environ))
        sys.stderr.write(speech.say(str(refused)) + "\n")
        return 2
    place.sweep()
    try:
        directory, lock = place.made()
    except place.NoPlace:
        sys.stderr.write(Speech(is_french(os.environ)).say("support.no_place") + "\n")
        return 1
    try:
        return _run(directory, lock, source, setting)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(directory: Path, lock: int, source: payload.Payload, setting: Dict[str, Any]) -> int:
    payload.unpack(source.path, directory / "lib")
    copied = directory / "payload.bin"
    shutil.copyfile(source.path, copied)
    setting.update(payload=str(copied), platform=source.platform)
    _write_private(directory / SETTING, json.dumps(setting))
    watched, lifeline = os.pipe()
    command = [sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, str(directory / "lib")]
    # The terminal's Ctrl-C reaches the client by itself; other signals are passed on.
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [*command, str(directory), str(watched)], pass_fds=[watched, lock]
    )
    os.close(watched)
    for number in _SIGNALS:
        signal.signal(number, lambda got, _frame: _pass_on(process, got))
    status = process.wait()
    os.close(lifeline)
    return status if status >= 0 else 1


def _pass_on(process: subprocess.Popen[bytes], number: int) -> None:
    if number != signal.SIGINT:
        process.send_signal(number)


def _write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


# --- what it runs with ------------------------------------------------------------------


def _setting(words: List[str], stamped: str) -> Dict[str, Any]:
    if words and words[0] == RESUME_OPTION:
        path = Path(words[1] if len(words) > 1 else "")
        known = resumed(path)
        return {**known, "resume": str(path)}
    key = _given(words)
    site = _support_key(stamped)
    whole = _support_key(key) if key else site
    if whole is None and site is not None and key is not None:
        whole = wire.SupportKey(site.urls, site.ca_pin, _normal(key))
    if whole is None:
        raise Refused("support.no_server")
    if not whole.key:
        whole = wire.SupportKey(whole.urls, whole.ca_pin, _typed())
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not sys.stdin.isatty() and (not screen or TERMINAL_OPTION in words):
        raise Refused("support.no_terminal")
    return {"key": whole.encode(), "terminal": TERMINAL_OPTION in words}


def _given(words: List[str]) -> Optional[str]:
    for place_, word in enumerate(words):
        if word.startswith(f"{OPTION}="):
            return word.partition("=")[2]
        if word == OPTION:
            return words[place_ + 1] if len(words) > place_ + 1 else ""
    return None


def _typed() -> str:
    """Ask for the key, so that it need not stand in the list of processes."""
    if not sys.stdin.isatty():
        raise Refused("support.bad_key")
    sys.stdout.write(Speech(is_french(os.environ)).say("key"))
    sys.stdout.flush()
    return _normal(sys.stdin.readline())


def _normal(text: str) -> str:
    try:
        return wire.normal_key(text)
    except wire.WireError as error:
        raise Refused("support.bad_key") from error


def _support_key(text: str) -> Optional[wire.SupportKey]:
    try:
        return wire.SupportKey.decode(text)
    except wire.WireError:
        return None
