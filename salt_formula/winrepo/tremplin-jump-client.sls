# SPDX-License-Identifier: Apache-2.0
# Windows hosts take the MSI by Salt's own package manager. Copy this file to the winrepo of the
# master (winrepo_dir_ng), put the MSI beside it, refresh: salt '*' pkg.refresh_db
#
# The key info of an installer for many machines comes from the pillar of the minion,
# tremplin:key_info; the parameters are those of the formula, as MSI properties.
{%- set tremplin = salt["pillar.get"]("tremplin", {}) %}
{%- set properties = {} %}
{%- for name in ["jc_jump_group", "jc_tag", "jc_comments", "jc_name", "jc_external_id",
      "jc_jump_policy", "jc_session_policy", "jc_max_offline_minutes", "jc_ephemeral",
      "key_info", "online_install"] %}
{%-   if tremplin.get(name) is not none and tremplin.get(name) != "" %}
{%-     set value = tremplin[name] %}
{%-     do properties.update({name | upper: (value | int if value is boolean else value)}) %}
{%-   endif %}
{%- endfor %}
{%- if tremplin.get("install_dir") %}
{%-   do properties.update({"INSTALLDIR": tremplin.install_dir}) %}
{%- endif %}
{%- do properties.update({"JC_EXTERNAL_ID": properties.get("JC_EXTERNAL_ID", grains.id)}) %}
{%- set flags = ["/qn", "/norestart"] %}
{%- for name, value in properties.items() %}
{%-   do flags.append(name ~ '="' ~ (value | string | replace('"', '""')) ~ '"') %}
{%- endfor %}
tremplin-jump-client:
  '0.1.0':
    full_name: 'Tremplin Jump Client'
    installer: 'salt://win/repo-ng/tremplin/tremplin-scc-win64.msi'
    install_flags: {{ flags | join(" ") | json }}
    uninstaller: 'salt://win/repo-ng/tremplin/tremplin-scc-win64.msi'
    uninstall_flags: '/qn /norestart'
    msiexec: true
    locale: en_US
    reboot: false
