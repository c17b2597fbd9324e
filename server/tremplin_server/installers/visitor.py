"""What a browser tells of the machine that it runs on."""

from __future__ import annotations

from tremplin_server.installers.payload import PLATFORMS


def platform_of(user_agent: str) -> str:
    """Return the platform, among those that there are installers for, of a User-Agent."""
    arm = any(word in user_agent.lower() for word in ("aarch64", "arm64"))
    wanted = "linux-arm64" if arm else "linux-64"
    return wanted if wanted in PLATFORMS else PLATFORMS[0]
