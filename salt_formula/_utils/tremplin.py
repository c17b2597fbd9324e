# SPDX-License-Identifier: Apache-2.0
"""What modules, states, runners and the roster of the formula have in common.

It loads the package `tremplin_core` beside it, anew whenever Salt loads this file, so that
what a sync brought is in use without a restart.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time

CORE = "tremplin_core"
SETTINGS = ("url", "client_id", "client_secret", "ca_path", "ca_pin", "validate_certs", "timeout")
NEEDED = ("url", "client_id", "client_secret")


def __virtual__():  # noqa: N807 - Salt's own name
    """Say where this works: where there are POSIX accounts and locks."""
    if sys.platform == "win32":
        return False, "tremplin: Windows takes the MSI, see winrepo/"
    try:
        _load()
    except ImportError as error:
        return False, f"tremplin: {error}; sync the formula's _utils"
    return "tremplin"


def _load():
    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), CORE)
    files = list(os.scandir(place)) if os.path.isdir(place) else []
    stamp = sorted((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())
    if not stamp:
        raise ImportError(f"there is no {place}")
    if getattr(sys.modules.get(CORE), "tremplin_stamp", None) == (place, stamp):
        return
    for name in [n for n in sys.modules if n == CORE or n.startswith(CORE + ".")]:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        CORE, os.path.join(place, "__init__.py"), submodule_search_locations=[place]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[CORE] = package
    spec.loader.exec_module(package)
    package.tremplin_stamp = (place, stamp)


def _core(name):
    """Return a module of the package."""
    return importlib.import_module(f"{CORE}.{name}")


def settings(given, environment=None):
    """Return how the API is reached: `given`, and TREMPLIN_… variables for what is not there.

    None when url, client_id or client_secret is nowhere.
    """
    environment = os.environ if environment is None else environment
    found = {}
    for name in SETTINGS:
        value = (given or {}).get(name)
        if value is None:
            value = environment.get("TREMPLIN_" + name.upper())
        if value not in (None, ""):
            found[name] = value
    return found if all(name in found for name in NEEDED) else None


def api(settings, cachedir):
    """Return a client of the API. cachedir: of Salt; the access token is kept in it."""
    url = str(settings["url"]).rstrip("/")
    verify = str(settings.get("validate_certs", True)).lower() not in ("false", "no", "0", "off")
    transport = _core("transport").UrlTransport(
        url,
        settings.get("ca_path"),
        settings.get("ca_pin"),
        verify,
        float(settings.get("timeout", 30)),
    )
    account, secret = str(settings["client_id"]), str(settings["client_secret"])
    tokens = _core("tokens").FileTokens(
        os.path.join(cachedir, "tremplin"), url, account, secret, time.time
    )
    return _core("client").Client(url, account, secret, transport, tokens)


def direct(settings, cachedir):
    """Return the link of a process that has an API account."""
    return _core("links").Direct(api(settings, cachedir))


def through(ask, fetch):
    """Return the link of a minion whose master has the account."""
    return _core("links").Through(ask, fetch)


def unseen(fetch, source):
    """Return the link of a host that cannot see the server's records."""
    return _core("links").Unseen(fetch, source)


def converge(link, work, wish, test=False):
    """Return the outcome of `work` (present, absent, running, stopped) as a dictionary.

    wish: arguments of `converge.Wish`. Raises the errors that `said` understands.
    """
    converger = _core("converge").Converger(link, _core("machine").Machine())
    outcome = getattr(converger, work)(_core("converge").Wish(**wish), test)
    return {
        "changed": outcome.changed,
        "action": outcome.action,
        "message": outcome.message,
        "directory": outcome.directory,
        "before": outcome.before,
        "after": outcome.after,
        "verified": link.sees_server,
    }


def survey(directories):
    """Return the host's half, as found in `directories`."""
    return _core("machine").Machine().survey(directories)


def said(error):
    """Return (message, facts) of an error that is for the operator; None of any other."""
    if isinstance(error, (_core("plan").PlanError, _core("sealing").Forged)):
        return str(error), {}
    if isinstance(error, _core("errors").TremplinError):
        return str(error), error.facts
    return None


def failure(message):
    """Return an error for the operator."""
    return _core("errors").TremplinError(message)


def unreachable(message):
    """Return the error of somebody who does not answer."""
    return _core("errors").Unreachable(message)


def do(client, deed, **arguments):
    """Return the result of one of the deeds."""
    return _core("deeds").BY_NAME[deed](client, **arguments)


def pages(client, path, **query):
    """Return every item of a list of the API."""
    return list(client.pages(path, **query))


def text(client, path):
    """Return what the API answers as text."""
    return client.download(path).body.decode("utf-8")


def fetched(client, platform, dest):
    """Return {changed, dest, checksum} of having the generic installer at `dest`."""
    return _core("fetching").generic(client, platform, dest, False)


def request(private_pem, minion, deed, arguments):
    """Return a request of this minion, signed with its key."""
    return _core("sealing").request(private_pem, minion, deed, arguments, time.time())


def claimed(request):
    """Return (what a request says, its bytes, its signature); nothing is proven yet."""
    return _core("sealing").claimed(request)


def prove(public_pem, said, body, signature):
    """Raise an error that `said` understands unless the minion signed it just now."""
    _core("sealing").prove(public_pem, said, body, signature, time.time())


def seal(public_pem, secret):
    """Return `secret` for the minion with this key only."""
    return _core("sealing").seal(public_pem, secret)


def unseal(private_pem, pieces):
    """Return what was sealed for this minion."""
    return _core("sealing").unseal(private_pem, pieces)
