"""Dumps of the database: whole or not there, kept by rule, private, and good for putting the database back."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from draftsman import embedded
from draftsman.cli.backup import Backups, age_of_newest, of_database
from draftsman.domain.errors import HostError
from draftsman.embedded.programs import libpq_environment
from draftsman.settings import Settings
from tests.product import scratch_folder

MORE = {"BACKUP_HOURS": "24", "BACKUP_DAYS": "3", "BACKUP_WEEKS": "2"}


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[str]:
    with scratch_folder() as folder:
        async with embedded.postgres(folder / "postgres") as found:
            yield found


@pytest.fixture
async def backups(url: str, tmp_path: Path) -> Backups:
    await _say(url, "DROP TABLE IF EXISTS words", "CREATE TABLE words (word text)", "INSERT INTO words VALUES ('kept')")
    found = await of_database(Settings(), url, to=tmp_path / "backups")
    return Backups(found.folder, {**found.environment, **MORE})


async def _say(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def _words(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    words = [row["word"] for row in await connection.fetch("SELECT word FROM words")]
    await connection.close()
    return words


@pytest.mark.services
async def test_a_dump_puts_the_database_back_and_sets_aside_what_was_there(backups: Backups, url: str) -> None:
    await backups.run("once")
    (dump,) = backups.dumps()
    await _say(url, "INSERT INTO words VALUES ('lost')")
    with pytest.raises(HostError, match="not empty: with --force"):
        await backups.run("restore", dump.name)
    assert await _words(url) == ["kept", "lost"]
    await backups.run("restore", dump.name, "--force")
    assert await _words(url) == ["kept"]
    connection = await asyncpg.connect(url)
    aside = await connection.fetchval("SELECT datname FROM pg_database WHERE datname LIKE 'draftsman_before_%'")
    await connection.close()
    assert await _words(url.replace("/draftsman?", f"/{aside}?")) == ["kept", "lost"]


@pytest.mark.services
async def test_nothing_is_restored_while_somebody_uses_the_database(backups: Backups, url: str) -> None:
    await backups.run("once")
    connection = await asyncpg.connect(url)
    with pytest.raises(HostError, match=r"1 connections use the database: stop Draftsman"):
        await backups.run("restore", backups.dumps()[0].name, "--force")
    await connection.close()


@pytest.mark.services
async def test_a_damaged_dump_changes_nothing(backups: Backups, url: str) -> None:
    await backups.run("once")
    (dump,) = backups.dumps()
    whole = dump.read_bytes()
    for damaged in (b"no dump", whole[: len(whole) - 40]):
        dump.write_bytes(damaged)
        with pytest.raises(HostError, match=r"is no dump|could not be restored; nothing has changed"):
            await backups.run("restore", dump.name, "--force")
    assert await _words(url) == ["kept"]
    connection = await asyncpg.connect(url)
    assert not await connection.fetch("SELECT 1 FROM pg_database WHERE datname LIKE '%restored%'")
    await connection.close()


@pytest.mark.services
async def test_a_dump_that_fails_leaves_nothing_behind(backups: Backups) -> None:
    failing = Backups(backups.folder, {**backups.environment, "PGDATABASE": "nobodys"})
    with pytest.raises(HostError, match="no dump was made"):
        await failing.run("once")
    assert list(backups.folder.iterdir()) == []


@pytest.mark.services
async def test_dumps_are_their_owners_alone(backups: Backups) -> None:
    await backups.run("once")
    assert oct(backups.folder.stat().st_mode)[-3:] == "700"
    assert oct(backups.dumps()[0].stat().st_mode)[-3:] == "600"


@pytest.mark.services
async def test_the_newest_of_days_and_weeks_stay(backups: Backups) -> None:
    backups.folder.mkdir()
    # Wednesday, Tuesday (two), Monday; the Sunday of the week before; the weeks before that.
    old = ("20200108T01", "20200107T23", "20200107T01", "20200106T01", "20200105T01", "20200101T01", "20191225T01")
    for name in old:
        (backups.folder / f"draftsman-{name}0000Z.dump").touch()
    (backups.folder / "mine.dump").touch()
    await backups.run("once")
    kept = [dump.name[10:21] for dump in backups.dumps()]
    # Three days with today's, two weeks with this one.
    assert kept[1:] == ["20200108T01", "20200107T23"]
    assert (backups.folder / "mine.dump").exists()
    wide = Backups(backups.folder, {**backups.environment, "BACKUP_DAYS": "1", "BACKUP_WEEKS": "9"})
    for name in old:
        (backups.folder / f"draftsman-{name}0000Z.dump").touch()
    await wide.run("once")
    assert [dump.name[10:21] for dump in backups.dumps()][1:] == ["20200108T01", "20200105T01", "20191225T01"]


@pytest.mark.services
async def test_a_dump_is_made_when_one_is_due_and_its_age_is_its_health(backups: Backups) -> None:
    with pytest.raises(HostError, match="there is no dump"):
        await backups.run("healthy")
    await backups.run("when-due")
    await backups.run("when-due")
    assert len(backups.dumps()) == 1
    await backups.run("healthy")
    backups.dumps()[0].rename(backups.folder / "draftsman-20240229T235959Z.dump")
    with pytest.raises(HostError, match="hours old"):
        await backups.run("healthy")
    await backups.run("when-due")
    assert len(backups.dumps()) == 2


@pytest.mark.services
async def test_a_folder_that_is_somebodys_keeps_its_rights_and_what_lies_in_it(backups: Backups) -> None:
    backups.folder.mkdir(parents=True, exist_ok=True)
    backups.folder.chmod(0o755)
    (backups.folder / "draftsman-before-upgrade.dump").touch()
    await backups.run("once")
    assert backups.folder.stat().st_mode & 0o777 == 0o755
    [made] = backups.dumps()
    assert made.stat().st_mode & 0o777 == 0o600
    assert age_of_newest(backups.folder, datetime.now(UTC)) == pytest.approx(0, abs=0.1)


@pytest.mark.services
async def test_a_dump_of_the_future_is_no_backup(backups: Backups) -> None:
    backups.folder.mkdir(parents=True, exist_ok=True)
    (backups.folder / "draftsman-20990101T000000Z.dump").touch()
    with pytest.raises(HostError, match="of the future"):
        await backups.run("healthy")
    await backups.run("when-due")
    assert len(backups.dumps()) == 2


@pytest.mark.parametrize("shell", [name for name in ("dash", "bash", "busybox") if shutil.which(name)])
@pytest.mark.parametrize(
    ("made", "young", "old"),
    [
        ("20240229T235959Z", "20240301012958", "20240301012959"),
        ("20230228T235959Z", "20230301012958", "20230301012959"),
        ("20231231T230000Z", "20240101002959", "20240101003000"),
        ("20240430T233000Z", "20240501005959", "20240501010000"),
    ],
)
async def test_ages_are_counted_over_months_and_leap_days(
    shell: str, made: str, young: str, old: str, tmp_path: Path
) -> None:
    (tmp_path / f"draftsman-{made}.dump").touch()
    script = Path("dockerfiles/backup.sh").absolute()
    words = (shell, "sh") if shell == "busybox" else (shell,)
    environment = {**os.environ, "BACKUP_DIRECTORY": str(tmp_path), "BACKUP_HOURS": "1"}
    for now, code in ((young, 0), (old, 1)):
        # An hour's dump is too old after an hour and a half; the script is read where it is that time.
        order = f"date() {{ echo {now}; }}; . '{script}'"
        process = await asyncio.create_subprocess_exec(*words, "-c", order, str(script), "healthy", env=environment)
        assert await process.wait() == code, now


@pytest.mark.parametrize("shell", [name for name in ("dash", "bash", "busybox") if shutil.which(name)])
async def test_no_backups_wanted_is_healthy(shell: str, tmp_path: Path) -> None:
    script = Path("dockerfiles/backup.sh").absolute()
    words = (shell, "sh") if shell == "busybox" else (shell,)
    environment = {**os.environ, "BACKUP_DIRECTORY": str(tmp_path), "BACKUP_HOURS": "0"}
    process = await asyncio.create_subprocess_exec(*words, str(script), "healthy", env=environment)
    assert await process.wait() == 0


def test_the_age_of_the_newest_dump_is_that_of_its_name(tmp_path: Path) -> None:
    for name in ("20240229T235959Z", "20240301T000000Z"):
        (tmp_path / f"draftsman-{name}.dump").touch()
    assert age_of_newest(tmp_path, datetime(2024, 3, 1, 6, tzinfo=UTC)) == pytest.approx(6)


def test_the_programs_reach_what_a_url_names() -> None:
    assert libpq_environment("postgresql://draftsman@/draftsman?host=/run/pg&port=5432") == {
        "PGHOST": "/run/pg",
        "PGPORT": "5432",
        "PGUSER": "draftsman",
        "PGDATABASE": "draftsman",
    }
    verified = libpq_environment("postgresql://d@db/d?sslmode=verify-full&sslrootcert=/etc/ca.pem")
    assert verified["PGSSLROOTCERT"] == "/etc/ca.pem"
    assert libpq_environment("postgresql://a%40b:p%2Fw@db.example.com:6432/other?sslmode=require") == {
        "PGHOST": "db.example.com",
        "PGPORT": "6432",
        "PGUSER": "a@b",
        "PGPASSWORD": "p/w",
        "PGDATABASE": "other",
        "PGSSLMODE": "require",
    }
