"""Finding out what a host is and what stands in its directories.

One POSIX shell script asks everything at once and answers in `key<TAB>value` lines, so
that a host needs nothing but sh, and a push one round trip.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tremplin_server.push.plan import Host, Installation
from tremplin_server.push.ssh import Shell

PROBE = r"""
say() { printf '%s\t%s\n' "$1" "$2"; }
flat() { tr -d '\n\r' < "$1"; }
uid=$(id -u)
say uid "$uid"
say system "$(uname -s)"
say machine "$(uname -m)"
if [ "$uid" = 0 ]; then default=/opt/tremplin-jump-client
else default=$HOME/.local/share/tremplin-jump-client; fi
say default "$default"
for dir do
  [ -n "$dir" ] || dir=$default
  for partial in "$dir".partial-*; do
    if [ -e "$partial" ]; then say leftover "$partial"; fi
  done
  if [ -e "$dir" ] || [ -L "$dir" ]; then
    say directory "$dir"
    if [ -f "$dir/install.json" ]; then say install "$(flat "$dir/install.json")"; fi
    if [ -e "$dir/uninstall" ]; then say uninstall yes; fi
    if [ ! -x "$dir/var" ]; then say closed yes
    elif [ -f "$dir/var/state.json" ]; then
      if [ -r "$dir/var/state.json" ]; then say state "$(flat "$dir/var/state.json")"
      else say closed yes; fi
    fi
    if [ -x "$dir/init-script" ]; then
      "$dir/init-script" status >/dev/null 2>&1; say status "$?"
    fi
  fi
done
"""


REMAINS = r"""
for dir do
  if [ -e "$dir/install.json" ] || [ -e "$dir/uninstall" ]; then printf '%s\n' "$dir"; fi
  for partial in "$dir".partial-*; do
    if [ -e "$partial" ]; then printf '%s\n' "$partial"; fi
  done
  for process in /proc/[0-9]*; do
    if tr '\0' '\n' < "$process/cmdline" 2>/dev/null | grep -qF -- "$dir/"; then
      printf 'process %s\n' "${process#/proc/}"
    fi
  done
  grep -lsF -- "$dir/" /etc/systemd/system/* /etc/init.d/* /etc/cron.d/* \
    /var/spool/cron/* /var/spool/cron/crontabs/* "$HOME"/.config/systemd/user/*
  if crontab -l 2>/dev/null | grep -qF -- "$dir/"; then echo crontab; fi
done
exit 0
"""
"""Lists what is left of the directories. Its own command line has no slash behind them."""


def remains(shell: Shell, directories: Sequence[str]) -> list[str]:
    """Return what is left of the installations in `directories`: paths, processes, crontab."""
    answer = shell.run(["sh", "-c", REMAINS, "remains", *directories])
    return sorted(set(answer.stdout.splitlines()))


def probe(shell: Shell, directories: Sequence[str]) -> Host:
    """Return the facts of the host. directories: "" stands for the default one."""
    return parse(shell.run(["sh", "-c", PROBE, "probe", *directories]).stdout)


def parse(text: str) -> Host:
    """Return the facts that the probe's answer `text` holds."""
    values: dict[str, str] = {}
    leftovers: list[str] = []
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = values
    for key, value in _lines(text):
        if key == "leftover":
            leftovers.append(value)
        elif key == "directory":
            current = found.setdefault(value, {})
        else:
            current[key] = value
    return Host(
        system=values.get("system", ""),
        machine=values.get("machine", ""),
        uid=int(values.get("uid", "-1")),
        default_directory=values.get("default", ""),
        installations=tuple(_installation(path, facts) for path, facts in found.items()),
        leftovers=tuple(dict.fromkeys(leftovers)),
    )


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, tab, value = line.partition("\t")
        if tab:
            yield key, value


def _installation(directory: str, facts: dict[str, str]) -> Installation:
    install, state = _json(facts.get("install")), _json(facts.get("state"))
    return Installation(
        directory=directory,
        owned="install" in facts or "uninstall" in facts,
        complete=_complete(install, state) and "uninstall" in facts,
        client_id=state.get("client_id") or None,
        running=facts.get("status") == "0",
        readable="closed" not in facts,
        removable="uninstall" in facts,
        user=str(install.get("user") or ""),
        scope=str(install.get("scope") or ""),
        startup=str(install.get("startup") or ""),
        boot_entries=_boot_entries(install.get("boot_entry")),
    )


def _complete(install: dict[str, Any], state: dict[str, Any]) -> bool:
    """Return whether the installation was finished and is not on its way out."""
    return install.get("complete") is True and state.get("phase") != "removing"


def _boot_entries(value: Any) -> tuple[str, ...]:
    entries = value if isinstance(value, list) else [value]
    return tuple(entry for entry in entries if isinstance(entry, str) and entry.startswith("/"))


def _json(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
