# SPDX-License-Identifier: Apache-2.0
"""
Jump Clients of a Tremplin server: the host's half, and the record that belongs to it.

A minion asks its master, whose runner has the API account (see the formula's README). A host
without a master uses an account of its own, from the pillar or the configuration:

.. code-block:: yaml

    tremplin:
      api:
        url: https://tremplin.example.net:8443
        client_id: ...
        client_secret: ...
        ca_pin: ...

Without either it may still install with a key info of the operator's, and then believes the
host's own half.
"""

from __future__ import annotations

import os
import sys

from salt.exceptions import CommandExecutionError

PARAMETERS = (
    "install_dir",
    "user",
    "scope",
    "startup",
    "online_install",
    "jc_jump_group",
    "jc_tag",
    "jc_comments",
    "jc_name",
    "jc_jump_policy",
    "jc_session_policy",
    "jc_max_offline_minutes",
    "jc_ephemeral",
)
OPTIONS = ("key_info", "key_minutes", "wait_timeout", "reason")
DEFAULTS = {"scope": "user", "startup": "auto", "online_install": True}
RUNNER = "tremplin.serve"
__func_alias__ = {"list_": "list"}


def __virtual__():  # noqa: N807 - Salt's own name
    """Say where this works."""
    if sys.platform == "win32":
        return False, "tremplin: Windows takes the MSI, see winrepo/"
    return "tremplin"


def installed(external_id=None, test=False, source=None, **wanted):
    """
    Have one running Jump Client that belongs to the one record of this host.

    external_id
        Declared key of the machine, the minion id by default.
    wanted
        Parameters of the installer, as in the pillar of the formula.

    CLI Example:

    .. code-block:: bash

        salt '*' tremplin.installed scope=system jc_jump_group=jumpgroup:servers
    """
    wish = _wish(external_id, dict(DEFAULTS, **wanted))
    return _told(lambda: _converged(_link(source), "present", wish, test))


def absent(external_id=None, test=False, **wanted):
    """
    Remove both halves of this host's Jump Client, and verify both.

    CLI Example:

    .. code-block:: bash

        salt '*' tremplin.absent reason='replaced'
    """
    return _told(lambda: _converged(_link(), "absent", _wish(external_id, wanted), test))


def running(external_id=None, test=False, **wanted):
    """
    Start what is installed, and wait until the server says that it is online.

    CLI Example:

    .. code-block:: bash

        salt '*' tremplin.running
    """
    return _told(lambda: _converged(_link(), "running", _wish(external_id, wanted), test))


def stopped(external_id=None, test=False, **wanted):
    """
    Stop what is installed; it starts again at the next boot.

    CLI Example:

    .. code-block:: bash

        salt '*' tremplin.stopped
    """
    return _told(lambda: _converged(_link(), "stopped", _wish(external_id, wanted), test))


def host_info(directory=""):
    """
    Show the host's half: installations, processes, boot entries, leftovers.

    CLI Example:

    .. code-block:: bash

        salt '*' tremplin.host_info
    """
    return __utils__["tremplin.survey"]([directory])


def record(external_id=None):
    """
    Show the server's record of this host, or of another declared key; None without one.

    CLI Example:

    .. code-block:: bash

        salt '*' tremplin.record
    """
    found = _told(lambda: _link().do("look", external_id=_key(external_id)))["clients"]
    return found[0] if found else None


def record_present(external_id=None, test=False, **properties):
    """
    Set properties of the record: tag, comments, jump_group and so on, in place.

    CLI Example:

    .. code-block:: bash

        salt '*' tremplin.record_present tag=web
    """
    clean = _given(properties)
    return _told(
        lambda: _link().do(
            "change", external_id=_key(external_id), properties=clean, test=bool(test)
        )
    )


def record_absent(external_id=None, test=False, reason="removed by Salt", confirm_gone=False):
    """
    Delete the record. Its agent removes itself at its next contact.

    confirm_gone
        Do not wait for the host: it is known to be gone.

    CLI Example:

    .. code-block:: bash

        salt '*' tremplin.record_absent reason='replaced'
    """
    return _told(
        lambda: _link().do(
            "delete",
            external_id=_key(external_id),
            reason=reason,
            confirm_gone=bool(confirm_gone),
            test=bool(test),
        )
    )


def drift(external_ids, jump_group=None, tag=None):
    """
    Compare the server's records with a list of declared keys. Needs an API account here;
    on a master, use the runner of the same name.

    CLI Example:

    .. code-block:: bash

        salt-call --local tremplin.drift '[web1.example.net]'
    """
    return _told(
        lambda: _link().do("drift", external_ids=external_ids, jump_group=jump_group, tag=tag)
    )


def list_(**query):
    """
    List records, by any filter of the API. Needs an API account here; on a master, use the
    runner ``tremplin.clients``.

    CLI Example:

    .. code-block:: bash

        salt-call --local tremplin.list state=offline
    """
    account = _account()
    if account is None:
        raise CommandExecutionError("tremplin.list needs tremplin:api; see the runner")
    client = __utils__["tremplin.api"](account, __opts__["cachedir"])
    return _told(lambda: __utils__["tremplin.pages"](client, "/jump-client", **_given(query)))


# --- inside ---------------------------------------------------------------------------------


def _given(values):
    """Return what was given, without what Salt adds to every call and what is empty."""
    return {k: v for k, v in values.items() if not k.startswith("__") and v is not None}


def _key(external_id):
    return str(external_id or __opts__["id"])


def _wish(external_id, given):
    given = _given(given)
    unknown = set(given) - set(PARAMETERS) - set(OPTIONS)
    if unknown:
        raise CommandExecutionError("unknown parameters: " + ", ".join(sorted(unknown)))
    wish = {name: given[name] for name in OPTIONS if name in given}
    wish["external_id"] = _key(external_id)
    wish["parameters"] = {name: given[name] for name in PARAMETERS if name in given}
    return wish


def _converged(link, work, wish, test):
    return __utils__["tremplin.converge"](link, work, wish, bool(test))


def _told(work):
    """Return `work()`; what is for the operator becomes the error of a command."""
    try:
        return work()
    except Exception as error:
        told = __utils__["tremplin.said"](error)
        if told is None:
            raise
        raise CommandExecutionError(told[0]) from error


def _account():
    return __utils__["tremplin.settings"](__salt__["config.get"]("tremplin:api", {}))


def _link(source=None):
    """Return the way from here to the server.

    What the links call back gets Salt's functions now: while a function of `_utils` runs, its
    loader's names are in force, and it has neither `__salt__` nor `__utils__`.
    """
    account = _account()
    if account is not None:
        return __utils__["tremplin.direct"](account, __opts__["cachedir"])
    if __opts__.get("file_client") != "local" and "master_uri" in __opts__:
        return __utils__["tremplin.through"](_asking(), _fetching())
    return __utils__["tremplin.unseen"](_fetching(), source or "")


def _asking():
    """Return a function that has the master's runner do a deed."""
    minion = __opts__["id"]
    with open(os.path.join(__opts__["pki_dir"], "minion.pem"), "rb") as file:
        private = file.read()
    runner = __salt__["publish.runner"]
    request, unseal = __utils__["tremplin.request"], __utils__["tremplin.unseal"]
    failure, unreachable = __utils__["tremplin.failure"], __utils__["tremplin.unreachable"]

    def ask(deed, arguments):
        answer = runner(RUNNER, [request(private, minion, deed, arguments)])
        if isinstance(answer, dict) and "error" in answer:
            raise failure(answer["error"])
        if not isinstance(answer, dict) or "result" not in answer:
            raise unreachable(
                f"the master did not run {RUNNER} for {minion}: its peer_run has to allow it, "
                f"and its runners have to be synchronised ({answer or 'no answer'})"
            )
        if answer.get("sealed"):
            return dict(answer["result"], key_info=unseal(private, answer["sealed"]))
        return answer["result"]

    return ask


def _fetching():
    """Return a function that brings a file of the file server, of this host or of the network."""
    saltenv = __opts__.get("saltenv") or "base"
    cache, failure = __salt__["cp.cache_file"], __utils__["tremplin.failure"]

    def fetch(source):
        path = cache(source, saltenv)
        if not path:
            raise failure(f"there is no file {source}")
        with open(path, "rb") as file:
            return file.read()

    return fetch
