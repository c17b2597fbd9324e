# SPDX-License-Identifier: Apache-2.0
"""
Keep a Jump Client and its record in step.

.. code-block:: yaml

    web1.example.net:
      tremplin.jump_client_installed:
        - scope: system
        - jc_jump_group: jumpgroup:servers
        - jc_tag: web

The name is the machine's declared key; the formula gives the minion id. With ``test=True``
every state says what a run would do, from what it finds on both sides.
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

UNVERIFIED = "; the server was not asked, for nobody here may call its API"
IN_STEP = "host and record are in step"
GONE = "neither the host nor the server has a Jump Client"


def jump_client_installed(name, source=None, **wanted):
    """
    One running installation on this host, and one record that belongs to it.

    name
        Declared key of the machine.
    source
        Where the installer lies (salt://, https:// or a path), for hosts without the API.
    wanted
        Every parameter of the installer: install_dir, user, scope, startup, online_install,
        jc_jump_group, jc_tag, jc_comments, jc_name, jc_jump_policy, jc_session_policy,
        jc_max_offline_minutes, jc_ephemeral, key_info; and key_minutes, wait_timeout.

    Properties of the record are changed in place. Another directory, user, scope or start-up
    reinstalls under the same record.
    """
    return _converged("tremplin.installed", name, IN_STEP, source=source, **wanted)


def jump_client_absent(name, **wanted):
    """
    Neither half: uninstalled on this host, deleted on the server, both verified.

    name
        Declared key of the machine.
    install_dir
        Where it was installed, when that is not where the record or the default says.
    reason
        Why, for the audit log.
    """
    return _converged("tremplin.absent", name, GONE, **_only(wanted, "install_dir", "reason"))


def jump_client_running(name, **wanted):
    """
    What is installed runs, and the server says that it is online.

    name
        Declared key of the machine.
    """
    kept = _only(wanted, "install_dir", "wait_timeout")
    if not _installed_now(kept):
        if __opts__["test"]:
            return _result(name, None, "it is started when it is installed")
        return _result(name, False, "there is no Jump Client to run: tremplin.package installs it")
    return _converged("tremplin.running", name, "it runs, and the server says so", **kept)


def jump_client_dead(name, **wanted):
    """
    What is installed does not run, until the next boot.

    name
        Declared key of the machine.
    """
    return _converged("tremplin.stopped", name, "it does not run", **_only(wanted, "install_dir"))


def record_present(name, **properties):
    """
    The record has these properties; an agent makes its record when it enrols.

    name
        Declared key of the machine.
    properties
        name_on_server, tag, comments, jump_group, jump_policy, session_policy,
        attended_session_policy, unattended_session_policy, connection_type (active or passive),
        max_offline_minutes, ephemeral, pinned_forever.
    """
    wanted = {k: v for k, v in properties.items() if not k.startswith("__") and v is not None}
    if "name_on_server" in wanted:
        wanted["name"] = wanted.pop("name_on_server")
    test = __opts__["test"]
    if test:
        try:
            if __salt__["tremplin.record"](name) is None:
                return _result(name, None, "the record is made when the agent enrols")
        except CommandExecutionError as error:
            return _result(name, False, str(error))
    return _changed(
        name,
        lambda: __salt__["tremplin.record_present"](name, test=test, **wanted),
        "the record is as it should be",
    )


def record_absent(name, reason="removed by Salt", confirm_gone=False):
    """
    The server has no record of the machine. Its agent removes itself at its next contact.

    name
        Declared key of the machine.
    confirm_gone
        Do not wait for the host: it is known to be gone.
    """
    return _changed(
        name,
        lambda: __salt__["tremplin.record_absent"](
            name, test=__opts__["test"], reason=reason, confirm_gone=confirm_gone
        ),
        "the server has no record of it",
    )


# --- inside ---------------------------------------------------------------------------------


def _only(wanted, *names):
    """Return the parameters that a state takes, of all that the formula hands to each."""
    return {name: wanted[name] for name in names if wanted.get(name) is not None}


def _result(name, result, comment, changes=None):
    return {"name": name, "result": result, "comment": comment, "changes": changes or {}}


def _installed_now(wanted):
    found = __salt__["tremplin.host_info"](wanted.get("install_dir", ""))
    return any(installation["complete"] for installation in found["installations"])


def _converged(function, name, fine, **wanted):
    test = __opts__["test"]
    clean = {k: v for k, v in wanted.items() if not k.startswith("__") and v is not None}
    try:
        done = __salt__[function](name, test=test, **clean)
    except CommandExecutionError as error:
        return _result(name, False, str(error))
    unverified = "" if done["verified"] else UNVERIFIED
    if not done["changed"]:
        return _result(name, True, fine + unverified)
    changes = {"old": done["before"], "new": done["after"]}
    message = done["message"] if done["action"] != "nothing" else "changed in place"
    return _result(name, None if test else True, message + unverified, changes)


def _changed(name, work, fine):
    try:
        done = work()
    except CommandExecutionError as error:
        return _result(name, False, str(error))
    if not done["changed"]:
        return _result(name, True, fine)
    changes = {"old": done["diff"]["before"], "new": done["diff"]["after"]}
    test = __opts__["test"]
    comment = "it would be changed" if test else "changed"
    return _result(name, None if test else True, comment, changes)
