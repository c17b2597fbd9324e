"""Builds the `.bin` installers: a shell header, then a zip that Python runs.

    python agent/build_payload.py --platform all --output .cache/payload

The wheels are pinned with their hashes in requirements-payload.txt and fetched with pip
into a cache. The same inputs give the same bytes: members are sorted and carry a fixed
time. A build whose inputs did not change is recognised by their hash and not repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

HERE = Path(__file__).resolve().parent
_PARTS = (".py", ".sh", ".html", ".css", ".js")
sys.path.insert(0, str(HERE))

from tremplin_agent import __version__  # noqa: E402
from tremplin_agent.codes import FAILURES, Code  # noqa: E402
from tremplin_agent.platform.macos import PYTHONS as MAC_PYTHONS  # noqa: E402

REQUIREMENTS = HERE / "requirements-payload.txt"
SLOT_SIZE = 1536
"""Bytes that the server may overwrite with a key info."""
LARGEST = 15 * 1000 * 1000
OLDEST_PYTHON = "3.9.18"
PYTHONS = ("3.9.18", "3.10", "3.11", "3.12", "3.13", "3.14")
_MANYLINUX = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
TAGS = {
    "linux-64": tuple(f"{tag}_x86_64" for tag in _MANYLINUX),
    "linux-arm64": tuple(f"{tag}_aarch64" for tag in _MANYLINUX),
    # pip takes wheels for older releases of macOS as well.
    "macos-64": ("macosx_10_13_x86_64",),
    "macos-arm64": ("macosx_11_0_arm64",),
}
"""The platforms, and pip's names of what their wheels may be made for."""
_PIPS_AT_ONCE = 4
_FIXED_TIME = (2020, 1, 1, 0, 0, 0)
_PER_PYTHON = "cffi"
"""The one wheel that is not abi3: each Python's is taken, so that an upgrade of the
host's Python leaves the agent working."""


class Member(NamedTuple):
    """One file of the zip."""

    name: str
    content: bytes


def main() -> int:
    """Build what the command line asks for, and print path, size and hash of each."""
    parser = argparse.ArgumentParser(description="Build the .bin installers of the agent.")
    parser.add_argument("--platform", choices=[*TAGS, "all"], default="all")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--wheels", type=Path, default=HERE.parent / ".cache" / "wheels")
    parser.add_argument(
        "--version",
        default=__version__,
        help="another version than the source's, to try updates from one to the other",
    )
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    platforms = list(TAGS) if options.platform == "all" else [options.platform]
    for platform in platforms:
        path = build(platform, options.output, options.wheels, options.version)
        content = path.read_bytes()
        print(path, len(content), hashlib.sha256(content).hexdigest())  # noqa: T201
    _write_index(options.output, options.version)
    return 0


def build(platform: str, output: Path, wheels: Path, version: str = __version__) -> Path:
    """Return the installer of `platform` in `output`, built unless it is there already."""
    target = output / f"tremplin-scc-{platform}.bin"
    mark = output / f".{target.name}.inputs"
    inputs = _hash_of_inputs(platform, version)
    if target.exists() and mark.exists() and mark.read_text() == _mark(inputs, target):
        return target
    members = sorted([*_own_members(platform, version), *_wheel_members(platform, wheels)])
    content = header(platform, version) + _zipped(members)
    if len(content) > LARGEST:
        raise SystemExit(f"{target.name} has {len(content)} bytes, more than {LARGEST}")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    temporary.write_bytes(content)
    temporary.chmod(0o755)
    temporary.replace(target)
    mark.write_text(_mark(inputs, target))
    return target


def _mark(inputs: str, target: Path) -> str:
    return f"{inputs} {hashlib.sha256(target.read_bytes()).hexdigest()}\n"


def _hash_of_inputs(platform: str, version: str) -> str:
    digest = hashlib.sha256(f"{platform} {version}".encode())
    digest.update(json.dumps(_requirements(platform), sort_keys=True).encode())
    for name in ["build_payload.py", *_sources()]:
        digest.update(name.encode() + b"\0" + (HERE / name).read_bytes() + b"\0")
    return digest.hexdigest()


def header(platform: str, version: str = __version__) -> bytes:
    """Return the shell header, its texts taken from the catalogue of failures."""
    text = (HERE / "tremplin_agent/installer/header.sh").read_text("utf-8")
    known = {"wanted": platform, "found": "$tremplin_found"}
    for word, code in (
        ("PLATFORM", Code.INSTALL_PLATFORM),
        ("PYTHON", Code.INSTALL_PYTHON_MISSING),
    ):
        failure = FAILURES[code]
        text = text.replace(f"@{word}_STATUS@", str(failure.exit_status))
        text = text.replace(f"@{word}_EN@", failure.en.format_map(known))
        text = text.replace(f"@{word}_FR@", failure.fr.format_map(known))
    text = text.replace("@MAC_PYTHONS@", " ".join(MAC_PYTHONS))
    text = text.replace("@PLATFORM@", platform).replace("@VERSION@", version)
    return text.replace("@SLOT@", "@" * SLOT_SIZE).encode()


# --- what goes in ---------------------------------------------------------------------


def _sources() -> List[str]:
    found = (HERE / "tremplin_agent").rglob("*")
    wanted = (path for path in found if path.suffix in _PARTS)
    return sorted(str(path.relative_to(HERE)) for path in wanted)


def _own_members(platform: str, version: str) -> Iterator[Member]:
    description = {"platform": platform, "version": version}
    yield Member("payload.json", json.dumps(description, sort_keys=True).encode())
    yield Member("__main__.py", _program("tremplin_agent.installer.__main__"))
    yield Member("lib/__main__.py", _program("tremplin_agent.__main__"))
    for name in _sources():
        content = (HERE / name).read_bytes()
        if name == "tremplin_agent/__init__.py":
            content = content.replace(f'"{__version__}"'.encode(), f'"{version}"'.encode())
        yield Member(name, content)


def _program(module: str) -> bytes:
    return f"import sys\n\nfrom {module} import main\n\nsys.exit(main())\n".encode()


def _wheel_members(platform: str, wheels: Path) -> Iterator[Member]:
    found: Dict[str, bytes] = {}
    for wheel in fetch(platform, wheels):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if _is_needed(name):
                    found.setdefault(name, archive.read(name))
    return (Member(f"lib/{name}", content) for name, content in found.items())


def _is_needed(name: str) -> bool:
    """Leave out tests, and what of cffi is for building extensions, not for loading them."""
    return not (name.endswith("/") or "/tests/" in name or name.startswith("cffi/"))


def _zipped(members: List[Member]) -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for member in members:
            entry = zipfile.ZipInfo(member.name, _FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, member.content)
    return buffer.getvalue()


# --- the wheels -----------------------------------------------------------------------


def fetch(platform: str, wheels: Path) -> List[Path]:
    """Return the wheels of `platform`, fetched into `wheels` where they are missing."""
    wanted = json.dumps(_requirements(platform), sort_keys=True).encode()
    directory = wheels / platform / hashlib.sha256(wanted).hexdigest()[:16]
    if not (directory / "complete").exists():
        directory.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_PIPS_AT_ONCE) as pool:
            list(pool.map(lambda each: _download(platform, *each, directory), _downloads(platform)))
        (directory / "complete").touch()
    return sorted(directory.glob("*.whl"))


def _requirements(platform: str) -> Dict[str, str]:
    """Return the lines for pip by name: those of all platforms, then what differs on one."""
    entries = _entries(REQUIREMENTS.read_text("utf-8"))
    own = REQUIREMENTS.with_name(f"{REQUIREMENTS.stem}-{platform}.txt")
    return {**entries, **(_entries(own.read_text("utf-8")) if own.exists() else {})}


def _downloads(platform: str) -> Iterator[Tuple[str, str]]:
    """Give the Python version and the requirements of each run of pip."""
    entries = _requirements(platform)
    every = "\n".join(text for name, text in entries.items() if name != _PER_PYTHON)
    yield OLDEST_PYTHON, every
    for python in PYTHONS:
        yield python, entries[_PER_PYTHON]


def _entries(text: str) -> Dict[str, str]:
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return {re.split(r"==", line, maxsplit=1)[0]: line for line in lines}


def _download(platform: str, python: str, requirements: str, directory: Path) -> None:
    mark = hashlib.sha256(f"{python} {requirements}".encode()).hexdigest()[:8]
    listed = directory / f"requirements-{mark}.txt"
    listed.write_text(requirements + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    for tag in TAGS[platform]:
        command += ["--platform", tag]
    command += ["--dest", str(directory), "--requirement", str(listed)]
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - pip, and our own words
    listed.unlink()


def _write_index(output: Path, version: str) -> None:
    """Write what there is, for the server and for those who copy installers around."""
    index = {}
    for platform in TAGS:
        path = output / f"tremplin-scc-{platform}.bin"
        if path.exists():
            content = path.read_bytes()
            index[platform] = {
                "file": path.name,
                "version": version,
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
    (output / "payloads.json").write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
