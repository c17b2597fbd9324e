# SPDX-License-Identifier: Apache-2.0
# Brings this formula's own modules to a host that has none yet, while the states are rendered:
# so the very first run works, as a test too. Newer versions come as all modules of Salt do,
# by a highstate or saltutil.sync_all.
{%- if grains.kernel == "Linux" and "tremplin.installed" not in salt %}
{%-   do salt["saltutil.sync_utils"](refresh=false) %}
{%-   do salt["saltutil.sync_modules"](refresh=false) %}
{%-   do salt["saltutil.sync_states"](refresh=false) %}

tremplin-sync:
  test.nop:
    - name: this run takes up the formula's modules
    - reload_modules: true
{%- endif %}
