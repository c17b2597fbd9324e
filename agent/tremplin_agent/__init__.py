"""The Jump Client agent: what runs on the hosts, and what agent and server share.

Only `wire` and `parameters` may be imported by the server. This package runs on
CPython 3.9 and newer and never imports the server.
"""

__version__ = "0.1.0"
