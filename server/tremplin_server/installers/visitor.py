"""What a browser tells of the machine that it runs on."""

from __future__ import annotations

from tremplin_server.installers.payload import PLATFORMS


def platform_of(user_agent: str) -> str:
    """Return the platform, among those that there are installers for, of a User-Agent.

    A Mac's browser calls every processor Intel; most are Apple's by now.
    """
    said = user_agent.lower()
    if "macintosh" in said:
        wanted = "macos-arm64"
    elif "windows" in said:
        wanted = "windows-64-msi"
    else:
        arm = any(word in said for word in ("aarch64", "arm64"))
        wanted = "linux-arm64" if arm else "linux-64"
    return wanted if wanted in PLATFORMS else PLATFORMS[0]
