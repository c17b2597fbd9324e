"""The `.bin`'s program: read the command line, install, say how it went."""

from __future__ import annotations

import os
import signal
import sys
import zipfile
from pathlib import Path
from types import FrameType
from typing import List, NoReturn, Optional

from tremplin_agent.codes import Code
from tremplin_agent.installer import arguments, checks, payload
from tremplin_agent.installer.install import SIGNALS, Installer
from tremplin_agent.installer.report import Reporter
from tremplin_agent.refusal import Refusal
from tremplin_agent.support import launch


def main(words: Optional[List[str]] = None) -> int:
    """Install as the command line says; return the exit status."""
    os.umask(0o022)
    for number in SIGNALS:
        signal.signal(number, _interrupted)
    reporter = Reporter()
    try:
        return _install(sys.argv[1:] if words is None else words, reporter)
    except Refusal as refusal:
        return reporter.fail(refusal)
    except (Exception, KeyboardInterrupt) as error:  # the edge: whatever it is, one line
        detail = f"{type(error).__name__}: {error}"
        return reporter.fail(Refusal(Code.INSTALL_INTERNAL, detail=detail))


def _install(words: List[str], reporter: Reporter) -> int:
    path = Path(sys.argv[0])
    try:
        source = payload.read(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise Refusal(Code.INSTALL_INTERNAL, detail=f"{path} is damaged: {error}") from error
    stamped = payload.stamped_key(path)
    if launch.wants_support(words, stamped):
        return launch.launch(words, source, stamped)
    asked = arguments.parse(words, path.name, source.platform)
    reporter.quiet = asked.quiet
    plan = checks.plan(asked, stamped, source.platform, reporter)
    done = Installer(plan, asked, source).run(reporter)
    reporter.say(
        f"The Jump Client is installed in {done.install_dir} and runs as {done.user}; "
        f"started at boot by: {done.startup}.",
        f"Le Jump Client est installé dans {done.install_dir} et s'exécute sous {done.user} ; "
        f"lancé au démarrage par : {done.startup}.",
    )
    reporter.say(
        f"To remove it: {done.install_dir}/uninstall",
        f"Pour le désinstaller : {done.install_dir}/uninstall",
    )
    return 0


def _interrupted(number: int, frame: Optional[FrameType]) -> NoReturn:
    """Turn a signal into a failure, once: what is undone then must not be cut as well."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    name = signal.Signals(number).name
    raise Refusal(Code.INSTALL_INTERNAL, detail=f"interrupted by {name}")


if __name__ == "__main__":
    sys.exit(main())
