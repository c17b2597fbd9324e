"""Errors of people and programs: signing in, accounts, second factors, keys, groups, policies."""

from __future__ import annotations

from tremplin_server.error_texts.entry import Entry

ENTRIES = {
    "auth.required": Entry(
        401, 5, "sign in or send a valid access token", "connectez-vous ou envoyez un jeton valable"
    ),
    "auth.bad_credentials": Entry(
        401, 5, "the name or the secret is wrong", "le nom ou le secret est faux"
    ),
    "auth.locked": Entry(
        401, 5, "too many failed attempts; the account is locked until {until}",
        "trop d'échecs ; le compte est verrouillé jusqu'à {until}",
    ),
    "auth.disabled": Entry(401, 5, "this account is disabled", "ce compte est désactivé"),
    "auth.no_second_factor": Entry(
        401, 5, "this account has no second factor; use a registered key, or set one up in the "
        "console",
        "ce compte n'a pas de second facteur ; utilisez une clé enregistrée, ou ajoutez-en un "
        "dans la console",
    ),
    "auth.password_expired": Entry(
        401, 5, "choose a new password in the console first",
        "choisissez d'abord un nouveau mot de passe dans la console",
    ),
    "auth.address": Entry(
        403, 5, "this account may not sign in from {address}",
        "ce compte ne peut pas se connecter depuis {address}",
    ),
    "auth.denied": Entry(
        403, 5, "you do not have the right to do that ({permission})",
        "vous n'avez pas le droit de faire cela ({permission})",
    ),
    "limit.technicians": Entry(
        403, 3, "{limit} technicians are signed in already, which is as many as this site allows; "
        "wait for one to sign out, or ask an administrator",
        "{limit} techniciens sont déjà connectés, le maximum de ce site ; attendez que l'un d'eux "
        "se déconnecte ou demandez à un administrateur",
    ),
    "oidc.off": Entry(
        404, 4, "this site has no sign-in through a provider (setting oidc_issuer)",
        "ce site n'a pas de connexion par un fournisseur (réglage oidc_issuer)",
    ),
    "oidc.unreachable": Entry(
        502, 9, "the provider {name} does not answer as it should; sign in with your password, "
        "or try again later",
        "le fournisseur {name} ne répond pas comme il le devrait ; connectez-vous par mot de "
        "passe ou réessayez plus tard",
    ),
    "oidc.refused": Entry(
        401, 5, "the provider {name} did not sign you in; start again from the sign-in page",
        "le fournisseur {name} ne vous a pas connecté ; recommencez depuis la page de connexion",
    ),
    "oidc.unknown": Entry(
        403, 5, "no account here belongs to you at {name}; sign in with your password and connect "
        "it under My account, or ask an administrator",
        "aucun compte d'ici n'est relié au vôtre chez {name} ; connectez-vous par mot de passe et "
        "reliez-le sous Mon compte, ou demandez à un administrateur",
    ),
    "oidc.no_role": Entry(
        403, 5, "{name} gives you no role on this site; ask an administrator for one",
        "{name} ne vous donne aucun rôle sur ce site ; demandez-en un à un administrateur",
    ),
    "oidc.taken": Entry(
        409, 3, "this account at {name} is connected to another account of this site",
        "ce compte chez {name} est déjà relié à un autre compte de ce site",
    ),
    "account.exists": Entry(
        409, 3, "an account named {name} exists already", "un compte nommé {name} existe déjà"
    ),
    "account.last_administrator": Entry(
        409, 3, "the last administrator cannot be removed or demoted",
        "le dernier administrateur ne peut être ni retiré ni rétrogradé",
    ),
    "account.administrator": Entry(
        409, 3, "an administrator cannot be deleted here; demote the account first",
        "un administrateur ne peut être supprimé ici ; rétrogradez d'abord le compte",
    ),
    "totp.enabled": Entry(
        409, 3, "there is a second factor already; remove it first",
        "il y a déjà un second facteur ; retirez-le d'abord",
    ),
    "totp.missing": Entry(
        409, 3, "there is no second factor yet; set one up first",
        "il n'y a pas encore de second facteur ; ajoutez-en un d'abord",
    ),
    "ssh_key.taken": Entry(
        409, 3, "this key is registered already", "cette clé est déjà enregistrée"
    ),
    "group.exists": Entry(
        409, 3, "a Jump Group named {name} exists already",
        "un Jump Group nommé {name} existe déjà",
    ),
    "role.exists": Entry(
        409, 3, "a Jump Item Role named {name} exists already",
        "un rôle nommé {name} existe déjà",
    ),
    "role.in_use": Entry(
        409, 3, "{count} members have the role {name}; give them another one first",
        "{count} membres ont le rôle {name} ; donnez-leur-en d'abord un autre",
    ),
    "role.default": Entry(
        409, 3, "{name} is the role of members who were given none; it stays",
        "{name} est le rôle des membres sans rôle choisi ; il reste",
    ),
    "group_policy.exists": Entry(
        409, 3, "a group policy named {name} exists already; take another name",
        "une politique de groupe nommée {name} existe déjà ; choisissez un autre nom",
    ),
    "policy.exists": Entry(
        409, 3, "a policy with the code name {name} exists already",
        "une politique du nom de code {name} existe déjà",
    ),
    "policy.in_use": Entry(
        409, 3, "{count} installers and Jump Clients refer to {name}; give them another one first",
        "{count} installeurs et Jump Clients renvoient à {name} ; donnez-leur-en d'abord une autre",
    ),
    "policy.default": Entry(
        409, 3, "the site started with {name} and refers to it; it stays",
        "le site a commencé avec {name} et y renvoie ; elle reste",
    ),
    "group.not_empty": Entry(
        409, 3, "the Jump Group {name} still has {count} Jump Clients",
        "le Jump Group {name} contient encore {count} Jump Clients",
    ),
}  # fmt: skip
