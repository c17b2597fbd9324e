"""`make bench`: run the benches and print every figure beside its target.

Never fails because of a figure: a slow or busy machine is no defect. It fails only when a
bench itself broke. Everything stays on this machine's own interfaces, and all that is
started or written is stopped and taken away at the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import figures, noticing, pages, passive, real, scale, sessions
from tests.bench.bench import Bench, Runner, Skipped
from tests.bench.figures import Figure
from tests.bench.fleet import raise_file_limit
from tests.bench.fleets import TooSlow

BENCHES: dict[str, Runner] = {
    "package": real.package,
    "agent": real.agent,
    "noticing": noticing.cut,
    "enrol": scale.enrol,
    "back": scale.back,
    "sqlite": scale.sqlite,
    "postgres": scale.postgresql,
    "passive": passive.check_ins,
    "sessions": sessions.sqlite,
    "sessions-postgres": sessions.postgresql,
    "console": pages.sqlite,
    "console-postgres": pages.postgresql,
}
MOST_AGENTS = 30_000
CHECKOUT = Path(__file__).parents[2]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure server and agent on this machine, next to what they should reach.",
        epilog="Benches: "
        + "; ".join(
            f"{name}: {(run.__doc__ or '').splitlines()[0]}" for name, run in BENCHES.items()
        ),
    )
    parser.add_argument(
        "bench", nargs="*", help="which benches to run (default: all of them)", metavar="BENCH"
    )
    parser.add_argument(
        "--agents",
        type=int,
        default=1_000,
        metavar="N",
        help=f"agents of the large benches (1 to {MOST_AGENTS}, default 1000; "
        "the targets are stated for 10000)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--keep-going", action="store_true", help="run the other benches when one breaks"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 unless a bench broke."""
    parser = _parser()
    given = parser.parse_args(arguments)
    unknown = [name for name in given.bench if name not in BENCHES]
    if unknown:
        parser.error(f"no bench is called {unknown[0]}; there are {', '.join(BENCHES)}")
    if not 1 <= given.agents <= MOST_AGENTS:
        parser.error(f"--agents takes 1 to {MOST_AGENTS}")
    raise_file_limit()
    progress = Console(stderr=True)
    began, rows, broke = time.monotonic(), [], False
    with tempfile.TemporaryDirectory(prefix="tremplin-bench-") as directory:
        # A service user of an agent under test must get through.
        Path(directory).chmod(0o711)

        def say(text: str) -> None:
            progress.print(f"[dim]{time.monotonic() - began:6.1f} s[/] {text}")

        bench = Bench(Path(directory), given.agents, say, CHECKOUT / ".cache" / "payload")
        for name in given.bench or BENCHES:
            figures_of, failed = _run(name, bench, progress)
            rows += figures_of
            broke = broke or failed
            if failed and not given.keep_going:
                break
    if given.json:
        print(figures.as_json(rows))
    else:
        figures.show(rows, Console(width=max(Console().width, 120)))
    return 1 if broke else 0


def _run(name: str, bench: Bench, progress: Console) -> tuple[list[Figure], bool]:
    rows: list[Figure] = []
    bench.say(f"[bold]{name}[/]")
    try:
        for figure in BENCHES[name](bench):
            rows.append(figure)
            bench.say(f"{figure.what}: {figure.shown}")
    except Skipped as why:
        rows.append(Figure(name, "skipped", None, note=str(why)))
    except TooSlow as why:
        rows.append(Figure(name, "not reached", None, note=str(why)))
    except Exception:
        progress.print(traceback.format_exc(), markup=False)
        rows.append(Figure(name, "broke", None, note="see the traceback"))
        return rows, True
    return rows, False


if __name__ == "__main__":
    sys.exit(main())
