"""What policies add up to: a pure function, against examples and against its own laws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tremplin_server.group_policies.effective import (
    Effective,
    PolicyFacts,
    Reason,
    Setting,
    Source,
    effective,
)

OWN = {"start": True, "delete": True, "audit": False}
ROLE = Reason(Source.SITE_ROLE, name="technician")


def of(*policies: PolicyFacts, groups: dict[int, int | None] | None = None) -> Effective:
    return effective("technician", OWN, groups or {}, policies)


def policy(number: int, **facts: object) -> PolicyFacts:
    return PolicyFacts(number, f"policy {number}", **facts)  # type: ignore[arg-type]


def by(number: int, final: bool = False) -> Reason:
    return Reason(Source.GROUP_POLICY, number, f"policy {number}", final)


def test_without_a_policy_the_role_and_the_memberships_say_it() -> None:
    found = of(groups={7: 2})
    assert {name: held.value for name, held in found.permissions.items()} == OWN
    assert {held.reason for held in found.permissions.values()} == {ROLE}
    assert found.groups[7].value == 2
    assert found.groups[7].reason == Reason(Source.MEMBERSHIP)
    assert found.session_policy.value is None
    assert found.session_policy.reason.source is Source.NOTHING


def test_the_later_policy_replaces_the_earlier_one() -> None:
    first = policy(1, permissions={"delete": Setting(False)})
    second = policy(2, permissions={"delete": Setting(True)})
    held = of(first, second).permissions["delete"]
    assert (held.value, held.reason, held.replaced) == (True, by(2), (ROLE, by(1)))
    assert of(second, first).permissions["delete"].value is False


def test_what_is_final_is_not_replaced() -> None:
    first = policy(1, permissions={"delete": Setting(False, final=True)})
    second = policy(2, permissions={"delete": Setting(True, final=True)})
    held = of(first, second).permissions["delete"]
    assert (held.value, held.reason) == (False, by(1, final=True))
    assert held.replaced == (ROLE, by(2, final=True))


def test_a_policy_brings_jump_groups_and_outranks_a_membership() -> None:
    gives = policy(1, groups={7: Setting(3, final=True), 8: Setting(None)})
    later = policy(2, groups={7: Setting(1), 8: Setting(2)})
    found = of(gives, later, groups={7: 1, 9: None})
    assert {number: held.value for number, held in found.groups.items()} == {7: 3, 8: 2, 9: None}
    assert found.groups[7].replaced == (Reason(Source.MEMBERSHIP), by(2))
    assert found.groups[8].replaced == (by(1),)


def test_a_policy_that_knows_other_permissions_adds_none() -> None:
    found = of(policy(1, permissions={"accounts.write": Setting(True)}))
    assert found.permissions.keys() == OWN.keys()


settings = st.builds(Setting, st.booleans(), st.booleans())
policies = st.lists(
    st.builds(
        PolicyFacts,
        st.integers(1, 9),
        st.just("p"),
        st.dictionaries(st.sampled_from(sorted(OWN)), settings),
        st.none(),
        st.dictionaries(
            st.integers(1, 4), st.builds(Setting, st.none() | st.integers(1, 3), st.booleans())
        ),
    ),
    max_size=6,
)


@given(policies, st.dictionaries(st.integers(1, 4), st.none() | st.integers(1, 3)))
def test_the_laws(found: list[PolicyFacts], own: dict[int, int | None]) -> None:
    got = effective("technician", OWN, own, found)
    assert set(got.groups) == set(own) | {one for p in found for one in p.groups}
    for name, held in got.permissions.items():
        said = [p.permissions[name] for p in found if name in p.permissions]
        finals = [one for one in said if one.final]
        # The first final one counts, else the last one, else the role.
        expected = finals[0] if finals else said[-1] if said else None
        assert held.value == (OWN[name] if expected is None else expected.value)
        assert (held.reason.source is Source.SITE_ROLE) == (expected is None)
        assert len(held.replaced) == len(said), "each that said something is told"
    for number, place in got.groups.items():
        places = [p.groups[number] for p in found if number in p.groups]
        final = [one for one in places if one.final]
        counts = final[0] if final else places[-1] if places else None
        assert place.value == (own[number] if counts is None else counts.value)
