"""A file of settings keeps what a person wrote, keeps secrets private, and is whole or untouched."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.cli import env_file
from draftsman.cli.settings_of import parse
from draftsman.domain.errors import SettingsError

MINE = """# My instance
DRAFTSMAN_PORT=4000   # behind nginx
export GITHUB_APP_ID=
# GITHUB_API_URL=https://api.github.com

LAST='with space'"""


def test_other_lines_and_comments_stay_as_they_are() -> None:
    text = env_file.changed(MINE, {"GITHUB_APP_ID": "12", "GITHUB_API_URL": "https://h/api/v3"})
    assert text == MINE.replace("GITHUB_APP_ID=", "GITHUB_APP_ID=12") + "\nGITHUB_API_URL=https://h/api/v3\n"


def test_a_name_that_stands_twice_has_one_value() -> None:
    assert env_file.changed("A=1\nA=2\n", {"A": "3"}) == "A=3\nA=3\n"


def test_line_ends_of_another_system_stay() -> None:
    assert env_file.changed("A=1\r\nB=2\r\n", {"A": "3"}) == "A=3\r\nB=2\r\n"


@given(st.text(st.sampled_from([chr(number) for number in range(32, 127) if chr(number) != "'"])))
def test_every_value_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    file = tmp_path_factory.mktemp("env") / ".env"
    env_file.write(file, env_file.changed("# mine\nX=1\n", {"NAME": value}))
    assert parse(file) == {"X": "1", "NAME": value}


@pytest.mark.parametrize("value", ["two\nlines", "it's", "\x1b[2J"])
def test_a_value_that_would_be_another_line_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="NAME"):
        env_file.changed("", {"NAME": value})


def test_only_its_owner_reads_it_and_a_link_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "real.env", tmp_path / ".env"
    file.write_text("A=1\n")
    file.chmod(0o644)
    link.symlink_to(file)
    env_file.write(link, "A=2\n")
    assert link.is_symlink()
    assert file.read_text() == "A=2\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "real.env"]


def test_a_key_is_private_from_its_first_byte_and_replaces_none(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        assert env_file.create(tmp_path / "key.pem", "first")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert not env_file.create(tmp_path / "key.pem", "second")
    assert (tmp_path / "key.pem").read_text() == "first"


@pytest.mark.parametrize("name", ["absent/.env", ""])
def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=str(tmp_path)):
        env_file.check_writable(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        env_file.read(tmp_path / ".env")
