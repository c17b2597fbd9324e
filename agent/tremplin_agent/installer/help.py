"""What `--help` says, in both languages. The English of a parameter is in its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Mapping

from tremplin_agent.installer.report import is_french
from tremplin_agent.parameters import Parameter


@dataclass(frozen=True)
class Words:
    """The texts of one language. parameters: by name; what is missing is said in English."""

    description: str
    usage: str
    options: str
    help: str
    version: str
    quiet: str
    epilog: str
    parameters: Mapping[str, str]

    def of(self, parameter: Parameter) -> str:
        """Return what a parameter is for."""
        return self.parameters.get(parameter.name, parameter.help)


def words(environment: Mapping[str, str]) -> Words:
    """Return the texts of the reader's language."""
    return FRENCH if is_french(environment) else ENGLISH


ENGLISH = Words(
    description="Install a Tremplin Jump Client on this host.",
    usage="usage: ",
    options="options",
    help="Show this message and exit.",
    version="Show the version and exit.",
    quiet="Say nothing but failures.",
    epilog="""examples:
  sh %(prog)s
      install for the user who runs it, in ~/.local/share/tremplin-jump-client
  sudo sh %(prog)s --scope system --jc-tag web --jc-jump-group jumpgroup:servers
      install as a service, with an unprivileged account of its own
  sudo sh %(prog)s --user deploy --install-dir /srv/jump --online-install
      run it as an existing user, and fail at once if the server does not take it
  sh %(prog)s --key-info - --quiet < key-info.txt
      the generic payload, with the key info of an installer on standard input

Every failure is one line on standard error and in the system log, leaves nothing behind,
and has an exit status of its own:
""",
    parameters={},
)

_FRENCH_PARAMETERS: Dict[str, str] = {
    "install_dir": "Répertoire à créer pour l'installation ; il ne doit pas exister.",
    "user": "Utilisateur existant qui exécute le Jump Client ; root doit en nommer un, ou "
    "choisir --scope system.",
    "jc_jump_group": "Jump Group : user:<nom>, jumpgroup:<nom de code>, ou le nom d'un groupe.",
    "jc_tag": "Étiquette affichée avec le Jump Client.",
    "jc_comments": "Commentaires affichés avec le Jump Client.",
    "jc_name": "Nom du Jump Client ; à défaut, le nom de la machine.",
    "jc_external_id": "Clé déclarée de la machine, comme son nom d'inventaire ou son minion id.",
    "jc_jump_policy": "Nom de code de la Jump Policy.",
    "jc_session_policy": "Nom de code de la règle de session.",
    "jc_max_offline_minutes": "Supprimer le Jump Client après ce nombre de minutes hors ligne ; "
    "0 suit le réglage du site.",
    "jc_ephemeral": "Machine éphémère : supprimer le Jump Client après 5 minutes hors ligne.",
    "key_info": "Informations de clé de l'installeur, pour l'archive générique ; « - » les lit "
    "sur l'entrée standard, hors de la liste des processus.",
    "online_install": "S'inscrire pendant l'installation et échouer aussitôt en cas de refus.",
    "scope": "user : s'exécute sous l'utilisateur qui installe ou sous --user ; system : mode "
    "service, exige root, sous un compte dédié sans privilèges.",
    "startup": "Ce qui lance le Jump Client au démarrage ; auto prend le gestionnaire de "
    "services de la machine.",
}

FRENCH = Words(
    description="Installe un Jump Client Tremplin sur cette machine.",
    usage="usage : ",
    options="options",
    help="Affiche cette aide et s'arrête.",
    version="Affiche la version et s'arrête.",
    quiet="Ne dit rien, sauf les échecs.",
    epilog="""exemples :
  sh %(prog)s
      installe pour l'utilisateur courant, dans ~/.local/share/tremplin-jump-client
  sudo sh %(prog)s --scope system --jc-tag web --jc-jump-group jumpgroup:servers
      installe comme service, sous un compte dédié sans privilèges
  sudo sh %(prog)s --user deploy --install-dir /srv/jump --online-install
      s'exécute sous un utilisateur existant, et échoue aussitôt si le serveur refuse
  sh %(prog)s --key-info - --quiet < key-info.txt
      l'archive générique, avec les informations de clé sur l'entrée standard

Chaque échec tient en une ligne sur la sortie d'erreur et dans le journal du système, ne
laisse rien derrière lui et a son propre code de retour :
""",
    parameters=_FRENCH_PARAMETERS,
)
