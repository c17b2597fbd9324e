"""The customer's desk: who is in the session, and questions that come twice."""

from __future__ import annotations

from tremplin_agent import wire
from tremplin_agent.support.desk import Desk, Elevate, Tell
from tremplin_agent.support.words import Speech


def event(number: int, what: str, who: str) -> wire.Chat:
    return wire.Chat(what, number, who, "event")


def test_who_is_in_the_session() -> None:
    desk = Desk(Speech(french=False))
    steps = [
        ("taken", "zoe", ["zoe"]),
        ("joined", "max", ["zoe", "max"]),
        ("joined", "max", ["zoe", "max"]),
        ("transferred", "ann", ["max", "ann"]),
        ("left", "max", ["ann"]),
        ("left", "nobody", ["ann"]),
        ("transferred", "max", ["max"]),
        ("taken", "zoe", ["zoe"]),
    ]
    for number, (what, who, people) in enumerate(steps, 1):
        desk.heard(event(number, what, who))
        assert desk.people == people, (what, who)
    again = Desk(Speech(french=False))
    again.recall(desk.remember())
    again.heard(event(9, "transferred", "ann"))
    assert again.people == ["ann"]


def test_what_was_not_raised_is_not_asked_again_by_the_same_question() -> None:
    desk = Desk(Speech(french=False))
    assert desk.heard(wire.Raise(4, "zoe")) == []
    assert desk.reply(yes=True) == [Elevate(4)]
    desk.not_elevated(4)
    # It connects again, and the server asks before it has the answer.
    [answer] = desk.heard(wire.Raise(4, "zoe"))
    assert isinstance(answer, Tell)
    assert desk.question is None
    desk.heard(wire.Raise(5, "zoe"))
    assert desk.question is not None
