"""Telling how the hosts of a push are getting on: live on a terminal, in lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from tremplin_server.errors import TremplinError
from tremplin_server.push import words
from tremplin_server.push.host import Job, Report, Say
from tremplin_server.push.plan import Outcome, Step

STYLES = {Outcome.FAILED: "bold red", Outcome.UNCHANGED: "dim", Outcome.ABSENT: "dim"}


class Display(Protocol):
    """Where steps and results are shown; called from several threads."""

    def __enter__(self) -> Display: ...

    def __exit__(self, *error: object) -> None: ...

    def say(self, host: str, step: Step) -> None: ...

    def done(self, report: Report, text: str) -> None: ...


class Lines:
    """One line a step, on standard error, in the language of the terminal."""

    def __init__(self, language: str) -> None:
        self._lock = threading.Lock()
        self._language = language

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def say(self, host: str, step: Step) -> None:
        self._line(host, words.step(step, self._language))

    def done(self, report: Report, text: str) -> None:
        self._line(report.host, text)

    def _line(self, host: str, text: str) -> None:
        with self._lock:
            click.echo(f"{host}: {text}", err=True)


class Screen:
    """One row a host, with its present step, on a terminal at standard error."""

    def __init__(self, hosts: Sequence[str], language: str) -> None:
        self._language = language
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("[bold]{task.fields[host]}"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._rows: dict[str, TaskID] = {
            host: self._progress.add_task(words.waiting(language), total=1, start=False, host=host)
            for host in hosts
        }

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def say(self, host: str, step: Step) -> None:
        self._progress.start_task(self._rows[host])
        self._progress.update(self._rows[host], description=words.step(step, self._language))

    def done(self, report: Report, text: str) -> None:
        style = STYLES.get(report.outcome, "green")
        text = text.replace("[", r"\[")
        self._progress.update(
            self._rows[report.host], description=f"[{style}]{text}[/]", completed=1
        )


def display(hosts: Sequence[str], language: str) -> Display:
    """Return the display that fits standard error."""
    return Screen(hosts, language) if sys.stderr.isatty() else Lines(language)


def run(
    jobs: Sequence[Job],
    act: Callable[[Job, Say], Report],
    shown: Display,
    *,
    parallel: int,
    language: str,
) -> list[Report]:
    """Return the report of every job, in their order; `parallel` run at once.

    An unexpected failure of one ends in its report, never in the others' way.
    """

    def one(job: Job) -> Report:
        try:
            report = act(job, lambda step: shown.say(job.name, step))
        except Exception as error:
            trouble = TremplinError("push.host", host=job.name, detail=repr(error))
            report = Report(job.name, Outcome.FAILED, error=trouble)
        shown.done(report, verdict(report, language))
        return report

    with shown, ThreadPoolExecutor(max_workers=parallel) as pool:
        return list(pool.map(one, jobs))


def verdict(report: Report, language: str) -> str:
    """Return the result in one line."""
    said = report.error.text(language) if report.error else words.reason(report.reason, language)
    head = words.outcome(report.outcome, language)
    colon = " :" if language.lower().startswith("fr") else ":"
    return f"{head}{colon} {said}" if said else head
