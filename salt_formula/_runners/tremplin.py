# SPDX-License-Identifier: Apache-2.0
"""
Tremplin from the Salt master, which alone has the API account:

.. code-block:: yaml

    # /etc/salt/master.d/tremplin.conf
    tremplin:
      api:
        url: https://tremplin.example.net:8443
        client_id: ...
        client_secret: ...
        ca_pin: ...
      # A directory of file_roots that the master may write to; the first one by default.
      payload_dir: /srv/salt
    peer_run:
      .*:
        - tremplin.serve

Minions ask ``tremplin.serve``, signed with their keys, and get what concerns their own record
only. The other functions are for people, orchestrations and reactors.
"""

from __future__ import annotations

import logging
import os
import sys

import salt.client
import salt.pillar
import salt.utils.minions
import salt.utils.verify
from salt.exceptions import SaltRunnerError

log = logging.getLogger(__name__)

FOR_MINIONS = {
    "look": {"external_id", "tombstones"},
    "strangers": {"ids"},
    "change": {"external_id", "properties", "test"},
    "delete": {"external_id", "id", "reason", "confirm_gone", "test"},
    "confirm_gone": {"external_id", "client_id"},
    "make_key": {"external_id", "platform", "properties", "group", "minutes"},
    "drop_keys": {"external_id", "installer_id"},
    "payload": {"platform"},
}
"""What a minion may ask for, and how."""
PLATFORMS = ("linux-64", "linux-arm64")
PAYLOADS = "tremplin-payload"
LONGEST_KEY_MINUTES = 60


def __virtual__():  # noqa: N807 - Salt's own name
    """Say where this works."""
    if sys.platform == "win32":
        return False, "tremplin: masters run on POSIX systems"
    return "tremplin"


# --- for minions ----------------------------------------------------------------------------


def serve(request):
    """
    Do what a minion asks for, if it may. For ``peer_run``; nobody else can sign.

    request
        Of ``tremplin_core.sealing.request``.
    """
    try:
        return _served(request)
    except Exception as error:
        told = __utils__["tremplin.said"](error)
        if told is None:
            log.exception("tremplin.serve")
            return {"error": f"the master failed: {type(error).__name__}; see its log"}
        log.info("tremplin.serve: %s", told[0])
        return {"error": told[0]}


def _served(request):
    said, body, signature = __utils__["tremplin.claimed"](request)
    public = _public_key(said["minion"])
    __utils__["tremplin.prove"](public, said, body, signature)
    deed, arguments = said["deed"], said["arguments"]
    _check_allowed(said["minion"], deed, arguments)
    if deed == "payload":
        return {"result": _offered(arguments["platform"])}
    client = _client()
    if deed == "delete" and "id" in arguments:
        _check_own(said["minion"], client, arguments)
    result = __utils__["tremplin.do"](client, deed, **arguments)
    if deed != "make_key":
        return {"result": result}
    sealed = __utils__["tremplin.seal"](public, result.pop("key_info"))
    return {"result": result, "sealed": sealed}


def _refused(text):
    return __utils__["tremplin.failure"](text)


def _public_key(minion):
    place = __opts__.get("cluster_pki_dir") if __opts__.get("cluster_id") else None
    path = os.path.join(place or __opts__["pki_dir"], "minions", minion)
    if not salt.utils.verify.valid_id(__opts__, minion) or not os.path.isfile(path):
        raise _refused(f"the master has not accepted a key of {minion!r}")
    with open(path, "rb") as file:
        return file.read()


def _check_allowed(minion, deed, arguments):
    if deed not in FOR_MINIONS or not set(arguments) <= FOR_MINIONS[deed]:
        raise _refused(f"a minion may not ask for {deed} in this way")
    asked = arguments.get("external_id")
    if asked is None and deed not in ("strangers", "payload") and "id" not in arguments:
        raise _refused(f"{deed} needs a declared key")
    if asked is not None and asked != minion and asked != declared_key(minion):
        raise _refused(
            f"{asked!r} is not the declared key of the minion {minion}: say so in its pillar, as "
            "tremplin:jc_external_id"
        )
    if deed == "payload" and arguments.get("platform") not in PLATFORMS:
        raise _refused("there is no such platform")
    if deed == "make_key":
        arguments["minutes"] = min(int(arguments.get("minutes", 10)), LONGEST_KEY_MINUTES)


def _check_own(minion, client, arguments):
    """Raise unless the record is the minion's, or one that nobody declared."""
    found = __utils__["tremplin.do"](client, "strangers", ids=[arguments["id"]])
    keys = ("", minion, declared_key(minion))
    if any((record["external_id"] or "") not in keys for record in found):
        raise _refused(
            "the record {} is that of another machine than {}".format(arguments["id"], minion)
        )


def _offered(platform):
    """Return where minions find the installer, after having brought it there."""
    made = fetch(platform)
    return {"source": made["source"], "sha256": made["checksum"]}


# --- for people, orchestrations and reactors ------------------------------------------------


def clients(**query):
    """
    List records, by any filter of the API.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.clients state=offline
    """
    given = {k: v for k, v in query.items() if not k.startswith("__")}
    return _told(lambda: __utils__["tremplin.pages"](_client(), "/jump-client", **given))


def fetch(platform="linux-64", dest=None):
    """
    Bring the generic installer to where minions get it, or to ``dest``.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.fetch linux-arm64
    """
    name = f"tremplin-scc-{platform}.bin"
    path = dest or os.path.join(_payload_dir(), PAYLOADS, name)
    made = _told(lambda: __utils__["tremplin.fetched"](_client(), platform, path))
    if dest is None:
        # Written for its owner only; the file server may be somebody else.
        os.chmod(os.path.dirname(path), 0o755)  # noqa: S103 - the file has no secret
        made["source"] = f"salt://{PAYLOADS}/{name}"
    return made


def declared_key(minion):
    """
    Return the key that a minion declares: tremplin:jc_external_id of its pillar, or its id.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.declared_key web1
    """
    _id, grains, _cached = salt.utils.minions.get_minion_data(minion, __opts__)
    pillar = salt.pillar.Pillar(__opts__, grains or {"id": minion}, minion, "base")
    return _key_in(pillar.compile_pillar(), minion)


def drift(tgt="*", tgt_type="glob", jump_group=None, tag=None):
    """
    Compare the minions with the server's records: missing, unexpected, not online.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.drift
        salt-run tremplin.drift 'web*' jump_group=jumpgroup:servers
    """
    keys = sorted(_keys(tgt, tgt_type))
    return _told(
        lambda: __utils__["tremplin.do"](
            _client(), "drift", external_ids=keys, jump_group=jump_group, tag=tag
        )
    )


def decommission(external_ids, reason="decommissioned by Salt", confirm_gone=False, test=False):
    """
    Delete the records of machines that are gone. No host is contacted.

    external_ids
        Declared keys: a list, or one text with commas.
    confirm_gone
        Also close the tombstones, when nobody will ever confirm. Without it a machine that
        comes back all the same removes its agent then.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.decommission old1.example.net,old2.example.net
    """
    keys = external_ids.split(",") if isinstance(external_ids, str) else external_ids
    done = {}
    for key in keys:
        done[key] = _told(
            lambda key=key: __utils__["tremplin.do"](
                _client(),
                "delete",
                external_id=key,
                reason=reason,
                confirm_gone=bool(confirm_gone),
                test=bool(test),
            )
        )["changed"]
    return done


def key_deleted(minion, reason="the minion's key was deleted"):
    """
    Delete the record of a minion whose key was deleted. For the reactor.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.key_deleted web9
    """
    return decommission([declared_key(minion)], reason=reason)


def reconcile(tgt="*", tgt_type="glob", jump_group=None, tag=None, delete=False, test=False):
    """
    Mend what ``drift`` finds: apply the formula where a record is missing or not online.

    delete
        Also delete the records of machines that are no minions, of one Jump Group or with one
        tag; what else is on the server may be somebody else's. Without it they are listed.
    test
        Only say what would be done.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.reconcile test=True
        salt-run tremplin.reconcile delete=True jump_group=jumpgroup:servers
    """
    if delete and not (jump_group or tag):
        raise SaltRunnerError("delete=True needs a jump_group or a tag")
    by_key = _keys(tgt, tgt_type)
    found = drift(tgt, tgt_type, jump_group, tag)
    lacking = found["missing"] + found["not_online"] + found["uninstalled"]
    minions = sorted({by_key[key] for key in map(_key_of, lacking) if key in by_key})
    everybody = _keys("*", "glob")
    surplus = sorted({_key_of(item) for item in found["unexpected"]} - {"", *everybody})
    report = {"applied": minions, "surplus": surplus, "deleted": [], "failed": []}
    if test:
        return report
    if minions:
        with salt.client.get_local_client(__opts__["conf_file"]) as local:
            answers = local.cmd(minions, "state.apply", ["tremplin"], tgt_type="list", timeout=120)
        report["failed"] = [minion for minion in minions if not _fine(answers.get(minion))]
    if delete:
        done = decommission(surplus, reason="no minion of Salt")
        report["deleted"] = sorted(key for key, changed in done.items() if changed)
    return report


def online(tgt="*", tgt_type="glob"):
    """
    Fail unless every minion of the target has a record that is connected, or rests.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.online 'web*'
    """
    keys = sorted(_keys(tgt, tgt_type))
    states = {key: _states(_look(key)) for key in keys}
    away = {k: s for k, s in states.items() if not s or set(s) - {"online", "resting", "disabled"}}
    if away or not keys:
        listed = ", ".join(f"{key}: {' '.join(s) or 'no record'}" for key, s in away.items())
        raise SaltRunnerError("not online: " + (listed or "no minion matches"))
    return keys


def gone(external_ids=None, tgt=None, tgt_type="glob"):
    """
    Fail unless the server has neither a record nor an open tombstone of these machines.

    external_ids
        Declared keys: a list, or one text with commas; or, in their place, a target.

    CLI Example:

    .. code-block:: bash

        salt-run tremplin.gone web1.example.net
        salt-run tremplin.gone tgt='web*'
    """
    keys = external_ids.split(",") if isinstance(external_ids, str) else external_ids or []
    keys = list(keys) + (sorted(_keys(tgt, tgt_type)) if tgt else [])
    seen = {key: _look(key) for key in keys}
    left = [key for key, found in seen.items() if found["clients"] or found["tombstones"]]
    if left:
        raise SaltRunnerError("still on the server: " + ", ".join(left))
    return keys


# --- inside ---------------------------------------------------------------------------------


def _client():
    account = __utils__["tremplin.settings"](__opts__.get("tremplin", {}).get("api", {}))
    if account is None:
        raise _refused("the master's configuration has no tremplin:api")
    return __utils__["tremplin.api"](account, __opts__["cachedir"])


def _told(work):
    """Return `work()`; what is for the operator becomes the error of a runner."""
    try:
        return work()
    except Exception as error:
        told = __utils__["tremplin.said"](error)
        if told is None:
            raise
        raise SaltRunnerError(told[0]) from error


def _look(key):
    return _told(
        lambda: __utils__["tremplin.do"](_client(), "look", external_id=key, tombstones=True)
    )


def _states(found):
    return [record["state"] for record in found["clients"]]


def _payload_dir():
    roots = __opts__.get("file_roots", {}).get("base", [])
    place = __opts__.get("tremplin", {}).get("payload_dir") or (roots[0] if roots else "")
    if not place:
        raise SaltRunnerError("tremplin:payload_dir must name a directory of file_roots")
    return place


def _keys(tgt, tgt_type):
    """Return declared key -> minion, of the minions whose keys are accepted."""
    checked = salt.utils.minions.CkMinions(__opts__).check_minions(tgt, tgt_type)
    return {_known_key(minion): minion for minion in checked["minions"]}


def _known_key(minion):
    """Return the declared key as the master last saw it, else as its pillar is now."""
    _id, _grains, cached = salt.utils.minions.get_minion_data(minion, __opts__)
    return _key_in(cached, minion) if cached else declared_key(minion)


def _key_in(pillar, minion):
    asked = pillar.get("tremplin")
    return str((asked.get("jc_external_id") if isinstance(asked, dict) else "") or minion)


def _key_of(item):
    return item if isinstance(item, str) else item.get("external_id") or ""


def _fine(answer):
    """Return whether the states of a minion all succeeded."""
    return isinstance(answer, dict) and all(
        isinstance(state, dict) and state.get("result") is not False for state in answer.values()
    )
