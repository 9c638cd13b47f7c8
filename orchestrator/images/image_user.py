"""Which user id an image runs as: its USER may be a name, and only the image's own files say which number that is."""

from __future__ import annotations

import asyncio
import io
import tarfile

from orchestrator.containers import create_container, remove_container
from orchestrator.engine import Engine, EngineRefusedError

_PASSWD_BYTES = 1024 * 1024


async def image_uid(engine: Engine, image: str) -> int | None:
    """Return the user id, 0 for root, None where the image does not say. Nothing of the image is run."""
    found = await engine.call("GET", f"images/{image}/json")
    user = str((found.get("Config") or {}).get("User") or "").partition(":")[0]
    if user in ("", "root"):
        return 0
    if user.isdigit():
        return int(user)
    made = await create_container(engine, {"Image": image, "Entrypoint": ["/"], "Cmd": []})
    try:
        return _uid_in(await _passwd(engine, made), user)
    finally:
        await asyncio.shield(remove_container(engine, made))


async def _passwd(engine: Engine, container: str) -> bytes:
    archive = bytearray()
    try:
        async with engine.stream("GET", f"containers/{container}/archive", params={"path": "/etc/passwd"}) as answer:
            async for chunk in answer.iter_any():
                archive += chunk
                if len(archive) > _PASSWD_BYTES:
                    return b""
        with tarfile.open(fileobj=io.BytesIO(bytes(archive)), mode="r:") as members:
            member = members.next()
            content = members.extractfile(member) if member is not None and member.isreg() else None
            return b"" if content is None else content.read()
    except (EngineRefusedError, tarfile.TarError, OSError):
        return b""


def _uid_in(passwd: bytes, user: str) -> int | None:
    """Return the number of a user in the lines of /etc/passwd (`man 5 passwd`)."""
    for line in passwd.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == user and fields[2].isdigit():
            return int(fields[2])
    return None
