# SPDX-License-Identifier: Apache-2.0
# A minion's key was deleted: its record goes too. If the machine lives on, its agent removes
# itself at its next contact. In the master's configuration:
#   reactor:
#     - salt/key:
#       - salt://reactor/key.sls
{%- if data.get("act") == "delete" and data.get("result") and data.get("id") %}

tremplin-key-deleted:
  runner.tremplin.key_deleted:
    - args:
      - minion: {{ data["id"] | json }}
{%- endif %}
