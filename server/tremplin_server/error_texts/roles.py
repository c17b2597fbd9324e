"""Errors of people whose Jump Item Role lacks a permission: the code names the one missing."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

_LACKS = {
    "perm_add": ("add or update Jump Items", "d'ajouter ou de mettre à jour des Jump Items"),
    "perm_assign_jump_group": (
        "move or copy Jump Items to another Jump Group",
        "de déplacer ou de copier des Jump Items vers un autre Jump Group",
    ),
    "perm_remove": ("delete Jump Items", "de supprimer des Jump Items"),
    "perm_start": ("start sessions", "d'ouvrir des sessions"),
    "perm_edit_tag": ("change the tag", "de changer l'étiquette"),
    "perm_edit_comments": ("change the comments", "de changer les commentaires"),
    "perm_edit_jump_policy": ("change the Jump Policy", "de changer la Jump Policy"),
    "perm_edit_session_policy": (
        "change the session policies", "de changer les politiques de session",
    ),
    "perm_edit_identity": (
        "change name, address or account", "de changer le nom, l'adresse ou le compte",
    ),
    "perm_edit_behavior": (
        "change connection, quality or time of removal",
        "de changer la connexion, la qualité ou la date de suppression",
    ),
    "perm_view_jump_item_report": (
        "see what others did with Jump Items", "de voir ce que d'autres ont fait des Jump Items",
    ),
    "perm_edit_public_portal": ("change the public portal", "de changer le portail public"),
    "perm_edit_support_button": ("change the Support Button", "de changer le bouton d'assistance"),
}  # fmt: skip

ENTRIES = {
    f"role.{name}": Entry(
        403,
        5,
        f"your role in this Jump Group does not let you {en}; an administrator can ({name})",
        f"votre rôle dans ce Jump Group ne vous permet pas {fr} ; un administrateur le peut "
        f"({name})",
    )
    for name, (en, fr) in _LACKS.items()
}
