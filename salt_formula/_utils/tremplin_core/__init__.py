# SPDX-License-Identifier: Apache-2.0
"""The rules of Tremplin's formula, without anything of Salt in them.

Shared with the Ansible collection, as copies that `.ci/salt-shared` writes and a test holds:
client, differ, errors, fetching, host, lookups, plan, records, tokens.

Its own: transport (how a request leaves), deeds (what is asked of the server), links (by
which way), machine (the host at hand), converge (both halves in step), sealing (a minion
shows who it is, and a key is for its eyes only).

`_utils/tremplin.py` loads this package; nothing else of the formula imports it.
"""
