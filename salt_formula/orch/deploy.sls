# SPDX-License-Identifier: Apache-2.0
# Deploy Jump Clients to minions, and compare with the server in the end:
#   salt-run state.orchestrate orch.deploy pillar='{target: "web*", target_type: glob, batch: 50}'
{%- set target = salt["pillar.get"]("target", "*") %}
{%- set kind = salt["pillar.get"]("target_type", "glob") %}

tremplin-deploy-modules:
  salt.function:
    - name: saltutil.sync_all
    - tgt: {{ target | json }}
    - tgt_type: {{ kind }}

tremplin-deploy-payload:
  salt.runner:
    - name: tremplin.fetch

tremplin-deploy-apply:
  salt.state:
    - tgt: {{ target | json }}
    - tgt_type: {{ kind }}
    - sls: tremplin
    {%- if salt["pillar.get"]("batch", none) %}
    - batch: {{ salt["pillar.get"]("batch") }}
    {%- endif %}
    - require:
      - salt: tremplin-deploy-modules
      - salt: tremplin-deploy-payload

tremplin-deploy-compare:
  salt.runner:
    - name: tremplin.online
    - tgt: {{ target | json }}
    - tgt_type: {{ kind }}
    - require:
      - salt: tremplin-deploy-apply
