# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that every module of the API has."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the connection to the server."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Base URL of the server's API, such as V(https://tremplin.example.net:8443).
      - The environment variable E(TREMPLIN_URL) is used when it is not given.
    type: str
    required: true
  client_id:
    description:
      - OAuth client id of the API account.
      - The environment variable E(TREMPLIN_CLIENT_ID) is used when it is not given.
    type: str
    required: true
  client_secret:
    description:
      - OAuth client secret of the API account.
      - The environment variable E(TREMPLIN_CLIENT_SECRET) is used when it is not given.
    type: str
    required: true
  ca_path:
    description:
      - PEM file of the authorities to trust instead of those of the system.
      - The environment variable E(TREMPLIN_CA_PATH) is used when it is not given.
    type: path
  ca_pin:
    description:
      - Hexadecimal SHA-256 of the server's own CA certificate in DER form. It wins over O(ca_path).
      - The CA is fetched from the server, compared with the pin, and used to verify everything
        else.
      - The environment variable E(TREMPLIN_CA_PIN) is used when it is not given.
    type: str
  validate_certs:
    description:
      - Whether the server's certificate is verified. Only a test should say no.
      - The environment variable E(TREMPLIN_VALIDATE_CERTS) is used when it is not given.
    type: bool
    default: true
  timeout:
    description:
      - Seconds for which the server may be silent.
      - A server that is busy, or just restarting, is asked again for up to a minute.
      - The environment variable E(TREMPLIN_TIMEOUT) is used when it is not given.
    type: int
    default: 30
  token_dir:
    description:
      - Directory of the controller, readable by this user alone, where the access token is shared
        by all forks.
      - Without it every module asks for a token of its own, and a server lets an account hold
        only 30.
      - The environment variable E(TREMPLIN_TOKEN_DIR) is used when it is not given.
    type: path
requirements:
  - An API account of the server with the rights for what the module does.
attributes:
  check_mode:
    support: full
    description: Can predict what would change without changing it.
  diff_mode:
    support: full
    description: Shows what would change, or did.
"""
