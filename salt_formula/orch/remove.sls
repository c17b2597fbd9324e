# SPDX-License-Identifier: Apache-2.0
# Remove Jump Clients from minions, on both sides, and verify it on the server:
#   salt-run state.orchestrate orch.remove pillar='{target: "web*", target_type: glob}'
# Machines that do not exist any more, by their declared keys; no minion is asked:
#   salt-run state.orchestrate orch.remove pillar='{external_ids: [old1, old2]}'
{%- set ids = salt["pillar.get"]("external_ids", []) %}
{%- if ids %}

tremplin-remove-records:
  salt.runner:
    - name: tremplin.decommission
    - external_ids: {{ ids | json }}
    - confirm_gone: true
{%- else %}
{%-   set target = salt["pillar.get"]("target", "*") %}
{%-   set kind = salt["pillar.get"]("target_type", "glob") %}

tremplin-remove-modules:
  salt.function:
    - name: saltutil.sync_all
    - tgt: {{ target | json }}
    - tgt_type: {{ kind }}

tremplin-remove-apply:
  salt.state:
    - tgt: {{ target | json }}
    - tgt_type: {{ kind }}
    - sls: tremplin.clean
    {%- if salt["pillar.get"]("batch", none) %}
    - batch: {{ salt["pillar.get"]("batch") }}
    {%- endif %}
    - require:
      - salt: tremplin-remove-modules

tremplin-remove-verify:
  salt.runner:
    - name: tremplin.gone
    - tgt: {{ target | json }}
    - tgt_type: {{ kind }}
    - require:
      - salt: tremplin-remove-apply
{%- endif %}
