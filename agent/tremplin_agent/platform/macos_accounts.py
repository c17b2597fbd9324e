"""The unprivileged account of `--scope system` on a Mac: the commands that make it.

`installer/init-script.sh` deletes it, without Python.
"""

from __future__ import annotations

from typing import List, Set

ACCOUNT = "_tremplin-jc"
"""The underscore in front is how macOS names accounts of services, and hides them."""
LOWEST, HIGHEST = 300, 499
"""Apple's own are below, people's above."""
LISTINGS = (
    ("/usr/bin/dscl", ".", "-list", "/Users", "UniqueID"),
    ("/usr/bin/dscl", ".", "-list", "/Groups", "PrimaryGroupID"),
)


def free_id(listings: List[str]) -> int:
    """Return a number that no user and no group has; ValueError when all are taken.

    listings: what `LISTINGS` print, a name and its number on each line.
    """
    taken: Set[int] = set()
    for line in "\n".join(listings).splitlines():
        number = line.split()[-1:] or [""]
        if number[0].lstrip("-").isdigit():
            taken.add(int(number[0]))
    for candidate in range(HIGHEST, LOWEST - 1, -1):
        if candidate not in taken:
            return candidate
    raise ValueError(f"every number from {LOWEST} to {HIGHEST} is taken")


def creation(number: int) -> List[List[str]]:
    """Return the commands that make the group, then the account in it, with that number."""
    group, user = f"/Groups/{ACCOUNT}", f"/Users/{ACCOUNT}"
    settings = (
        (group, "PrimaryGroupID", str(number)),
        (group, "RealName", "Tremplin Jump Client"),
        (group, "Password", "*"),
        (user, "UniqueID", str(number)),
        (user, "PrimaryGroupID", str(number)),
        (user, "RealName", "Tremplin Jump Client"),
        (user, "NFSHomeDirectory", "/nonexistent"),
        (user, "UserShell", "/usr/bin/false"),
        (user, "Password", "*"),
        (user, "IsHidden", "1"),
    )
    return [["/usr/bin/dscl", ".", "-create", *words] for words in settings]
