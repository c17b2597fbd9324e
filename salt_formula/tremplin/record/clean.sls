# SPDX-License-Identifier: Apache-2.0
include:
  - ..sync
{%- set tplroot = tpldir.split("/")[0] %}
{%- from tplroot ~ "/map.jinja" import mapdata as tremplin with context %}
{%- from tplroot ~ "/libwish.jinja" import declared, wish, parameters with context %}
{#- Without a way to the server there is nothing to delete with; package.clean says so. #}
{%- set seen = tremplin.api.get("client_id") or salt["environ.get"]("TREMPLIN_CLIENT_ID")
      or opts.get("file_client") != "local" %}
{%- if tremplin.supported and seen %}

tremplin-record-clean:
  tremplin.record_absent:
    - name: {{ declared(tremplin) | json }}
    - reason: {{ tremplin.reason | json }}
{%- endif %}
