# SPDX-License-Identifier: Apache-2.0
include:
  - ..sync
{%- set tplroot = tpldir.split("/")[0] %}
{%- from tplroot ~ "/map.jinja" import mapdata as tremplin with context %}
{%- from tplroot ~ "/libwish.jinja" import declared, wish, parameters with context %}
{%- if grains.kernel == "Windows" %}

tremplin-package-clean-pkg:
  pkg.removed:
    - name: tremplin-jump-client
{%- elif tremplin.supported %}

tremplin-package-clean:
  tremplin.jump_client_absent:
    - name: {{ declared(tremplin) | json }}
    {{- wish(tremplin, ["install_dir", "reason"]) }}
{%- endif %}
