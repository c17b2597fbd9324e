"""What a Jump Policy refuses, as an error: which rule, what is missing, when it opens."""

from __future__ import annotations

from datetime import datetime, tzinfo

from babel.dates import format_datetime

from tremplin_server.clock import rfc3339
from tremplin_server.error_texts.policies import sentence
from tremplin_server.errors import Conflict
from tremplin_server.policies.rules import Needs, Refused, Rule


class PolicyRefusal(Conflict):
    """A start that the Jump Policy `policy` refuses (jump.policy).

    zone: the policy's, in which people are told when it opens. approval_id: of the request
    that was made because nothing but an approval is missing.
    """

    def __init__(
        self,
        policy: str,
        verdict: Refused | Needs,
        zone: tzinfo,
        zone_name: str = "",
        approval_id: int | None = None,
    ) -> None:
        self.approval_id = approval_id
        self.policy = policy
        self.verdict = verdict
        self.zone = zone
        self.zone_name = zone_name or str(zone)
        super().__init__("jump.policy")

    @property
    def rule(self) -> Rule:
        """The rule that stands in the way, the first of them."""
        verdict = self.verdict
        return verdict.rule if isinstance(verdict, Refused) else verdict.rules[0]

    def text(self, language: str) -> str:
        verdict = self.verdict
        if self.approval_id is not None:
            number = self.approval_id
            return sentence("approval_asked", language, policy=self.policy, number=number)
        if isinstance(verdict, Needs):
            things = ", ".join(sentence(rule.value, language) for rule in verdict.rules)
            return sentence("needs", language, policy=self.policy, things=things)
        if verdict.rule is Rule.FACTOR:
            return sentence("factor_none", language, policy=self.policy)
        if verdict.rule is Rule.SCHEDULE and verdict.opens_at is None:
            return sentence("schedule_never", language, policy=self.policy)
        when = self._when(verdict.opens_at, language) if verdict.opens_at else ""
        return sentence(verdict.rule.value, language, policy=self.policy, when=when)

    def details(self) -> dict[str, object]:
        verdict = self.verdict
        told: dict[str, object] = {"rule": self.rule.value, "policy": self.policy}
        if isinstance(verdict, Needs):
            told["needs"] = [rule.value for rule in verdict.rules]
        if self.approval_id is not None:
            told["approval_id"] = self.approval_id
        if isinstance(verdict, Refused) and verdict.opens_at is not None:
            told["opens_at"] = rfc3339(verdict.opens_at)
        return told

    def _when(self, opens_at: datetime, language: str) -> str:
        locale = "fr" if language.lower().startswith("fr") else "en"
        moment = format_datetime(opens_at, "EEEE d MMMM y, HH:mm", tzinfo=self.zone, locale=locale)
        return sentence("when", language, moment=moment, zone=self.zone_name)
