# SPDX-License-Identifier: Apache-2.0
{%- set tplroot = tpldir.split("/")[0] %}
{%- from tplroot ~ "/map.jinja" import mapdata as tremplin with context %}
{%- from tplroot ~ "/libtofs.jinja" import files_switch with context %}
{#- The CA of the server, for a host that calls the API by itself. #}
{%- set place = tremplin.api.get("ca_path") or tremplin.config.ca_file %}
{%- set named = salt["config.get"]("tremplin:tofs:source_files:tremplin-config-file", []) %}
{%- set wanted = tremplin.supported and place and (tremplin.config.ca or named) %}
{%- if wanted %}

tremplin-config-clean:
  file.absent:
    - name: {{ place | json }}
{%- endif %}
