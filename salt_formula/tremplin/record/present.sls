# SPDX-License-Identifier: Apache-2.0
include:
  - ..sync
{%- set tplroot = tpldir.split("/")[0] %}
{%- from tplroot ~ "/map.jinja" import mapdata as tremplin with context %}
{%- from tplroot ~ "/libwish.jinja" import declared, wish, parameters with context %}
{%- if tremplin.supported and tremplin.record %}

tremplin-record-present:
  tremplin.record_present:
    - name: {{ declared(tremplin) | json }}
    {%- for name, value in tremplin.record.items() %}
    - {{ name }}: {{ value | json }}
    {%- endfor %}
{%- endif %}
