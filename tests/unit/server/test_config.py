"""Configuration: where it comes from, and how it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from tremplin_server.config import Config, load
from tremplin_server.errors import TremplinError


def test_what_is_not_said_is_the_default() -> None:
    assert load({"PATH": "/bin", "TREMPLINE": "other"}) == Config()


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    file = tmp_path / "tremplin.toml"
    file.write_text('port = 9000\nlanguage = "fr"\npublic_urls = ["https://a.example/"]\n')
    config = load({"TREMPLIN_CONFIG": str(file), "TREMPLIN_PORT": "9001"})
    assert (config.port, config.language) == (9001, "fr")
    assert config.public_urls == ("https://a.example",)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from a file\n")
    config = load({"TREMPLIN_SECRET_KEY_FILE": str(file)})
    assert config.secret_key == "from a file"
    assert "from a file" not in repr(config)


def test_a_path_means_the_same_place_whoever_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load({"TREMPLIN_DATA_DIR": "data"})
    assert config.data_dir == tmp_path / "data"
    assert config.effective_database_url == f"sqlite:///{tmp_path}/data/tremplin.db"


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("COLOUR", "red", "unknown key colour"),
        ("PORT", "many", "port takes a whole number"),
        ("PORT", "0", "port must be at least 1"),
        ("PORT", "65536", "port must be at most 65535"),
        ("TLS", "perhaps", "tls takes true or false"),
        ("LANGUAGE", "de", "language must be one of en, fr"),
        ("DELETE_DAYS", "14", "delete_days must be at least 15"),
        ("PUBLIC_URLS", "http://a.example", "https://host"),
        ("TLS_CERTIFICATE", "/a.pem", "go together"),
        ("SECRET_KEY_FILE", "/nowhere/key", "cannot be read"),
        ("DATABASE_URL", "nonsense", "database_url takes postgresql://"),
        ("DATABASE_URL", "mysql://a:secret@b/c", "database_url takes postgresql://"),
        ("DATABASE_URL", "postgresql://a:secret@b:many/c", "database_url takes postgresql://"),
    ],
)
def test_a_mistake_is_named(name: str, value: str, hint: str) -> None:
    with pytest.raises(TremplinError) as wrong:
        load({f"TREMPLIN_{name}": value})
    assert wrong.value.code == "config.invalid"
    assert hint in str(wrong.value)
    assert "secret@" not in str(wrong.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for text in (None, "port = ", "port = true", "[nested]\n"):
        file = tmp_path / "tremplin.toml"
        if text is not None:
            file.write_text(text)
        with pytest.raises(TremplinError) as wrong:
            load({"TREMPLIN_CONFIG": str(file)})
        assert wrong.value.code == "config.invalid"


def test_sqlite_serves_one_worker() -> None:
    with pytest.raises(TremplinError) as wrong:
        load({"TREMPLIN_WORKERS": "2"})
    assert wrong.value.code == "server.sqlite_workers"
    assert load({"TREMPLIN_WORKERS": "2", "TREMPLIN_DATABASE_URL": "postgresql://x"}).workers == 2
