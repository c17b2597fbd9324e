"""What a customer's client says, in English and French."""

from __future__ import annotations

from typing import Dict, Tuple

_WORDS: Dict[str, Tuple[str, str]] = {
    "welcome": (
        "Tremplin support. Nothing is installed. Nobody sees or does anything here before you "
        "allow it, and you can end it at any moment.",
        "Assistance Tremplin. Rien n'est installé. Personne ne voit ni ne fait quoi que ce soit "
        "ici sans votre accord, et vous pouvez y mettre fin à tout moment.",
    ),
    "key": ("Session key: ", "Clé de session : "),
    "connecting": ("Connecting to the server…", "Connexion au serveur…"),
    "waiting": (
        "You are in the queue. A technician will be with you soon.",
        "Vous êtes dans la file d'attente. Un technicien va s'occuper de vous.",
    ),
    "lost": (
        "The connection to the server broke; trying again…",
        "La connexion au serveur est coupée ; nouvel essai…",
    ),
    "back": ("Connected again.", "Connexion rétablie."),
    "help": (
        "Type to chat. Commands: /allow  /stop (take everything back)  /end (end the session)",
        "Écrivez pour discuter. Commandes : /autoriser  /retirer (tout reprendre)  "
        "/fin (terminer la session)",
    ),
    "grant_shell": (
        "{who} wants to see this computer and run commands on it as you. Allow it?",
        "{who} souhaite voir cet ordinateur et y lancer des commandes en votre nom. Autoriser ?",
    ),
    "grant_files": (
        "{who} wants to read, send and change your files. Allow it?",
        "{who} souhaite lire, envoyer et modifier vos fichiers. Autoriser ?",
    ),
    "grant_elevation": (
        "{who} may want to ask for the administrator's rights. Allow him to ask?",
        "{who} pourrait demander les droits de l'administrateur. L'autoriser à le demander ?",
    ),
    "raise": (
        "{who} asks for the administrator's rights on this computer. You type the password here; "
        "it is not sent to anybody. Allow it?",
        "{who} demande les droits de l'administrateur sur cet ordinateur. Le mot de passe se tape "
        "ici ; il n'est envoyé à personne. Autoriser ?",
    ),
    "pin": (
        "{who} wants to install a Jump Client on this computer ({group}): technicians of this "
        "group will then reach it without asking you. Allow it?",
        "{who} souhaite installer un Jump Client sur cet ordinateur ({group}) : les techniciens de "
        "ce groupe y accéderont ensuite sans vous demander. Autoriser ?",
    ),
    "yes_no": (" [y/N] ", " [o/N] "),
    "yes": ("Yes", "Oui"),
    "no": ("No", "Non"),
    "allowed": ("You allow: {what}", "Vous autorisez : {what}"),
    "nothing": ("nothing", "rien"),
    "shell": (
        "seeing this computer and running commands",
        "voir cet ordinateur et y lancer des commandes",
    ),
    "files": ("files", "les fichiers"),
    "elevation": (
        "asking for the administrator's rights",
        "demander les droits de l'administrateur",
    ),
    "taken": ("{who} takes care of you.", "{who} s'occupe de vous."),
    "joined": ("{who} has come in.", "{who} est arrivé."),
    "left": ("{who} has left.", "{who} est parti."),
    "transferred": ("{who} takes over.", "{who} prend le relais."),
    "terminal": ("{who} opens a terminal.", "{who} ouvre un terminal."),
    "files_opened": ("{who} opens your files.", "{who} ouvre vos fichiers."),
    "elevated": (
        "The session has the administrator's rights now.",
        "La session a maintenant les droits de l'administrateur.",
    ),
    "not_elevated": (
        "The administrator's rights were not given.",
        "Les droits de l'administrateur n'ont pas été donnés.",
    ),
    "cannot_elevate": (
        "This computer has neither sudo nor pkexec: start this client again as its administrator.",
        "Cet ordinateur n'a ni sudo ni pkexec : relancez ce client en tant qu'administrateur.",
    ),
    "installing": ("Installing the Jump Client…", "Installation du Jump Client…"),
    "pinned": ("The Jump Client is installed.", "Le Jump Client est installé."),
    "pin_failed": (
        "The Jump Client was not installed: {detail}",
        "Le Jump Client n'a pas été installé : {detail}",
    ),
    "ended": ("The support session is over.", "La session d'assistance est terminée."),
    "gone": ("Nothing of it is left on this computer.", "Il n'en reste rien sur cet ordinateur."),
    "end": ("End the session", "Terminer la session"),
    "stop": ("Take everything back", "Tout retirer"),
    "allow": ("Allow…", "Autoriser…"),
    "send": ("Send", "Envoyer"),
    "message": ("Message", "Message"),
    "title": ("Tremplin support", "Assistance Tremplin"),
    "who_is_here": ("In the session", "Dans la session"),
    "you_allow": ("You allow", "Vous autorisez"),
    "close_page": (
        "The support session is over. Nothing of it is left on this computer; you can close "
        "this page.",
        "La session d'assistance est terminée. Il n'en reste rien sur cet ordinateur ; vous "
        "pouvez fermer cette page.",
    ),
    "lost_page": (
        "The support program does not answer any more, or it goes on in another page.",
        "Le programme d'assistance ne répond plus, ou il continue dans une autre page.",
    ),
    "window": (
        "The session is in a page of your browser; closing it ends the session. "
        "With --terminal it stays in this terminal.",
        "La session est dans une page de votre navigateur ; la fermer y met fin. "
        "Avec --terminal, elle reste dans ce terminal.",
    ),
    "no_window": (
        "No browser opened the page; the session goes on in this terminal.",
        "Aucun navigateur n'a ouvert la page ; la session continue dans ce terminal.",
    ),
    "you": ("you", "vous"),
    "support.key_unknown": (
        "There is no such session key, or its time is over; ask your technician for another one.",
        "Cette clé de session n'existe pas ou n'est plus valable ; demandez-en une autre à votre "
        "technicien.",
    ),
    "support.key_used": (
        "Somebody else came with this session key; ask your technician for another one.",
        "Quelqu'un d'autre a utilisé cette clé de session ; demandez-en une autre à votre "
        "technicien.",
    ),
    "support.no_server": (
        "This client was not made by a server; take it from the support page.",
        "Ce client ne vient d'aucun serveur ; prenez-le sur la page d'assistance.",
    ),
    "support.bad_key": (
        "This is no session key; it has nine letters and digits, as in ACD-EFG-H34.",
        "Ce n'est pas une clé de session ; elle a neuf lettres et chiffres, comme ACD-EFG-H34.",
    ),
    "support.no_terminal": (
        "There is neither a terminal nor a screen to ask you on; start this in a terminal.",
        "Il n'y a ni terminal ni écran pour vous demander ; lancez ceci dans un terminal.",
    ),
    "support.no_place": (
        "There is no private place on this computer that programs may run from.",
        "Aucun endroit privé de cet ordinateur ne permet de lancer un programme.",
    ),
    "unreachable": (
        "The server cannot be reached: {detail}",
        "Le serveur est injoignable : {detail}",
    ),
}  # fmt: skip


class Speech:
    """The words in one language."""

    def __init__(self, french: bool) -> None:
        self.french = french

    @property
    def language(self) -> str:
        """The code of the language."""
        return "fr" if self.french else "en"

    def say(self, name: str, **values: str) -> str:
        """Return words, the names in braces replaced."""
        return _WORDS[name][1 if self.french else 0].format(**values)

    def event(self, what: str, who: str) -> str:
        """Return the words for something that happened; empty for what the customer knows."""
        name = {"files": "files_opened"}.get(what, what)
        return self.say(name, who=who) if name in _EVENTS else ""

    def refusal(self, code: str, detail: str) -> str:
        """Return why the server did not let this client in."""
        return self.say(code) if code in _WORDS else detail or code


_EVENTS = ("taken", "joined", "left", "transferred", "terminal", "files_opened", "elevated")
