"""Throw-away Linux hosts for tests: real init, network, users, sshd and reboot.

Each host is a systemd-nspawn guest on an overlay clone of a cached base system, in a
network namespace and a control group of its own. `python -m tests.lab --help` drives
it by hand and from molecule; the fixtures of `conftest.py` drive it from pytest.
"""
