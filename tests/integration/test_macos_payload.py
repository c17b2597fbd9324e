"""The Macs' installers, looked into: no Mac is at hand to run them."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import build_payload
import pytest

from tests.boxes import PAYLOADS

CPU = {"macos-64": 0x01000007, "macos-arm64": 0x0100000C}
"""CPU_TYPE_X86_64 and CPU_TYPE_ARM64 of mach/machine.h."""
_THIN, _FAT = 0xFEEDFACF, 0xCAFEBABE


@pytest.fixture(scope="module", params=sorted(CPU))
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def archive(platform: str) -> zipfile.ZipFile:
    """The zip behind the header of an installer."""
    path = build_payload.build(platform, PAYLOADS, PAYLOADS.parent / "wheels")
    return zipfile.ZipFile(io.BytesIO(path.read_bytes()))


def processors(binary: bytes) -> set[int]:
    """Return the kinds of processor that a Mach-O file is for."""
    if struct.unpack("<I", binary[:4])[0] == _THIN:
        return {struct.unpack("<I", binary[4:8])[0]}
    magic, count = struct.unpack(">II", binary[:8])
    assert magic == _FAT, "no Mach-O file"
    return {struct.unpack(">I", binary[8 + 20 * n : 12 + 20 * n])[0] for n in range(count)}


def test_every_binary_is_for_that_processor(archive: zipfile.ZipFile, platform: str) -> None:
    binaries = [name for name in archive.namelist() if name.endswith((".so", ".dylib"))]
    assert not [name for name in archive.namelist() if name.endswith((".pyd", ".dll"))]
    for name in binaries:
        assert CPU[platform] in processors(archive.read(name)), name
    wanted = {"_rust", "_psutil_osx", *(f"cpython-{n}-darwin" for n in (39, *range(310, 315)))}
    assert all(any(word in name for name in binaries) for word in wanted)


def test_it_is_whole(archive: zipfile.ZipFile, platform: str) -> None:
    assert archive.testzip() is None
    assert json.loads(archive.read("payload.json"))["platform"] == platform
    names = set(archive.namelist())
    own = {str(path.relative_to(build_payload.HERE)) for path in _sources()}
    assert own <= names
    for package in ("asyncssh", "cryptography", "psutil", "websockets"):
        assert f"lib/{package}/__init__.py" in names
    assert not [name for name in names if "_pslinux.so" in name or "manylinux" in name]


def _sources() -> list[Path]:
    found = (build_payload.HERE / "tremplin_agent").rglob("*")
    return [path for path in found if path.suffix in (".py", ".sh")]


def test_what_the_installer_needs_is_in_it(
    archive: zipfile.ZipFile, platform: str, tmp_path: Path
) -> None:
    """Python reads the installer out of the file, and it refuses this host by itself."""
    path = tmp_path / "installer.bin"
    path.write_bytes((PAYLOADS / f"tremplin-scc-{platform}.bin").read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(path), "--key-info", "x"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 41
    assert f"install.platform: this installer is made for {platform}" in done.stderr
    header = subprocess.run(["sh", str(path)], capture_output=True, text=True)
    assert header.returncode == 41
