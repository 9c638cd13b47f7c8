"""A line passes on, holds, and breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.chaos.line import Line, laid


@asynccontextmanager
async def echo(at: Path) -> AsyncIterator[None]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while content := await reader.read(1000):
            writer.write(content)
        writer.close()

    server = await asyncio.start_unix_server(answer, str(at))
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def called(folder: Path) -> AsyncIterator[tuple[Line, asyncio.StreamReader, asyncio.StreamWriter]]:
    async with echo(folder / "far"), laid(folder / "far", folder / "near" / "socket") as (line, _):
        reader, writer = await asyncio.open_unix_connection(str(folder / "near" / "socket"))
        try:
            yield line, reader, writer
        finally:
            writer.close()


async def test_it_passes_on_what_is_sent(tmp_path: Path) -> None:
    async with called(tmp_path) as (_, reader, writer):
        writer.write(b"x" * 1_000_000)
        assert len(await reader.readexactly(1_000_000)) == 1_000_000


async def test_it_holds_what_is_sent_until_it_is_mended(tmp_path: Path) -> None:
    async with called(tmp_path) as (line, reader, writer):
        line.hold()
        writer.write(b"one")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.readexactly(3)
        line.mend()
        assert await reader.readexactly(3) == b"one"


async def test_a_cut_breaks_off_what_there_is_and_refuses_what_comes(tmp_path: Path) -> None:
    async with called(tmp_path) as (line, reader, _):
        await asyncio.sleep(0.05)
        line.cut()
        assert await reader.read() == b""
        again, other = await asyncio.open_unix_connection(str(tmp_path / "near" / "socket"))
        assert await again.read() == b""
        other.close()
        line.mend()
        again, other = await asyncio.open_unix_connection(str(tmp_path / "near" / "socket"))
        other.write(b"two")
        assert await again.readexactly(3) == b"two"
        other.close()


async def test_a_port_is_a_way_too(tmp_path: Path) -> None:
    async with echo(tmp_path / "far"), laid(tmp_path / "far") as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"three")
        assert await reader.readexactly(5) == b"three"
        writer.close()
