"""The MSI on a real server: what is asked for arrives, and what goes is gone on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest
from tremplin_agent.platform.windows_install import FAREWELL_FAILED

from tests.integration.agent_site import Site
from tests.serving import until
from tests.windows.conftest import OLD_VERSION
from tests.windows.installing import FAILED, KEY, MSI, SERVICE, Windows

ALLOWED = {f"allow_override_{name}": True for name in ("jump_group", "tag", "comments", "name")}


def test_parameters_arrive_and_nothing_stays(windows: Windows, site: Site, name: str) -> None:
    key = site.key_info(name, **ALLOWED)
    done = windows.install(
        f'KEY_INFO={key} jc_jump_group=user:admin Jc_Tag="web servers" jc_name=front '
        'JC_COMMENTS="so & done: 100%%, \\ too" installdir="C:\\a b\\c d"'
    )
    assert done.status == 0, windows.log
    record = site.until_state(name, "online")
    assert record["jump_group_type"] == "personal"
    assert (record["tag"], record["name"]) == ("web servers", "front")
    assert record["comments"] == "so & done: 100%, \\ too"
    assert record["install_dir"] == "C:\\a b\\c d"
    assert (record["platform"], record["startup"]) == ("windows-64", "service")
    assert record["install_mode"] == "service"
    assert record["operating_system"].startswith("Windows")
    assert record["statistics"]["memory_total_bytes"] > 0
    assert windows.status()["client_id"] == record["id"]
    assert not list(windows.path("C:\\a b\\c d\\var").glob("key-info")), "it is a secret"

    assert windows.uninstall().status == 0, windows.log
    assert site.record(name)["state"] == "uninstalled"
    assert not windows.path("C:\\a b").exists()
    assert not windows.machine.registry(KEY)


def test_the_service_starts_with_windows_and_after_a_failure(
    windows: Windows, site: Site, name: str
) -> None:
    assert windows.install(f"KEY_INFO={site.key_info(name)}").status == 0, windows.log
    site.until_state(name, "online")
    said = windows.machine.run("sc.exe", "query", SERVICE).output
    assert "RUNNING" in said
    facts = windows.machine.registry(rf"HKLM\SYSTEM\CurrentControlSet\Services\{SERVICE}")
    assert '"C:\\Program Files\\Tremplin Jump Client\\python\\pythonw.exe" -I -S' in facts
    record = site.record(name)
    again = windows.install("KEY_INFO=nonsense jc_tag=other")
    assert again.status == 0, "the same version once more changes nothing"
    assert (site.record(name)["id"], site.record(name)["tag"]) == (record["id"], record["tag"])
    assert "RUNNING" in windows.machine.run("sc.exe", "query", SERVICE).output
    windows.machine.off()
    site.until_state(name, "offline")
    windows.machine.on()
    site.until_state(name, "online", 60)


def test_an_image_is_silent_then_enabled_and_disabled(
    windows: Windows, site: Site, name: str
) -> None:
    done = windows.install(f"KEY_INFO={site.key_info(name)} start_services=0")
    assert done.status == 0, windows.log
    assert site.record(name) == {}
    assert windows.status()["phase"] == "new"
    assert windows.machine.line(f"net start {SERVICE}").status == 0
    site.until_state(name, "online", 60)

    assert windows.agent("disable").status == 0
    site.until_state(name, "disabled")
    assert windows.status()["disabled"] is True
    assert windows.agent("enable").status == 0
    site.until_state(name, "online")


def test_letters_of_any_script(windows: Windows, site: Site, name: str) -> None:
    key = site.key_info(name, **ALLOWED)
    where = "C:\\Prögräm été\\跳 ☃"
    words = [f"KEY_INFO={key}", f"INSTALLDIR={where}", "jc_tag=été à l'œuvre 跳"]
    assert windows.install_words(*words).status == 0, windows.log
    record = site.until_state(name, "online", 60)
    assert (record["install_dir"], record["tag"]) == (where, "été à l'œuvre 跳")
    assert (windows.path(where) / "install.json").exists()
    assert windows.uninstall().status == 0, windows.log
    assert site.record(name)["state"] == "uninstalled"
    assert not windows.path("C:\\Prögräm été").exists()


def test_a_record_that_is_deleted_takes_the_host_along(
    windows: Windows, site: Site, name: str
) -> None:
    assert windows.install(f"KEY_INFO={site.key_info(name)}").status == 0, windows.log
    site.until_state(name, "online")
    directory = windows.path(windows.directory())
    site.delete(name)
    until(lambda: not directory.exists(), "the agent removes itself", 60)
    until(lambda: not site.waits_for(name), "the tombstone closes", 60)
    until(lambda: not windows.product_code(), "the product is unregistered", 60)


def test_an_upgrade_keeps_identity_and_properties(
    windows: Windows, site: Site, name: str, old_msi: Path
) -> None:
    windows.bring(old_msi, "old.msi")
    key = site.key_info(name, **ALLOWED)
    done = windows.install(f'KEY_INFO={key} jc_tag=kept installdir="C:\\old place\\x"', "old.msi")
    assert done.status == 0, windows.log
    before = site.until_state(name, "online")
    assert f"Version    REG_SZ    {OLD_VERSION}" in windows.machine.registry(KEY)

    done = windows.install("")
    assert done.status == 0, windows.log
    after = site.until_state(name, "online")
    assert (after["id"], after["tag"]) == (before["id"], "kept")
    assert windows.directory() == "C:\\old place\\x"
    assert OLD_VERSION not in windows.machine.registry(KEY)
    assert windows.status()["client_id"] == before["id"]

    refused = windows.install("KEY_INFO=x", "old.msi")
    assert refused.status == FAILED, "an older version does not replace a newer one"
    assert windows.uninstall().status == 0
    assert site.record(name)["state"] == "uninstalled"
    assert not windows.path("C:\\old place").exists()


@pytest.mark.parametrize("where", ["C:\\here", "C:\\deep\\er"])
def test_an_existing_directory_is_refused(
    windows: Windows, site: Site, name: str, where: str
) -> None:
    windows.path(where).mkdir(parents=True)
    (windows.path(where) / "theirs.txt").write_text("x")
    done = windows.install(f'KEY_INFO={site.key_info(name)} INSTALLDIR="{where}"')
    assert done.status == FAILED
    assert f"install.dir_exists: {where} already exists" in windows.log
    assert "with INSTALLDIR" in windows.log
    assert [path.name for path in windows.path(where).iterdir()] == ["theirs.txt"]
    (windows.path(where) / "theirs.txt").unlink()
    windows.path(where).rmdir()
    if where.count("\\") > 1:
        windows.path(where).parent.rmdir()


def refused(windows: Windows, properties: str) -> str:
    """Return the log of an installation that fails, and leaves nothing behind."""
    done = windows.install(f'{properties} installdir="C:\\a b\\c d"')
    assert done.status == FAILED, windows.log
    assert not windows.path("C:\\a b").exists()
    assert not windows.product_code()
    assert SERVICE not in windows.machine.run("sc.exe", "query", SERVICE).output
    return windows.log


def test_without_a_key(windows: Windows) -> None:
    assert "install.key_missing: this generic installer needs KEY_INFO" in refused(windows, "")


@pytest.mark.parametrize("key", ["nonsense", "eyJ2IjoxfQ"])
def test_a_damaged_key(windows: Windows, key: str) -> None:
    assert "install.key_damaged" in refused(windows, f"KEY_INFO={key}")


def test_an_expired_key(windows: Windows, site: Site, name: str) -> None:
    key = site.key_info(name)
    site.let_expire(name)
    assert "install.key_expired: the validity of this installer is over" in refused(
        windows, f"KEY_INFO={key}"
    )


def test_an_exhausted_key(windows: Windows, site: Site, name: str) -> None:
    key = site.key_info(name, max_uses=1)
    assert windows.install(f"KEY_INFO={key}").status == 0, windows.log
    assert windows.uninstall().status == 0, windows.log
    assert "install.key_exhausted" in refused(windows, f"KEY_INFO={key}")


def test_a_property_that_is_not_allowed(windows: Windows, site: Site, name: str) -> None:
    key = site.key_info(name)
    log = refused(windows, f"KEY_INFO={key} jc_tag=mine")
    assert "install.override_denied: the installer does not allow JC_TAG" in log


def test_a_bad_value(windows: Windows, site: Site, name: str) -> None:
    key = site.key_info(name, allow_override_max_offline_minutes=True)
    log = refused(windows, f"KEY_INFO={key} jc_max_offline_minutes=soon")
    assert "install.bad_value: JC_MAX_OFFLINE_MINUTES: must be a whole number" in log


def test_a_server_that_is_away(windows: Windows, site: Site, name: str) -> None:
    key = site.key_info(name)
    site.stop()
    try:
        log = refused(windows, f"KEY_INFO={key} online_install=1")
        assert "install.server_unreachable" in log
        assert windows.install(f"KEY_INFO={key}").status == 0, "it enrols at its first contact"
        assert windows.status()["phase"] == "new"
    finally:
        site.start()
    site.until_state(name, "online", 60)
    site.stop()
    try:
        assert windows.uninstall().status == 0, "a server that is away keeps nobody"
        assert FAREWELL_FAILED in windows.log
    finally:
        site.start()
    assert not windows.product_code()
    assert site.record(name)["state"] != "uninstalled", "it was not told"


def test_the_installer_is_the_msi_of_this_checkout(msi: Path) -> None:
    assert msi.name == MSI
