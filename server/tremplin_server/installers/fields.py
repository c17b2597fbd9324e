"""The properties of an installer: their usual values and what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tremplin_agent.parameters import BY_NAME, check

from tremplin_server.errors import Invalid
from tremplin_server.installers.models import OnDuplicate
from tremplin_server.installers.payload import PLATFORMS

SHORTEST_MINUTES, LONGEST_MINUTES, USUAL_MINUTES = 10, 525_600, 1440
MAX_INTEGER = 2**31 - 1
OVERRIDES = (
    "allow_override_jump_group",
    "allow_override_jump_policy",
    "allow_override_name",
    "allow_override_tag",
    "allow_override_comments",
    "allow_override_external_id",
    "allow_override_session_policy",
    "allow_override_attended_session_policy",
    "allow_override_unattended_session_policy",
    "allow_override_max_offline_minutes",
)
START_MODES = ("normal", "minimized", "hidden")
CONNECTION_TYPES = ("active", "passive")

Check = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One property. check returns the value in its proper form or raises ValueError."""

    name: str
    default: Any
    check: Check


def _text(limit: int) -> Check:
    def check_text(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("must be a text")
        if len(value) > limit:
            raise ValueError(f"longer than {limit} characters")
        return value.strip()

    return check_text


def parameter_text(name: str) -> Check:
    """Return the check of a text by the installer parameter `name`; empty means not given."""

    def check_text(value: Any) -> str:
        text = "" if value is None else str(value).replace("\r\n", "\n").strip()
        return str(check(BY_NAME[name], text)) if text else ""

    return check_text


def _integer(low: int, high: int = MAX_INTEGER, *, optional: bool = False) -> Check:
    def check_integer(value: Any) -> int | None:
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return check_integer


def _choice(*choices: str) -> Check:
    def check_choice(value: Any) -> str:
        if value not in choices:
            raise ValueError("must be one of " + ", ".join(choices))
        return str(value)

    return check_choice


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _external_id(value: Any) -> str | None:
    return parameter_text("jc_external_id")(value) or None


def _recipients(value: Any) -> str:
    addresses = [part for part in str(value or "").replace(",", " ").split() if part]
    if any(address.count("@") != 1 or len(address) > 254 for address in addresses):
        raise ValueError("must be e-mail addresses, separated by commas")
    return ", ".join(addresses)


FIELDS: tuple[Field, ...] = (
    Field("jump_group_id", None, _integer(1)),
    Field("jump_group_type", "shared", _choice("shared", "personal")),
    Field("name", "", parameter_text("jc_name")),
    Field("tag", "", parameter_text("jc_tag")),
    Field("comments", "", parameter_text("jc_comments")),
    Field("external_id", None, _external_id),
    Field("jump_policy_id", None, _integer(1, optional=True)),
    Field("attended_session_policy_id", None, _integer(1, optional=True)),
    Field("unattended_session_policy_id", None, _integer(1, optional=True)),
    Field("connection_type", "active", _choice(*CONNECTION_TYPES)),
    Field("valid_duration", USUAL_MINUTES, _integer(SHORTEST_MINUTES, LONGEST_MINUTES)),
    Field("max_uses", None, _integer(1, optional=True)),
    Field("max_offline_minutes", 0, _integer(0)),
    Field("ephemeral", False, _truth),
    Field(
        "on_duplicate", OnDuplicate.REPLACE.value, _choice(*(mode.value for mode in OnDuplicate))
    ),
    Field("allow_takeover", False, _truth),
    Field("platform", PLATFORMS[0], _choice(*PLATFORMS)),
    Field("recipients", "", _recipients),
    Field("elevate_install", True, _truth),
    Field("elevate_prompt", True, _truth),
    Field("is_quiet", False, _truth),
    Field("customer_client_start_mode", "normal", _choice(*START_MODES)),
    Field("public_site_address", "", _text(128)),
    *(Field(name, False, _truth) for name in OVERRIDES),
)


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return every field: what `values` gives, checked, and the usual value of the others.

    Raises Invalid for all wrong fields at once.
    """
    good: dict[str, Any] = {}
    wrong: dict[str, list[str]] = {}
    for item in FIELDS:
        if item.name not in values:
            good[item.name] = item.default
            continue
        try:
            good[item.name] = item.check(values[item.name])
        except ValueError as error:
            wrong[item.name] = [str(error)]
    if good.get("jump_group_id") is None and "jump_group_id" not in wrong:
        wrong["jump_group_id"] = ["Missing data for required field."]
    if wrong:
        raise Invalid(wrong)
    return good
