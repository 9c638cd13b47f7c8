"""The job folder's tar: what lies where in it, and lines that could be read in another way."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.runners.interface import LfsFile, Source, Submodule
from orchestrator.runners.source_tar import job_tar, order_files

SHA = "a" * 40
OID = "b" * 64


async def test_all_parts_are_in_it_in_whole_blocks(tmp_path: Path) -> None:
    for name, size in (("bundle", 513), ("inner", 0), ("large", 512)):
        (tmp_path / name).write_bytes(name[:1].encode() * size)
    source = Source(
        tmp_path / "bundle",
        (Submodule("lib", SHA, tmp_path / "inner"),),
        (LfsFile("a b", OID, tmp_path / "large"), LfsFile("c", OID, tmp_path / "large")),
    )
    content = b"".join([part async for part in job_tar(source, {"nonce": b"n\n"})])
    assert len(content) % tarfile.BLOCKSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = {one.name: (one.size, oct(one.mode), one.isdir()) for one in archive}
        order = archive.extractfile("lfs/order")
        assert order is not None
        assert order.read() == f"{OID} a b\n{OID} c\n".encode()
    assert members == {
        "lfs": (0, "0o777", True),
        "submodules": (0, "0o777", True),
        "nonce": (2, "0o644", False),
        "submodules/order": (47, "0o644", False),
        "lfs/order": (136, "0o644", False),
        "source.bundle": (513, "0o644", False),
        "submodules/0.bundle": (0, "0o644", False),
        f"lfs/{OID}": (512, "0o644", False),
    }


@pytest.mark.hostile
@pytest.mark.parametrize("path", ["", "/etc/passwd", "a\nb", "a\0b", "..", "a/../../b"])
def test_paths_that_mean_something_else_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        order_files(Source(Path("x"), (Submodule(path, SHA, Path("x")),)))
    with pytest.raises(ValueError, match="no path"):
        order_files(Source(Path("x"), lfs=(LfsFile(path, OID, Path("x")),)))


@pytest.mark.hostile
@pytest.mark.parametrize("identity", ["", "a" * 39, "../../" + "a" * 40, "A" * 40, SHA + "\n"])
def test_ids_that_are_none_are_refused(identity: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        order_files(Source(Path("x"), (Submodule("a", identity, Path("x")),)))
