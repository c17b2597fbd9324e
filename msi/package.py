"""The text that wixl makes the MSI of, and what wixl cannot say, as SQL for msibuild."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tremplin_agent import __version__
from tremplin_agent.platform.windows import PRODUCT_KEY, SERVICE
from tremplin_agent.platform.windows_events import SOURCE
from tremplin_agent.platform.windows_install import KEEP_RECORD, PROPERTIES, START_SERVICES

NAME = "Tremplin Jump Client"
UPGRADE_CODE = "6C5B7E0A-5E0F-4C43-9D6A-7B0B4E2C7C11"
EVENT_KEY = rf"SYSTEM\CurrentControlSet\Services\EventLog\Application\{SOURCE}"
PUBLIC = (*PROPERTIES, "INSTALLDIR", START_SERVICES, KEEP_RECORD)
"""The properties that may be given to msiexec."""
HIDDEN = ("KEY_INFO", "TremplinRegister", "TremplinRollback", "TremplinUnregister")
"""Properties that the installer's log must not show."""

_NAMESPACE = uuid.UUID("0d1c2f4e-9c56-4b8e-8f0e-5d9d3f0c7a52")
_INSTALLING = "NOT Installed"
_AT_WORK = "NOT Installed OR REINSTALL"
_REMOVING = 'REMOVE="ALL"'
_REMOVED_FOR_GOOD = 'REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE'

_DLL, _DEFERRED, _ROLLBACK, _SYSTEM, _GOES_ON, _HIDDEN = 1, 1024, 256, 2048, 64, 8192


class Action(NamedTuple):
    """A custom action: its name, entry of the DLL, type, condition and place."""

    name: str
    entry: str
    kind: int
    condition: str
    sequence: int


_LATER = _DLL | _DEFERRED | _SYSTEM
ACTIONS = (
    Action("TremplinPlan", "Plan", _DLL, "1", 1010),
    Action("TremplinForgetRollback", "Forget", _LATER | _ROLLBACK | _GOES_ON, _INSTALLING, 1510),
    Action("TremplinUnregister", "Unregister", _LATER | _HIDDEN, _REMOVING, 1950),
    Action("TremplinForget", "Forget", _LATER, _REMOVED_FOR_GOOD, 3700),
    Action("TremplinRollback", "Unregister", _LATER | _ROLLBACK | _HIDDEN, _INSTALLING, 5840),
    Action("TremplinRegister", "Register", _LATER | _HIDDEN, _INSTALLING, 5850),
)
"""Unregister after the service has stopped (1900) and before files go (3500); Register once
the service is there (5800) and before it starts (5900)."""


CONDITIONS = {
    "StopServices": f"{_AT_WORK} OR REMOVE",
    "InstallFiles": _AT_WORK,
    "StartServices": f"{START_SERVICES} <> 0 AND ({_AT_WORK})",
}
"""Of standard actions. Installing the same version again changes nothing, and so it neither
stops the service nor writes below it: Windows does so by itself, Wine does not."""


def product_code(version: str) -> str:
    """Return the product code of a version: the same wherever that version is built."""
    return str(uuid.uuid5(_NAMESPACE, f"product {version}")).upper()


def package_code(version: str) -> str:
    """Return the code of a version's package."""
    return _guid("package", version)


def _guid(*words: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, " ".join(words))).upper()


def source(stage: Path, library: Path, version: str = __version__) -> str:
    """Return the text for wixl. stage: the files to install; library: the actions' DLL."""
    wix = Element("Wix", xmlns="http://schemas.microsoft.com/wix/2006/wi")
    product = SubElement(
        wix, "Product", Id=product_code(version), Name=NAME, Language="1033",
        Version=version, Manufacturer="Tremplin", UpgradeCode=UPGRADE_CODE,
    )  # fmt: skip
    SubElement(
        product, "Package", Id=package_code(version), InstallerVersion="500",
        Compressed="yes", InstallScope="perMachine", Manufacturer="Tremplin",
        Description=f"{NAME} {version}",
    )  # fmt: skip
    SubElement(product, "Media", Id="1", Cabinet="files.cab", EmbedCab="yes")
    _upgrade(product, version)
    _properties(product)
    names = _directories(product, stage)
    feature = SubElement(product, "Feature", Id="Everything", Level="1", Title=NAME)
    for name in names:
        SubElement(feature, "ComponentRef", Id=name)
    SubElement(product, "Binary", Id="Actions", SourceFile=library.name)
    _sequence(product)
    indent(wix)
    return tostring(wix, encoding="unicode", xml_declaration=True)


def _upgrade(product: Element, version: str) -> None:
    found = SubElement(product, "Upgrade", Id=UPGRADE_CODE)
    SubElement(
        found, "UpgradeVersion", Minimum="0.0.0", IncludeMinimum="yes", Maximum=version,
        IncludeMaximum="no", Property="OLDVERSION",
    )  # fmt: skip
    SubElement(
        found, "UpgradeVersion", Minimum=version, IncludeMinimum="no", OnlyDetect="yes",
        Property="NEWERVERSION",
    )  # fmt: skip
    condition = SubElement(product, "Condition", Message=f"A newer {NAME} is installed already.")
    condition.text = "NOT NEWERVERSION OR Installed"
    condition = SubElement(product, "Condition", Message=f"{NAME} needs 64-bit Windows.")
    condition.text = "VersionNT64"


def _properties(product: Element) -> None:
    SubElement(product, "Property", Id=START_SERVICES, Value="1")
    SubElement(product, "Property", Id="ARPNOMODIFY", Value="1")
    SubElement(product, "Property", Id="ARPNOREPAIR", Value="1")
    for name, value in (("OLDDIR", "InstallDir"), ("MADEPARENTS", "MadeParents")):
        searched = SubElement(product, "Property", Id=name)
        SubElement(
            searched, "RegistrySearch", Id=f"Find{value}", Root="HKLM", Key=PRODUCT_KEY,
            Name=value, Type="raw", Win64="yes",
        )  # fmt: skip


# --- files ----------------------------------------------------------------------------


def _directories(product: Element, stage: Path) -> list[str]:
    """Write the tree of directories; return the names of all components."""
    target = SubElement(product, "Directory", Id="TARGETDIR", Name="SourceDir")
    programs = SubElement(target, "Directory", Id="ProgramFiles64Folder")
    top = SubElement(programs, "Directory", Id="INSTALLDIR", Name=NAME)
    return [_registry(top), *_tree(top, stage, stage)]


def _tree(element: Element, directory: Path, stage: Path) -> Iterator[str]:
    inside = sorted(directory.iterdir())
    place = str(directory.relative_to(stage))
    files = [path for path in inside if path.is_file()]
    if files:
        name = f"c{_short(place)}"
        component = _component(element, name, place)
        for path in files:
            key = path.name == ("pythonw.exe" if place == "python" else files[0].name)
            identity = f"f{_short(str(path.relative_to(stage)))}"
            SubElement(
                component, "File", Id=identity, Name=path.name,
                Source=str(path.relative_to(stage.parent)),
                KeyPath="yes" if key else "no",
            )  # fmt: skip
        if place == "python":
            _service(component)
        yield name
    for path in inside:
        if path.is_dir():
            identity = f"d{_short(str(path.relative_to(stage)))}"
            below = SubElement(element, "Directory", Id=identity, Name=path.name)
            yield from _tree(below, path, stage)


def _short(text: str) -> str:
    return uuid.uuid5(_NAMESPACE, text).hex


def _component(element: Element, name: str, place: str) -> Element:
    return SubElement(element, "Component", Id=name, Guid=_guid("component", place), Win64="yes")


def _service(component: Element) -> None:
    SubElement(
        component, "ServiceInstall", Id="Service", Name=SERVICE, DisplayName=NAME,
        Description="Keeps this computer reachable for the technicians of your Tremplin server.",
        Type="ownProcess", Start="auto", ErrorControl="normal", Vital="yes",
        Arguments='-I -S "[INSTALLDIR]lib" service',
    )  # fmt: skip
    SubElement(
        component, "ServiceControl", Id="ServiceControl", Name=SERVICE, Start="install",
        Stop="both", Remove="uninstall", Wait="yes",
    )  # fmt: skip


def _registry(top: Element) -> str:
    component = _component(top, "Registry", "registry")
    kept: dict[str, str] = {
        "ProductCode": "[ProductCode]",
        "Version": "[ProductVersion]",
        "InstallDir": "[INSTALLDIR]",
        "MadeParents": "[MADEPARENTS]",
    }
    for name, value in kept.items():
        _value(component, PRODUCT_KEY, name, value, key=name == "ProductCode")
    _value(component, EVENT_KEY, "EventMessageFile", "[System64Folder]EventCreate.exe")
    return "Registry"


def _value(component: Element, key_path: str, name: str, value: str, key: bool = False) -> None:
    SubElement(
        component, "RegistryValue", Root="HKLM", Key=key_path, Name=name, Value=value,
        Type="string", KeyPath="yes" if key else "no",
    )  # fmt: skip


# --- order ----------------------------------------------------------------------------


def _sequence(product: Element) -> None:
    SubElement(product, "CustomAction", Id="KeepDirectory", Property="INSTALLDIR", Value="[OLDDIR]")
    for action in ACTIONS:
        SubElement(product, "CustomAction", Id=action.name, BinaryKey="Actions",
                   DllEntry=action.entry)  # fmt: skip
    order = SubElement(product, "InstallExecuteSequence")
    keep = SubElement(order, "Custom", Action="KeepDirectory", Sequence="410")
    keep.text = "OLDDIR AND (Installed OR OLDVERSION)"
    for action in ACTIONS:
        placed = SubElement(order, "Custom", Action=action.name, Sequence=str(action.sequence))
        placed.text = action.condition
    SubElement(order, "RemoveExistingProducts", Sequence="1501")


def amendments() -> Iterator[str]:
    """Give the SQL that changes what wixl made."""
    for action in ACTIONS:
        yield (
            f"UPDATE `CustomAction` SET `Type` = {action.kind} "
            f"WHERE `CustomAction`.`Action` = '{action.name}'"
        )
    secure = ";".join(sorted({*PUBLIC, "OLDVERSION", "NEWERVERSION", "OLDDIR", "MADEPARENTS"}))
    for name, value in (
        ("SecureCustomProperties", secure),
        ("MsiHiddenProperties", ";".join(HIDDEN)),
    ):
        yield f"DELETE FROM `Property` WHERE `Property` = '{name}'"
        yield f"INSERT INTO `Property` (`Property`, `Value`) VALUES ('{name}', '{value}')"
    for name, when in CONDITIONS.items():
        yield (
            f"UPDATE `InstallExecuteSequence` SET `Condition` = '{when}' "
            f"WHERE `InstallExecuteSequence`.`Action` = '{name}'"
        )
