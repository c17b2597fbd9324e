"""What the bastion says to people, in English and French.

OpenSSH shows what stands in a refused channel or after a lost connection with every byte
above ASCII as an octal number: there, French goes without its accents.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tremplin_server.sessions.naming import Reachable
from tremplin_server.sessions.reach import Bastion

_TABLE: dict[str, tuple[str, str]] = {
    "password": ("Password: ", "Mot de passe : "),
    "code": ("Code of your authenticator app: ", "Code de votre application : "),
    "both": (
        "Sign in with your password and your second factor.",
        "Connectez-vous avec votre mot de passe et votre second facteur.",
    ),
    "attempts": ("too many failed attempts", "trop d'echecs"),
    "stopping": ("the server is stopping", "le serveur s'arrete"),
    "signed_out": ("you were signed out", "vous avez ete deconnecte"),
    "bring": ("; sign in to the bastion as {login}", " ; connectez-vous au bastion comme {login}"),
    "hello": (
        "Hello {user}. This is the bastion of Tremplin: it leads to Jump Clients, and has no "
        "shell of its own.",
        "Bonjour {user}. Voici le bastion de Tremplin : il mène aux Jump Clients et n'a pas de "
        "shell à lui.",
    ),
    "use": ("How to use it:", "Comment s'en servir :"),
    "reach": ("You reach {count} Jump Clients:", "Vous atteignez {count} Jump Clients :"),
    "nobody": ("You reach no Jump Client.", "Vous n'atteignez aucun Jump Client."),
    "more": ("… and {count} more", "… et {count} autres"),
}
_SHOWN = 200
"""Jump Clients that are listed at most."""


def say(key: str, language: str, **values: object) -> str:
    """Return a text in `language`, a code such as `fr` or `en-us`."""
    english, french = _TABLE[key]
    return (french if language.lower().startswith("fr") else english).format(**values)


def plain(text: str) -> str:
    """Return `text` as OpenSSH can show it in an error: one line of printable ASCII."""
    spelled = text.replace("’", "'").replace("…", "...")
    decomposed = unicodedata.normalize("NFKD", spelled)
    kept = (c if c.isascii() else "" if unicodedata.combining(c) else "?" for c in decomposed)
    return "".join(c if c.isprintable() else " " for c in kept)


def greeting(
    language: str, user: str, bastion: Bastion, hosts: Sequence[Reachable], ports: Sequence[int]
) -> str:
    """Return what somebody reads who asked the bastion itself for a shell."""
    to = f"{user}@{bastion.host}:{bastion.port}"
    name = hosts[0].words[0] if hosts else "NAME"
    lines = [say("hello", language, user=user), "", say("use", language), f"  ssh -J {to} {name}"]
    if ports:
        lines.append(f"  ssh -L 8080:localhost:{ports[0]} -J {to} {name}")
    lines += ["  tremplin ssh-config; tremplin known-hosts", ""]
    if not hosts:
        return "\n".join([*lines, say("nobody", language), ""])
    lines.append(say("reach", language, count=len(hosts)))
    lines += [_line(host) for host in hosts[:_SHOWN]]
    if len(hosts) > _SHOWN:
        lines.append(say("more", language, count=len(hosts) - _SHOWN))
    return "\n".join([*lines, ""])


def _line(host: Reachable) -> str:
    names = " ".join(host.names) or host.client.name
    return f"  {host.client.id:>6}  {host.client.state:<9}  {names}"
