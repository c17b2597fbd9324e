"""Who acts, and what each role may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tremplin_server.errors import Denied


class Permission(StrEnum):
    """Everything that can be allowed or refused."""

    ACCOUNTS_READ = "accounts.read"
    ACCOUNTS_WRITE = "accounts.write"
    GROUPS_READ = "groups.read"
    GROUPS_WRITE = "groups.write"
    INSTALLERS_READ = "installers.read"
    INSTALLERS_WRITE = "installers.write"
    CLIENTS_READ = "clients.read"
    CLIENTS_WRITE = "clients.write"
    CLIENTS_DELETE = "clients.delete"
    SESSIONS_READ = "sessions.read"
    SESSIONS_START = "sessions.start"
    AUDIT_READ = "audit.read"
    SEE_ALL_GROUPS = "groups.see_all"


READ_PERMISSIONS = frozenset(
    p for p in Permission if p.value.endswith(".read") or p is Permission.SEE_ALL_GROUPS
)
"""What changes nothing."""


class Role(StrEnum):
    """What a person is on this site."""

    ADMINISTRATOR = "administrator"
    TECHNICIAN = "technician"
    AUDITOR = "auditor"


_READ = frozenset(
    {
        Permission.GROUPS_READ,
        Permission.INSTALLERS_READ,
        Permission.CLIENTS_READ,
        Permission.SESSIONS_READ,
    }
)
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(Permission),
    Role.TECHNICIAN: _READ
    | {
        Permission.INSTALLERS_WRITE,
        Permission.CLIENTS_WRITE,
        Permission.CLIENTS_DELETE,
        Permission.SESSIONS_START,
    },
    Role.AUDITOR: _READ
    | {Permission.AUDIT_READ, Permission.ACCOUNTS_READ, Permission.SEE_ALL_GROUPS},
}


class ItemPermission(StrEnum):
    """What a Jump Item Role can allow with the Jump Items of a group.

    The values are the names of the API, which are those of the contract that it is compatible with.
    """

    START = "perm_start"
    ADD = "perm_add"
    ASSIGN_JUMP_GROUP = "perm_assign_jump_group"
    REMOVE = "perm_remove"
    EDIT_IDENTITY = "perm_edit_identity"
    EDIT_TAG = "perm_edit_tag"
    EDIT_COMMENTS = "perm_edit_comments"
    EDIT_JUMP_POLICY = "perm_edit_jump_policy"
    EDIT_SESSION_POLICY = "perm_edit_session_policy"
    EDIT_BEHAVIOR = "perm_edit_behavior"
    EDIT_PUBLIC_PORTAL = "perm_edit_public_portal"
    EDIT_SUPPORT_BUTTON = "perm_edit_support_button"
    VIEW_JUMP_ITEM_REPORT = "perm_view_jump_item_report"


class ActorKind(StrEnum):
    """Where an action comes from."""

    USER = "user"
    API_ACCOUNT = "api_account"
    AGENT = "agent"
    CLI = "cli"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, from where, with which permissions.

    id: of the user, API account or Jump Client; 0 for the command line and the system.
    source_ip: empty when there is no network in between.
    """

    kind: ActorKind
    name: str
    id: int = 0
    source_ip: str = ""
    permissions: frozenset[Permission] = field(default_factory=frozenset)

    def may(self, permission: Permission) -> bool:
        """Return whether this actor holds `permission`."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise Denied (auth.denied) unless this actor holds `permission`."""
        if not self.may(permission):
            raise Denied("auth.denied", permission=permission.value)


def system_actor(name: str = "system") -> Actor:
    """Return the actor of the server's own work (housekeeping, first start)."""
    return Actor(ActorKind.SYSTEM, name, permissions=frozenset(Permission))


def cli_actor(name: str) -> Actor:
    """Return the actor of the `tremplin` command, run by the operating system user `name`."""
    return Actor(ActorKind.CLI, name, permissions=frozenset(Permission))
