"""Builds the Windows installers on Debian: an MSI, and an EXE that carries it.

    python msi/build.py --output .cache/payload

The same inputs give the same bytes, and a build whose inputs did not change is recognised
by their hash and not repeated. A release takes python.org's current embeddable zip by
`--python-embed PATH --sha256 HASH`, and is signed where `--sign-certificate` and
`--sign-key` are given; what the server offers is then the signed files.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
AGENT = HERE.parent / "agent"
sys.path.insert(0, str(AGENT))

import inputs  # noqa: E402
import package  # noqa: E402
import texts  # noqa: E402
from reproducible import settle  # noqa: E402
from tremplin_agent import __version__  # noqa: E402
from tremplin_agent.platform.wine import CARRIED  # noqa: E402

COMPILER = "x86_64-w64-mingw32-gcc"
FLAGS = ["-O2", "-s", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-municode"]
FLAGS += ["-static-libgcc", "-Wl,--no-insert-timestamp", "-Wl,--dynamicbase", "-Wl,--nxcompat"]
NAMES = ("tremplin-scc-win64.msi", "tremplin-scc-win64.exe")
PROGRAMS = ("wixl", "msibuild", "osslsigncode", COMPILER, "x86_64-w64-mingw32-windres")
FIXED_TIME = 1_577_836_800
_PROGRAM = """import sys

from tremplin_agent.platform.wine import complete

complete()

from tremplin_agent.__main__ import main

sys.exit(main())
"""
_COMMAND = '@"%~dp0python\\python.exe" -I -S "%~dp0lib" %*\r\n'


def main() -> int:
    """Build what the command line asks for; print path, size and hash of each file."""
    options = _options()
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        print("not built, these programs are missing:", ", ".join(missing), file=sys.stderr)
        return 3
    try:
        build(options)
    except inputs.Damaged as damaged:
        print(damaged, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{error}\n{error.stdout or ''}{error.stderr or ''}".strip(), file=sys.stderr)
        return 1
    for name in NAMES:
        content = (options.output / name).read_bytes()
        print(options.output / name, len(content), hashlib.sha256(content).hexdigest())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the Windows installers of the agent.")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=HERE.parent / ".cache" / "msi")
    parser.add_argument("--python-embed", type=Path, help="an embeddable zip of python.org's")
    parser.add_argument("--sha256", default="", help="the SHA-256 of that zip")
    parser.add_argument("--sign-certificate", type=Path, help="PEM chain to sign with")
    parser.add_argument("--sign-key", type=Path, help="its private key, PEM")
    parser.add_argument("--timestamp-url", default="", help="time stamping service (RFC 3161)")
    parser.add_argument("--version", default=__version__, help="of the MSI, for tests of upgrades")
    options = parser.parse_args()
    if (options.python_embed is None) != (not options.sha256):
        parser.error("--python-embed and --sha256 go together")
    if (options.sign_certificate is None) != (options.sign_key is None):
        parser.error("--sign-certificate and --sign-key go together")
    for path in (options.python_embed, options.sign_certificate, options.sign_key):
        if path is not None and not path.is_file():
            parser.error(f"there is no file {path}")
    options.output, options.cache = options.output.resolve(), options.cache.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


def build(options: argparse.Namespace) -> None:
    """Build both files into the output directory, unless they are there already."""
    mark = options.output / ".windows.inputs"
    wanted = _hash_of_inputs(options)
    if mark.exists() and mark.read_text() == _mark(wanted, options.output):
        return
    with tempfile.TemporaryDirectory(dir=options.output, prefix=".windows-") as made:
        work = Path(made)
        python = inputs.python(options.cache, options.python_embed, options.sha256)
        wheels = inputs.wheels(options.cache, python.version)
        (work / "texts.h").write_text(texts.header())
        random = _library(work, options, "random", "-ladvapi32")
        _stage(work / "stage", python, wheels, random)
        msi = _msi(work, options)
        exe = _exe(work, msi, options)
        for path in (msi, exe):
            path.replace(options.output / path.name)
    mark.write_text(_mark(wanted, options.output))


def _mark(wanted: str, output: Path) -> str:
    digest = hashlib.sha256(wanted.encode())
    for name in NAMES:
        path = output / name
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest() + "\n"


def _hash_of_inputs(options: argparse.Namespace) -> str:
    digest = hashlib.sha256(f"{options.sha256} {options.timestamp_url} {options.version}".encode())
    for path in [*sorted(HERE.glob("*.*")), *_sources()]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for path in (options.sign_certificate, options.sign_key):
        digest.update(path.read_bytes() if path is not None else b"")
    return digest.hexdigest()


# --- what is installed ----------------------------------------------------------------


def _sources() -> list[Path]:
    """Return the agent's sources, but those of the `.bin`."""
    found = (AGENT / "tremplin_agent").rglob("*.py")
    return sorted(path for path in found if path.parent.name != "installer")


def _stage(stage: Path, python: inputs.Python, wheels: list[Path], random: Path) -> None:
    """Write the files to install, all of one age. random: the DLL that Wine is lent."""
    files: dict[str, bytes] = {f"python/{name}": data for name, data in python.files.items()}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not (name.endswith("/") or "/tests/" in name or name.startswith("cffi/")):
                    files.setdefault(f"lib/{name}", archive.read(name))
    for path in _sources():
        files[f"lib/{path.relative_to(AGENT)}"] = path.read_bytes()
    files["lib/__main__.py"] = _PROGRAM.encode()
    files[f"python/{CARRIED}"] = random.read_bytes()
    files["tremplin-agent.cmd"] = _COMMAND.encode()
    files["LICENSE.txt"] = (HERE.parent / "LICENSE").read_bytes()
    for name, data in sorted(files.items()):
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (FIXED_TIME, FIXED_TIME))


# --- what installs it -----------------------------------------------------------------


def _run(*words: object, directory: Path) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(FIXED_TIME), "TZ": "UTC", "LC_ALL": "C"}
    subprocess.run(
        [str(word) for word in words], cwd=directory, env=environment, check=True,
        capture_output=True, text=True,
    )  # fmt: skip


def _library(work: Path, options: argparse.Namespace, name: str, needs: str) -> Path:
    """Compile one of this directory's sources into a DLL; return it."""
    made = work / f"{name}.dll"
    source = HERE / f"{name}.c"
    _run(COMPILER, *FLAGS, "-shared", "-I", work, "-o", made.name, source, needs, directory=work)
    _sign(made, options)
    return made


def _msi(work: Path, options: argparse.Namespace) -> Path:
    library = _library(work, options, "actions", "-lmsi")
    (work / "tremplin.wxs").write_text(package.source(work / "stage", library, options.version))
    msi = work / NAMES[0]
    _run("wixl", "--arch", "x64", "--output", msi, "tremplin.wxs", directory=work)
    summary = (package.NAME, "Tremplin", "x64;1033", f"{{{package.package_code(options.version)}}}")
    _run("msibuild", msi, "-s", *summary, directory=work)
    queries = [word for sql in package.amendments() for word in ("-q", sql)]
    _run("msibuild", msi, *queries, directory=work)
    settle(msi)
    _sign(msi, options)
    return msi


def _exe(work: Path, msi: Path, options: argparse.Namespace) -> Path:
    (work / "wrapper.rc").write_text(_resources(msi))
    resource = work / "wrapper.o"
    _run(
        "x86_64-w64-mingw32-windres",
        "--codepage=65001",
        "wrapper.rc",
        resource.name,
        directory=work,
    )
    exe = work / NAMES[1]
    _run(
        COMPILER, *FLAGS, "-mwindows", "-I", work, "-o", exe.name, HERE / "wrapper.c",
        resource.name, "-lshell32", "-lole32", directory=work,
    )  # fmt: skip
    _sign(exe, options)
    return exe


def _resources(msi: Path) -> str:
    numbers = ",".join([*__version__.split("."), "0", "0", "0"][:4])
    values = {
        "CompanyName": "Tremplin",
        "FileDescription": "Tremplin Jump Client installer",
        "FileVersion": __version__,
        "ProductName": package.NAME,
        "ProductVersion": __version__,
    }
    said = "".join(f'      VALUE "{name}", "{value}"\n' for name, value in values.items())
    return (
        f'PACKAGE RCDATA "{msi.name}"\n'
        f'1 24 "{HERE / "wrapper.manifest"}"\n'
        f"1 VERSIONINFO\nFILEVERSION {numbers}\nPRODUCTVERSION {numbers}\nBEGIN\n"
        '  BLOCK "StringFileInfo"\n  BEGIN\n    BLOCK "040904B0"\n    BEGIN\n'
        f"{said}    END\n  END\n"
        '  BLOCK "VarFileInfo"\n  BEGIN\n    VALUE "Translation", 0x409, 1200\n  END\nEND\n'
    )


def _sign(path: Path, options: argparse.Namespace) -> None:
    """Sign a file, where there is a certificate to sign with."""
    if options.sign_certificate is None:
        return
    signed = path.with_name(f"{path.name}.signed")
    command = ["osslsigncode", "sign", "-h", "sha256", "-n", package.NAME]
    command += ["-certs", options.sign_certificate, "-key", options.sign_key]
    if options.timestamp_url:
        command += ["-ts", options.timestamp_url]
    _run(*command, "-in", path, "-out", signed, directory=path.parent)
    signed.replace(path)


if __name__ == "__main__":
    sys.exit(main())
