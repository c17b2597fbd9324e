"""Installing by hand on a host of the lab: the generic payload and key infos."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from tests.lab.api import Api
from tests.lab.host import Done, Host
from tests.lab.lab import REPOSITORY

PAYLOAD = REPOSITORY / ".cache" / "payload" / "tremplin-scc-linux-64.bin"
PLACE = "/srv/tremplin-scc.bin"


@dataclass(frozen=True)
class Key:
    """An installer of the server: its id in the API, and the key info, told once."""

    id: int
    key_info: str


def make_key(api: Api, **fields: Any) -> Key:
    """Make an installer in the Jump Group of the lab."""
    groups = api.call("GET", "/jump-group", code_name="lab")
    wanted = {"name": "", "jump_group_id": groups[0]["id"], "platform": "linux-64"} | fields
    made = api.call("POST", "/jump-client/installer", wanted)
    return Key(made["id"], made["key_info"]["encodedInfo"])


def push(host: Host) -> None:
    """Put the generic payload on the host."""
    host.put(PAYLOAD.read_bytes(), PLACE, mode="0755")


def install(host: Host, key_info: str, *arguments: str, user: str = "root") -> Done:
    """Run the payload that `push` left, with the key info on its standard input."""
    words = ["sh", PLACE, *arguments]
    if key_info:
        words += ["--key-info", "-"]
    return host.run(shlex.join(words), user=user, stdin=key_info.encode())
