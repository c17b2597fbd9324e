# SPDX-License-Identifier: Apache-2.0
include:
  - ..sync
{%- set tplroot = tpldir.split("/")[0] %}
{%- from tplroot ~ "/map.jinja" import mapdata as tremplin with context %}
{%- from tplroot ~ "/libwish.jinja" import declared, wish, parameters with context %}
{%- if tremplin.supported and grains.kernel == "Linux" %}

tremplin-service-running:
  tremplin.jump_client_running:
    - name: {{ declared(tremplin) | json }}
    {{- wish(tremplin, ["install_dir", "wait_timeout"]) }}
{%- endif %}
