"""What can be wrong with a field, in French: the English sentence is the key.

The sentences are those of our services, of the parameter table and of marshmallow. Those
with a value in them are matched as patterns. A test looks for sentences that are missing.
"""

from __future__ import annotations

import re

_N = r"(-?\d+)"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), french)
    for pattern, french in (
        (
            r"This host is listed in that Jump Group already\.",
            "Cette machine est déjà dans ce Jump Group.",
        ),
        (r"Must be in the future\.", "Doit être dans le futur."),
        (r"Missing data for required field\.", "Ce champ est obligatoire."),
        (r"Field may not be null\.", "Ce champ ne peut pas être nul."),
        (r"Unknown field\.", "Champ inconnu."),
        (r"Unknown filter\.", "Filtre inconnu."),
        (r"Invalid (?:value|type)\.", "Valeur invalide."),
        (r"Say which one with --jc-jump-group\.", "Indiquez lequel avec --jc-jump-group."),
        (r"Not a valid integer\.", "Ce n'est pas un entier."),
        (r"Not a valid number\.", "Ce n'est pas un nombre."),
        (r"Number too large\.", "Ce nombre est trop grand."),
        (r"Not a valid boolean\.", "Ce n'est ni vrai ni faux."),
        (r"Not a valid datetime\.", "Ce n'est pas une date RFC 3339 en UTC."),
        (r"Not a valid (?:utf-8 )?string\.", "Ce n'est pas un texte valide."),
        (r"Not a valid list\.", "Ce n'est pas une liste."),
        (r"Not a valid mapping type\.", "Ce n'est pas un objet."),
        (r"Not a list of addresses or networks\.", "Ce n'est pas une liste d'adresses."),
        (r"Not OpenSSH public keys\.", "Ce ne sont pas des clés publiques OpenSSH."),
        (r"Too many keys\.", "Trop de clés."),
        (rf"Shorter than minimum length {_N}\.", r"Au moins \1 caractères."),
        (rf"Longer than maximum length {_N}\.", r"Au plus \1 caractères."),
        (rf"Length must be between {_N} and {_N}\.", r"De \1 à \2 caractères."),
        (rf"Length must be {_N}\.", r"Exactement \1 caractères."),
        (rf"Must be at least {_N}\.", r"Au moins \1."),
        (rf"Must be at most {_N}\.", r"Au plus \1."),
        (rf"Must be greater than or equal to {_N}\.", r"Au moins \1."),
        (rf"Must be less than or equal to {_N}\.", r"Au plus \1."),
        (
            rf"Must be greater than or equal to {_N} and less than or equal to {_N}\.",
            r"Entre \1 et \2.",
        ),
        (rf"Must be equal to {_N}\.", r"Doit être \1."),
        (r"Must be one of: (.*)\.", r"Un des choix suivants : \1."),
        (r"Must be among: (.*)\.", r"Parmi les choix suivants : \1."),
        (r"String does not match expected pattern\.", "Le texte n'a pas la forme attendue."),
        (r"Name some, or all_outdated\.", "Nommez-en, ou indiquez all_outdated."),
        (r"Takes a version, or nothing\.", "Attend une version, ou rien."),
        (r"Takes a version\.", "Attend une version."),
        (r"Takes days such as (.*)\.", r"Attend des jours comme \1."),
        (r"Takes a time of the day such as (.*)\.", r"Attend une heure comme \1."),
        (r"Takes a time zone such as (.*)\.", r"Attend un fuseau horaire comme \1."),
        (r"Is needed to change the type\.", "Nécessaire pour changer le type."),
        (
            r"Too easy to guess\. Take more words, or less common ones\.",
            "Trop facile à deviner. Prenez plus de mots, ou de moins courants.",
        ),
        (
            r"This is one of your last passwords\. Choose another\.",
            "C'est un de vos derniers mots de passe. Choisissez-en un autre.",
        ),
        (r"There is no such Jump Group\.", "Ce Jump Group n'existe pas."),
        (r"There is no such Jump Policy\.", "Cette Jump Policy n'existe pas."),
        (r"There is no such session policy\.", "Cette règle de session n'existe pas."),
        (
            r"Not a day of the form 2026-11-23\.",
            "Ce n'est pas un jour de la forme 2026-11-23.",
        ),
        (
            rf"A span of 1 to {_N} days is needed\.",
            r"Il faut une période de 1 à \1 jours.",
        ),
        (
            r"Somebody has to decide: name approvers\.",
            "Quelqu'un doit décider : désignez des approbateurs.",
        ),
        (r"Needs schedule_enabled\.", "Demande schedule_enabled."),
        (
            r"Goes with simultaneous_jumps join only\.",
            "Ne va qu'avec simultaneous_jumps join.",
        ),
        (
            r"There is no such time zone on this server\.",
            "Ce serveur ne connaît pas ce fuseau horaire.",
        ),
        (
            r"Not a span of days and times of the week\.",
            "Ce n'est pas une plage de jours et d'heures de la semaine.",
        ),
        (r"There is no such Jump Client\.", "Ce Jump Client n'existe pas."),
        (
            r"Must be a host name or an IP address\.",
            "Ce doit être un nom d'hôte ou une adresse IP.",
        ),
        (r"Not a valid address: (.*)", r"Adresse invalide : \1"),
        (rf"At most {_N} addresses at once\.", r"Au plus \1 adresses à la fois."),
        (r"There is no such user\.", "Cet utilisateur n'existe pas."),
        (r"There is no such Jump Item Role\.", "Ce rôle n'existe pas."),
        (r"This user is a member already\.", "Cet utilisateur est déjà membre."),
        (r"The current password is wrong\.", "Le mot de passe actuel est faux."),
        (
            r"Several Jump Clients have this name; take the id\.",
            "Plusieurs Jump Clients portent ce nom ; prenez l'id.",
        ),
        (
            r"Say which one with --jc-jump-group\.",
            "Dites lequel avec --jc-jump-group.",
        ),
        (
            r"This is a private key: keep it to yourself and give the \.pub file\.",
            "C'est une clé privée : gardez-la pour vous et donnez le fichier .pub.",
        ),
        (r"Not an SSH public key\.", "Ce n'est pas une clé publique SSH."),
        (rf"An RSA key needs at least {_N} bits\.", r"Une clé RSA demande au moins \1 bits."),
        (rf"An account has at most {_N} keys\.", r"Un compte a au plus \1 clés."),
        (
            r"This code is wrong, or its time is over\.",
            "Ce code est faux, ou son temps est écoulé.",
        ),
        (
            r"There is no installer for (.*) in this file\.",
            r"Ce fichier n'est pas un installeur \1.",
        ),
        (r"The file hashes to (.*)\.", r"L'empreinte du fichier est \1."),
        (rf"The picture has more than {_N} KB\.", r"L'image dépasse \1 Ko."),
        (
            r"This is neither a PNG nor a JPEG picture\.",
            "Ce n'est une image ni PNG ni JPEG.",
        ),
        (
            rf"The picture must have {_N} to {_N} pixels on each side\.",
            r"L'image doit avoir de \1 à \2 pixels de côté.",
        ),
        (r"The picture is damaged\.", "L'image est abîmée."),
        (rf"At most {_N} hosts at once\.", r"Au plus \1 machines à la fois."),
        (r"A host is named twice: (.*)", r"Une machine est nommée deux fois : \1"),
        (
            rf"Line {_N} is not one of a known_hosts file\.",
            r"La ligne \1 n'est pas celle d'un fichier known_hosts.",
        ),
        (
            r"The private key wants its passphrase\.",
            "La clé privée demande sa phrase secrète.",
        ),
        (
            r"Not a private SSH key, or the passphrase is wrong\.",
            "Ce n'est pas une clé SSH privée, ou la phrase secrète est fausse.",
        ),
        (
            r"Not a private SSH key in OpenSSH's or PEM form\.",
            "Ce n'est pas une clé SSH privée au format OpenSSH ou PEM.",
        ),
        (r"Not an absolute path\.", "Ce n'est pas un chemin absolu."),
        (r"must be one of (.*)", r"un des choix suivants : \1"),
        (rf"longer than {_N} characters", r"plus de \1 caractères"),
        (rf"larger than {_N}", r"plus grand que \1"),
        (r"control characters are not allowed", "les caractères de contrôle sont interdits"),
        (
            r"a code name has letters, digits, '_' and '-' only",
            "un nom de code n'a que des lettres, des chiffres, '_' et '-'",
        ),
        (rf"must be a whole number from {_N} to {_N}", r"doit être un entier de \1 à \2"),
        (r"must be a text", "doit être un texte"),
        (r"must be true or false", "doit être vrai ou faux"),
        (
            r"must be e-mail addresses, separated by commas",
            "doit être des adresses de courriel, séparées par des virgules",
        ),
        (r"must not be empty", "ne peut pas être vide"),
        (r"must be yes or no", "doit être yes ou no"),
        (r"must be a whole number, zero or more", "doit être un entier, zéro ou plus"),
    )
)


def in_french(message: str) -> str | None:
    """Return the French of `message`, or None when it is not known here."""
    for pattern, french in _PATTERNS:
        found = pattern.fullmatch(message)
        if found:
            return found.expand(french)
    return None


def translated(message: str, language: str) -> str:
    """Return `message` in `language`, a code such as `fr`; unknown ones as they are."""
    return (in_french(message) or message) if language.lower().startswith("fr") else message
