"""The operating system that this agent runs on: one import for all who ask it things."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from tremplin_agent.platform.windows import console_user, hardware, machine_id
    from tremplin_agent.platform.windows_statistics import statistics
elif sys.platform == "darwin":
    from tremplin_agent.platform.macos import console_user, hardware, machine_id
    from tremplin_agent.platform.macos_statistics import statistics
else:
    from tremplin_agent.platform.linux import console_user, hardware, machine_id
    from tremplin_agent.platform.linux_statistics import statistics

__all__ = ["console_user", "hardware", "machine_id", "statistics"]
