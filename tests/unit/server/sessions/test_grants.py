"""What is left of what a session asks for within the limits of a session policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_agent.terms import Capability, FileCapability
from tremplin_server.sessions.grants import Limits, granted

ALL = tuple(Capability)
flags = st.booleans()


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (Limits(), ("shell", "exec", "sftp", "forward")),
        (Limits(shell=False), ("exec", "sftp", "forward")),
        (Limits(execute=False, forward=False), ("shell", "sftp")),
        (Limits(upload=False), ("shell", "exec", "sftp.download", "forward")),
        (Limits(download=False), ("shell", "exec", "sftp.upload", "forward")),
        (Limits(upload=False, download=False), ("shell", "exec", "forward")),
    ],
)
def test_what_is_kept(limits: Limits, kept: tuple[str, ...]) -> None:
    assert granted(ALL, limits, 0).capabilities == kept


@pytest.mark.parametrize(
    ("policy", "site", "least"), [(0, 0, 0), (5, 0, 5), (0, 7, 7), (5, 7, 5), (9, 7, 7)]
)
def test_the_shorter_time_wins(policy: int, site: int, least: int) -> None:
    assert granted(ALL, Limits(idle_minutes=policy), site).idle_minutes == least


@given(
    st.lists(st.sampled_from(Capability), unique=True),
    st.builds(Limits, flags, flags, flags, flags, flags, flags),
)
def test_nothing_is_granted_that_was_not_asked(asked: list[Capability], limits: Limits) -> None:
    kept = granted(asked, limits, 0).capabilities
    possible = {capability.value for capability in asked}
    if Capability.SFTP in asked:
        possible |= {way.value for way in FileCapability}
    assert set(kept) <= possible
    assert (Capability.SFTP.value in kept) == (
        Capability.SFTP in asked and limits.upload and limits.download
    )
