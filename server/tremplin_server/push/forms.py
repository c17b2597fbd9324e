"""The form of a push: to which hosts, how to be let in, what the Jump Clients will be."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from tremplin_agent.parameters import BY_NAME, check
from wtforms import BooleanField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from tremplin_server import pages
from tremplin_server.db import Work
from tremplin_server.errors import Invalid
from tremplin_server.groups import pages as groups
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.policies import pages as policies
from tremplin_server.push import ssh
from tremplin_server.push.plan import Wanted
from tremplin_server.push.service import Aim
from tremplin_server.push.ssh import Access, Target

LARGEST_KEY = 64 * 1024
SYSTEM_KNOWN_HOSTS = ssh.KNOWN_HOSTS[1:]
"""The one that the administrator of the server's machine keeps, not that of its account."""
_NO_MEMORY = {"autocomplete": "new-password"}
LAYOUT = ("install_dir", "user", "scope", "startup")


def _choices(name: str) -> Any:
    return pages.options([("", _l("As it is, else the usual")), *((c, c) for c in _told(name))])


def _told(name: str) -> tuple[str, ...]:
    return tuple(BY_NAME[name].choices)


class PushForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """Everything about a push. Nothing of the second part is kept or shown again."""

    hosts = TextAreaField(
        _l("Hosts"),
        [InputRequired(), Length(max=20_000)],
        description=_l("One a line: host, user@host or host:port. Its name is its external id."),
        render_kw={"rows": 5, "spellcheck": "false", "autocapitalize": "off"},
    )
    login = StringField(
        _l("User to connect as"),
        [Length(max=64)],
        default="root",
        description=_l("Where a host names none."),
        render_kw={"autocapitalize": "off", "spellcheck": "false", "autocomplete": "off"},
    )
    password = PasswordField(_l("Password"), [Length(max=1024)], render_kw=_NO_MEMORY)
    key = FileField(_l("Private key"), description=_l("A file in OpenSSH's or PEM form."))
    passphrase = PasswordField(
        _l("Passphrase of the key"), [Length(max=1024)], render_kw=_NO_MEMORY
    )
    sudo = BooleanField(_l("Become root with sudo"))
    sudo_password = PasswordField(
        _l("Password for sudo"),
        [Length(max=1024)],
        description=_l("Empty takes the password above."),
        render_kw=_NO_MEMORY,
    )
    known_hosts = TextAreaField(
        _l("Known host keys"),
        [Length(max=100_000)],
        description=_l("Lines of a known_hosts file. Of other hosts you are shown the key first."),
        render_kw={"rows": 3, "spellcheck": "false"},
    )

    jump_group = SelectField(_l("Jump Group"))
    tag = StringField(_l("Tag"), [Length(max=64)])
    comments = StringField(_l("Comments"), [Length(max=1024)])
    jump_policy_id = SelectField(_l("Jump Policy"), coerce=int)
    session_policy_id = SelectField(_l("Session policy"), coerce=int)
    scope = SelectField(_l("Scope"), choices=_choices("scope"), default="system")
    startup = SelectField(_l("Start at boot by"), choices=_choices("startup"))
    user = StringField(
        _l("User of the Jump Client"),
        [Length(max=64)],
        description=_l("Exists on the host; root needs one in the scope “user”."),
    )
    install_dir = StringField(
        _l("Directory"), [Length(max=255)], description=_l("Empty takes the usual one.")
    )

    @classmethod
    def of(cls, work: Work, data: dict[str, Any] | None = None) -> PushForm:
        """Return the form, filled with what was sent, else with `data`."""
        form = cls() if data is None else cls(formdata=None, data=data)
        form.jump_group.choices = pages.options(groups.choices(work))
        form.jump_policy_id.choices = pages.options(policies.jump_choices(work))
        form.session_policy_id.choices = pages.options(policies.session_choices(work))
        return form

    def aims(self) -> dict[Aim, Target]:
        """Return the hosts; Invalid (hosts) names one that is none."""
        found: dict[Aim, Target] = {}
        for text in re.split(r"[\s,;]+", self.hosts.data or ""):
            if not text:
                continue
            try:
                target = Target.parse(text, port=22, user=self.login.data or None)
            except ValueError as error:
                raise Invalid({"hosts": [_("Not a host: %(text)s", text=text[:80])]}) from error
            if target.user is None:
                raise Invalid({"login": [_("Say as whom to connect.")]})
            if len(text) > 255 or not text.isprintable():
                raise Invalid({"hosts": [_("Not a host: %(text)s", text=text[:80])]})
            found[Aim(text, f"{target.host.lower()}:{target.port}", target.host)] = target
        return found

    def access(self) -> Access:
        """Return how to be let in; Invalid names a key or lines that cannot be read."""
        password = self.password.data or None
        try:
            ssh.known_hosts(self.known_hosts.data or "")
        except ValueError as error:
            raise Invalid({"known_hosts": [str(error)]}) from error
        key = self._private_key()
        if password is None and key is None:
            raise Invalid({"password": [_("A password or a private key is needed.")]})
        return Access(
            key=key,
            password=password,
            agent=False,
            host_key_files=SYSTEM_KNOWN_HOSTS,
            known_hosts=self.known_hosts.data or "",
            sudo=bool(self.sudo.data),
            sudo_password=self.sudo_password.data or password,
        )

    def _private_key(self) -> Any:
        if not self.key.data:
            return None
        data = self.key.data.read(LARGEST_KEY + 1)
        try:
            if len(data) > LARGEST_KEY:
                raise ValueError("Not a private SSH key in OpenSSH's or PEM form.")
            return ssh.private_key(data.decode("utf-8", "replace"), self.passphrase.data or None)
        except ValueError as error:
            raise Invalid({"key": [str(error)]}) from error

    def wanted(self) -> dict[str, Any]:
        """Return what is kept of the form, to push again; no secret is in it."""
        kind, number = groups.parse(self.jump_group.data or "") or ("", 0)
        names = ("login", "tag", "comments", "jump_policy_id", "session_policy_id", *LAYOUT)
        kept = {name: self[name].data or None for name in names}
        return {**kept, "sudo": self.sudo.data, "jump_group_type": kind, "jump_group_id": number}


def wanted_of(kept: dict[str, Any]) -> Wanted:
    """Return what a push wants of its hosts; Invalid names a parameter that is wrong."""
    layout: dict[str, Any] = {}
    for name in LAYOUT:
        if not kept.get(name):
            continue
        try:
            layout[name] = check(BY_NAME[name], kept[name])
        except ValueError as error:
            raise Invalid({name: [str(error)]}) from error
    if "install_dir" in layout:
        if not layout["install_dir"].startswith("/"):
            raise Invalid({"install_dir": ["Not an absolute path."]})
        layout["install_dir"] = posixpath.normpath(layout["install_dir"])
    return Wanted(**layout, properties=_properties(kept))


def _properties(kept: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that were asked for; what was left empty stays as it is."""
    columns = {name: kept[name] for name in ("jump_group_type", "jump_group_id")}
    columns |= {n: kept[n] for n in ("tag", "comments", "jump_policy_id") if kept.get(n)}
    if kept.get("session_policy_id"):
        both = ("attended_session_policy_id", "unattended_session_policy_id")
        columns |= dict.fromkeys(both, kept["session_policy_id"])
    return columns
