# SPDX-License-Identifier: Apache-2.0
include:
  - ..sync
{%- set tplroot = tpldir.split("/")[0] %}
{%- from tplroot ~ "/map.jinja" import mapdata as tremplin with context %}
{%- from tplroot ~ "/libwish.jinja" import declared, wish, parameters with context %}
{%- if not tremplin.supported %}

tremplin-package-install-unsupported:
  test.fail_without_changes:
    - name: there is no installer for {{ grains.kernel }} {{ grains.osarch }}
{%- elif grains.kernel == "Windows" %}

tremplin-package-install-pkg:
  pkg.installed:
    - name: tremplin-jump-client
{%- else %}

tremplin-package-install:
  tremplin.jump_client_installed:
    - name: {{ declared(tremplin) | json }}
    {{- wish(tremplin, parameters) }}
{%- endif %}
