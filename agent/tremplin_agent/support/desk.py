"""What a customer is asked, what he has granted, and what follows: no I/O.

Messages of the server and words of the customer come in, actions come out. A window or a
terminal shows what is said, and puts one question at a time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Deque, Dict, FrozenSet, List, Optional, Set, Tuple, Union

from tremplin_agent import wire
from tremplin_agent.codes import Code
from tremplin_agent.support.words import Speech


class Topic(str, Enum):
    """What a question is about: one grant of several, the administrator's rights, a pin."""

    GRANT = "grant"
    RAISE = "raise"
    PIN = "pin"


@dataclass(frozen=True)
class Question:
    """Something that the customer says yes or no to. number: the server's, or 0."""

    topic: Topic
    text: str
    number: int
    grant: Optional[wire.Grant] = None
    pin: Optional[wire.Pin] = None


@dataclass(frozen=True)
class Tell:
    """Tell the server."""

    message: wire.FromCustomer


@dataclass(frozen=True)
class Show:
    """Show a line. author: empty for what the client itself says."""

    text: str
    author: str = ""


@dataclass(frozen=True)
class Granted:
    """From now on only this is granted: end the sessions that need more."""

    grants: FrozenSet[wire.Grant]


@dataclass(frozen=True)
class Elevate:
    """Get the administrator's rights. number: of the question that asked for them."""

    number: int


@dataclass(frozen=True)
class Install:
    """Install a Jump Client; then say so with `installed`."""

    pin: wire.Pin


@dataclass(frozen=True)
class Over:
    """The session is over. code: why."""

    code: str


Action = Union[Tell, Show, Granted, Elevate, Install, Over]


class Desk:
    """One customer in one support session."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.granted: FrozenSet[wire.Grant] = frozenset()
        self.seen = 0
        self._technician = ""
        self._wanted: Tuple[wire.Grant, ...] = ()
        self._questions: Deque[Question] = deque()
        self._yes: Set[wire.Grant] = set()
        self._pins: Dict[int, Optional[wire.PinAnswer]] = {}
        self._over = False
        self.people: List[str] = []
        """The technicians who are in the session, as they came."""
        self._owner = ""
        self._not_raised: Set[int] = set()
        """Questions for the administrator's rights that came to nothing."""

    @property
    def question(self) -> Optional[Question]:
        """What the customer is asked now, or None."""
        return self._questions[0] if self._questions else None

    @property
    def is_over(self) -> bool:
        """Whether either side has ended the session."""
        return self._over

    # --- what the server says -----------------------------------------------------------

    def _come_or_gone(self, what: str, who: str) -> None:
        if what == "taken":
            self.people = []
        # Who hands a session over leaves it.
        gone = self._owner if what == "transferred" else who
        if what in ("left", "transferred") and gone in self.people:
            self.people.remove(gone)
        if what in ("taken", "joined", "transferred") and who not in self.people:
            self.people.append(who)
        if what in ("taken", "transferred"):
            self._owner = who

    def heard(self, message: wire.ToCustomer) -> List[Action]:
        """Take a message of the server."""
        if isinstance(message, wire.Chat):
            return self._line(message)
        if isinstance(message, wire.SupportEnd):
            self._over = True
            self._questions.clear()
            return [Over(message.code)]
        if isinstance(message, wire.Ask):
            return self._ask(message)
        if isinstance(message, wire.Raise):
            if message.number in self._not_raised:
                # The answer was under way when the server put its question again.
                return [Tell(self._answer(message.number))]
            self._forget(Topic.RAISE)
            text = self.speech.say("raise", who=message.technician)
            self._questions.append(Question(Topic.RAISE, text, message.number))
            return []
        return self._asked_to_pin(message)

    def _line(self, message: wire.Chat) -> List[Action]:
        if message.number and message.number <= self.seen:
            return []
        self.seen = max(self.seen, message.number)
        if message.kind == "event":
            self._come_or_gone(message.text, message.author)
            text = self.speech.event(message.text, message.author)
            return [Show(text)] if text else []
        author = self.speech.say("you") if message.kind == "customer" else message.author
        return [Show(message.text, author)]

    def _ask(self, ask: wire.Ask) -> List[Action]:
        self._technician = ask.technician
        self._wanted = tuple(grant for grant in wire.Grant if ask.wanted.get(grant.value))
        self._put_grants(ask.number)
        return []

    def _put_grants(self, number: int) -> None:
        self._forget(Topic.GRANT)
        self._yes = set()
        for grant in reversed(self._wanted):
            text = self.speech.say(f"grant_{grant.value}", who=self._technician)
            self._questions.appendleft(Question(Topic.GRANT, text, number, grant))

    def _asked_to_pin(self, pin: wire.Pin) -> List[Action]:
        if pin.number in self._pins:
            # The connection broke meanwhile: what is asked or done already is not done twice.
            known = self._pins[pin.number]
            return [Tell(known)] if known is not None else []
        self._pins[pin.number] = None
        text = self.speech.say("pin", who=pin.technician, group=pin.group or "-")
        self._questions.append(Question(Topic.PIN, text, pin.number, pin=pin))
        return []

    def _forget(self, topic: Topic) -> None:
        self._questions = deque(each for each in self._questions if each.topic is not topic)

    # --- what the customer says -----------------------------------------------------------

    def reply(self, yes: bool) -> List[Action]:
        """Take the answer to the question that is asked now."""
        if not self._questions:
            return []
        question = self._questions.popleft()
        if question.topic is Topic.GRANT:
            assert question.grant is not None
            if yes:
                self._yes.add(question.grant)
            following = self.question
            if following is not None and following.topic is Topic.GRANT:
                return []
            return self._grant(frozenset(self._yes), question.number)
        if question.topic is Topic.RAISE:
            if yes:
                return [Elevate(question.number)]
            self._not_raised.add(question.number)
            return [Tell(self._answer(question.number)), Show(self.speech.say("not_elevated"))]
        assert question.pin is not None
        if yes:
            return [Show(self.speech.say("installing")), Install(question.pin)]
        return self.installed(wire.PinAnswer(question.number, Code.PIN_REFUSED.value))

    def say(self, text: str) -> List[Action]:
        """Take a line for the technicians."""
        text = text.strip()
        return [Tell(wire.Chat(text))] if text else []

    def withdraw(self) -> List[Action]:
        """Take everything back."""
        self._forget(Topic.GRANT)
        return self._grant(frozenset(), 0)

    def allow_again(self) -> List[Action]:
        """Ask the customer again what the technician asked for."""
        if self._wanted:
            self._put_grants(0)
        return []

    def end(self) -> List[Action]:
        """End the session."""
        if self._over:
            return []
        self._over = True
        return [Tell(wire.SupportEnd(Code.SUPPORT_CUSTOMER_ENDED.value)), Over("")]

    # --- what became of it ------------------------------------------------------------------

    def installed(self, answer: wire.PinAnswer) -> List[Action]:
        """Take what became of an installation, or that the customer refused it."""
        self._pins[answer.number] = answer
        if not answer.code:
            return [Tell(answer), Show(self.speech.say("pinned"))]
        if answer.code == Code.PIN_REFUSED.value:
            return [Tell(answer)]
        detail = answer.detail or answer.code
        return [Tell(answer), Show(self.speech.say("pin_failed", detail=detail))]

    def not_elevated(self, number: int, why: str = "not_elevated") -> List[Action]:
        """Take that the administrator's rights were not to be had."""
        self._not_raised.add(number)
        return [Tell(self._answer(number)), Show(self.speech.say(why))]

    @property
    def is_installing(self) -> bool:
        """Whether an installation runs or is asked for."""
        return None in self._pins.values()

    def _grant(self, grants: FrozenSet[wire.Grant], number: int) -> List[Action]:
        self.granted = grants
        words = ", ".join(self.speech.say(grant.value) for grant in wire.Grant if grant in grants)
        shown = self.speech.say("allowed", what=words or self.speech.say("nothing"))
        return [Granted(grants), Tell(self._answer(number)), Show(shown)]

    def _answer(self, number: int) -> wire.Answer:
        granted = {grant.value: grant in self.granted for grant in wire.Grant}
        return wire.Answer(granted, number)

    # --- over to a client with more rights --------------------------------------------------

    def remember(self) -> Dict[str, object]:
        """Return what another client of the same customer has to know to go on."""
        return {
            "seen": self.seen,
            "technician": self._technician,
            "people": list(self.people),
            "owner": self._owner,
            "wanted": [grant.value for grant in self._wanted],
            "granted": [grant.value for grant in self.granted],
            "pins": [number for number, answer in self._pins.items() if answer is not None],
        }

    def recall(self, known: Dict[str, object]) -> None:
        """Go on where another client stopped."""
        seen, technician = known.get("seen"), known.get("technician")
        self.seen = seen if isinstance(seen, int) else 0
        self._technician = technician if isinstance(technician, str) else ""
        self._wanted = tuple(grant for grant in wire.Grant if grant.value in _list(known, "wanted"))
        self.granted = frozenset(g for g in wire.Grant if g.value in _list(known, "granted"))
        self.people = [str(each) for each in _list(known, "people")]
        self._owner = str(known.get("owner", ""))
        for number in _list(known, "pins"):
            if isinstance(number, int):
                self._pins[number] = wire.PinAnswer(number, Code.PIN_REFUSED.value)


def _list(known: Dict[str, object], name: str) -> List[object]:
    found = known.get(name)
    return found if isinstance(found, list) else []
