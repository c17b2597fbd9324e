# SPDX-License-Identifier: Apache-2.0
# Brings this formula's own modules to a host that has none yet, while the states are rendered:
# so the very first run works, as a test too. Newer versions come as all modules of Salt do,
# by a highstate or saltutil.sync_all. Asking the loader would make it remember their absence.
{%- set place = opts.get("extension_modules", "") ~ "/states/tremplin.py" %}
{%- if grains.kernel == "Linux" and not salt["file.file_exists"](place) %}
{%-   do salt["saltutil.sync_utils"](refresh=false) %}
{%-   do salt["saltutil.sync_modules"](refresh=false) %}
{%-   do salt["saltutil.sync_states"](refresh=false) %}
{%- endif %}
