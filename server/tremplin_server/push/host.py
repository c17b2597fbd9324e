"""A push to one host, from the connection to the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tremplin_agent.parameters import BY_NAME

from tremplin_server.errors import CATALOGUE, TremplinError
from tremplin_server.installers.payload import Payload
from tremplin_server.push import facts, plan
from tremplin_server.push.plan import Host, Outcome, Plan, Record, Step, Wanted
from tremplin_server.push.site import Issued, Site, until
from tremplin_server.push.ssh import Access, Result, Shell, Target

INSTALL_SECONDS = 300
SETTLE_SECONDS = 10

Say = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done on every host.

    wanted: its properties are columns of the record. payload: looks a platform up.
    check: called while something is waited for; what it raises ends the push of that host.
    """

    wanted: Wanted
    payload: Callable[[str], Payload]
    online_install: bool = False
    remove: bool = False
    reason: str = ""
    wait_seconds: float = 60
    check: Callable[[], None] = lambda: None
    validity_minutes: int = 10


@dataclass(frozen=True, slots=True)
class Job:
    """One host. external_id: the declared key of its record."""

    name: str
    external_id: str
    target: Target


@dataclass(frozen=True, slots=True)
class Report:
    """How a host stands now. reason: why something was done. error: why it failed."""

    host: str
    outcome: Outcome
    client_id: int | None = None
    state: str = ""
    reason: str = ""
    error: TremplinError | None = None

    @property
    def changed(self) -> bool:
        """Whether the push is known to have changed something."""
        return self.outcome not in (Outcome.UNCHANGED, Outcome.ABSENT, Outcome.FAILED)

    @property
    def ok(self) -> bool:
        """Whether the host is as it was wanted."""
        return self.error is None


def push(job: Job, order: Order, access: Access, site: Site, say: Say) -> Report:
    """Bring one host to what `order` wants; every failure ends up in the report.

    say: told each step as it begins; a TremplinError that it raises ends the push there.
    """
    try:
        say(Step.CONNECTING)
        with Shell(job.target, access) as shell:
            one = _Host(job, order, site, shell, say)
            return one.remove() if order.remove else one.deploy()
    except TremplinError as error:
        return Report(job.name, Outcome.FAILED, error=error)


@dataclass(frozen=True, slots=True)
class _Host:
    """The steps on one connected host."""

    job: Job
    order: Order
    site: Site
    shell: Shell
    say: Say

    def deploy(self) -> Report:
        record = self._record()
        host = self._look(record)
        made = plan.present(host, record, self.order.wanted)
        self.site.discard_leftovers(self.job.external_id)
        self._clear(made)
        if made.install:
            gone = {removal.client_id for removal in made.uninstall if removal.client_id}
            self.site.settle(self.job.external_id, gone - {record.id if record else None})
            self._install(host, made)
        elif made.start:
            self._must([f"{made.directory}/init-script", "start"], "init-script start")
        record = self._online()
        changes = plan.property_changes(record, self.order.wanted)
        if changes:
            self.say(Step.CHANGING)
            self.site.update(record.id, changes)
        state = record.state.value
        return Report(self.job.name, made.outcome, record.id, state, made.reason)

    def remove(self) -> Report:
        record = self._record()
        host = self._look(record)
        others = self.site.declared_keys(plan.enrolled(host))
        made = plan.absent(host, record, self.order.wanted, others)
        self.site.discard_leftovers(self.job.external_id)
        self._clear(made)
        self.say(Step.VERIFYING)
        self._verify_clean(made)
        self.site.delete(made.delete, self.order.reason)
        self.site.settle(self.job.external_id, made.delete)
        if self._record() is not None:
            what = f"record {self.job.external_id}"
            raise TremplinError("push.left_behind", what=what)
        return Report(self.job.name, made.outcome, record.id if record else None)

    def _record(self) -> Record | None:
        return self.site.record(self.job.external_id, tuple(self.order.wanted.properties))

    def _look(self, record: Record | None) -> Host:
        self.say(Step.LOOKING)
        return facts.probe(self.shell, plan.directories(record, self.order.wanted))

    def _clear(self, made: Plan) -> None:
        for removal in made.uninstall:
            self.say(Step.UNINSTALLING)
            words = [f"{removal.directory}/uninstall", "--quiet"]
            self._must([*words, "--local"] if removal.local else words, "uninstall")
        if made.sweep:
            self._must(["rm", "-rf", "--", *made.sweep], "rm")

    def _must(self, command: list[str], step: str) -> None:
        answer = self.shell.run(command)
        if answer.status != 0:
            detail = _last_line(answer)
            raise TremplinError("push.step", step=step, status=answer.status, detail=detail)

    def _install(self, host: Host, made: Plan) -> None:
        platform = plan.platform(host)
        payload = self.order.payload(platform)
        issued = self._issue(platform)
        try:
            self._run_installer(payload, issued, made)
            self._wait_for_enrolment(issued)
        finally:
            self.site.discard(issued)

    def _issue(self, platform: str) -> Issued:
        order = self.order
        return self.site.issue(
            self.job.external_id, platform, order.validity_minutes, order.wanted.properties
        )

    def _run_installer(self, payload: Payload, issued: Issued, made: Plan) -> None:
        room = self.shell.run(["mktemp", "-d"], root=False)
        if room.status != 0:
            raise TremplinError("push.upload", path="TMPDIR", detail=room.stderr)
        try:
            self.say(Step.UPLOADING)
            path = self.shell.upload(payload.path, room.stdout, payload.sha256)
            self.say(Step.INSTALLING)
            answer = self.shell.run(
                ["sh", path, *self._arguments(made)],
                stdin=issued.key_info.encode() + b"\n",
                timeout_seconds=INSTALL_SECONDS,
            )
        finally:
            self.shell.run(["rm", "-rf", "--", room.stdout], root=False)
        if answer.status != 0:
            detail = _last_line(answer)
            raise TremplinError("push.installer", status=answer.status, detail=detail)

    def _arguments(self, made: Plan) -> list[str]:
        words = ["--install-dir", made.directory, "--key-info", "-"]
        for name, value in made.layout.items():
            words += [BY_NAME[name].flag, value]
        if self.order.online_install:
            words.append(BY_NAME["online_install"].flag)
        return words

    def _wait_for_enrolment(self, issued: Issued) -> None:
        """Wait until the new agent itself was let in: the record may still tell of the old one."""
        self.say(Step.ENROLLING)
        if until(lambda: self._heeding(self.site.used(issued)), self.order.wait_seconds):
            return
        code = self.site.refusal(issued)
        if code in CATALOGUE:
            raise TremplinError("push.refused", reason=code)
        raise self._not_online("not enrolled")

    def _online(self) -> Record:
        self.say(Step.COMING_ONLINE)
        found = self._record()

        def arrived() -> bool:
            nonlocal found
            found = self._record()
            return self._heeding(found is not None and found.state in plan.CONNECTED)

        if not until(arrived, self.order.wait_seconds) or found is None:
            raise self._not_online(found.state.value if found else "not enrolled")
        return found

    def _heeding(self, done: bool) -> bool:
        """Return `done`, unless the push was ended meanwhile."""
        self.order.check()
        return done

    def _not_online(self, state: str) -> TremplinError:
        seconds = round(self.order.wait_seconds)
        return TremplinError("push.not_online", state=state, seconds=seconds)

    def _verify_clean(self, made: Plan) -> None:
        """Raise push.left_behind unless directory, processes and boot entries are gone."""
        directories = list(dict.fromkeys(r.directory for r in made.uninstall)) or [made.directory]
        left: list[str] = []

        def clean() -> bool:
            nonlocal left
            left = facts.remains(self.shell, directories)
            return not left

        # A process that was told to stop may take a moment to be gone.
        if made.changed and not until(clean, SETTLE_SECONDS):
            raise TremplinError("push.left_behind", what=", ".join(left))


def _last_line(answer: Result) -> str:
    lines = (answer.stderr or answer.stdout).splitlines()
    return lines[-1] if lines else "-"
