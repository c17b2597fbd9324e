"""Installing a Jump Client from a support session: the installer, from the same payload.

As root it is a service of its own unprivileged account; otherwise it is this user's, and
runs while he is signed in.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict

from tremplin_agent import wire
from tremplin_agent.codes import Code

INSTALL_SECONDS = 300
_PROGRAM = """\
import sys
sys.path[:] = sys.argv[1:]
from tremplin_agent.support.pinning import main
main()
"""


async def install(payload: Path, pin: wire.Pin, french: bool) -> wire.PinAnswer:
    """Install; return what became of it. The key info goes by a pipe: nobody else sees it."""
    given = {"payload": str(payload), "key_info": pin.key_info, "french": french}
    paths = [path for path in sys.path if path]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, *paths],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        talking = process.communicate(json.dumps(given).encode())
        said, _ = await asyncio.wait_for(talking, INSTALL_SECONDS)
        answer: Dict[str, Any] = json.loads(said)
    except (asyncio.TimeoutError, ValueError):
        if process.returncode is None:
            process.kill()
        detail = "the installer did not end in time"
        return wire.PinAnswer(pin.number, Code.INSTALL_INTERNAL.value, detail)
    return wire.PinAnswer(pin.number, str(answer["code"]), str(answer["detail"]))


def main() -> None:
    """Install as standard input says, and print the outcome as JSON."""
    given = json.loads(sys.stdin.read())
    sys.stdout.write(
        json.dumps(outcome(Path(given["payload"]), given["key_info"], given["french"]))
    )


def outcome(path: Path, key_info: str, french: bool) -> Dict[str, str]:
    """Install from a payload; return code (empty when it went well) and detail."""
    from tremplin_agent.installer import checks, payload
    from tremplin_agent.installer.arguments import Arguments
    from tremplin_agent.installer.install import Installer
    from tremplin_agent.installer.report import Reporter
    from tremplin_agent.refusal import Refusal

    os.umask(0o022)
    reporter = Reporter(quiet=True)
    given: Dict[str, Any] = {"key_info": key_info, "online_install": True}
    if os.geteuid() == 0:
        given["scope"] = "system"
    asked = Arguments(given, quiet=True)
    try:
        source = payload.read(path)
        plan = checks.plan(asked, "", source.platform, reporter, lingers=False)
        Installer(plan, asked, source).run(reporter)
    except Refusal as refusal:
        line = refusal.line(french).partition(": ")[2]
        return {"code": refusal.code.value, "detail": line[:250]}
    except Exception as error:  # the edge: whatever it is, the technician hears of it
        detail = f"{type(error).__name__}: {error}"[:250]
        return {"code": Code.INSTALL_INTERNAL.value, "detail": detail}
    return {"code": "", "detail": ""}
