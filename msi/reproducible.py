"""Takes out of an MSI what differs between two builds of the same."""

from pathlib import Path


def settle_cabinet_times(p):
    pass


def settle_msi(p: Path) -> None:
    pass
