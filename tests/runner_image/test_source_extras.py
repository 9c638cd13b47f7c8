"""Submodules and Git LFS files in real containers, under the shells that images have."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from draftsman.domain.run import Conclusion
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec, LfsFile, Source, Submodule
from orchestrator.sandbox import JobEnd, Watching, run_job
from tests.orchestrator.engine_fixtures import WITH_BASH, WITH_BUSYBOX, WITH_GIT, WITH_USER
from tests.orchestrator.git_trees import run
from tests.orchestrator.sandbox_parts import Commit, Remembered, make_commit

pytestmark = pytest.mark.engine

SpecOf = Callable[..., JobSpec]
CONTENT = b"\x00large\n" * 1000
OID = hashlib.sha256(CONTENT).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize {len(CONTENT)}\n"


@pytest.fixture(params=[WITH_GIT, WITH_BASH, WITH_BUSYBOX, WITH_USER], ids=["dash", "bash", "busybox", "user"])
async def image(request: pytest.FixtureRequest, image_of: Callable[[str], Awaitable[str]]) -> str:
    """The runner image, with each shell, and with a user that is not root."""
    return await image_of(request.param)


@dataclass(frozen=True)
class Whole:
    """A commit with all that comes beside it."""

    sha: str
    source: Source
    lib: str
    deep: str


def amended(commit: Commit, links: dict[str, str]) -> Commit:
    """Return the commit with gitlinks, its bundle made anew."""
    for path, sha in links.items():
        run(commit.folder, "update-index", "--add", "--cacheinfo", f"160000,{sha},{path}")
    run(commit.folder, "commit", "--quiet", "--amend", "--allow-empty", "--no-edit")
    run(commit.folder, "update-ref", "refs/draftsman/run/1", "HEAD")
    run(commit.folder, "bundle", "create", "--quiet", str(commit.bundle), "refs/draftsman/run/1")
    return Commit(commit.folder, run(commit.folder, "rev-parse", "HEAD"), commit.bundle)


def modules(*paths: str) -> str:
    return "".join(f'[submodule "{path}"]\n\tpath = {path}\n\turl = ../nowhere.git\n' for path in paths)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A commit with a submodule in a submodule, and files in LFS."""
    folder = tmp_path_factory.mktemp("whole")
    deep = make_commit(folder / "deep", {"deep.txt": "deep\n"})
    lib = amended(
        make_commit(folder / "lib", {"lib.txt": "lib\n", ".gitmodules": modules("in/deep")}), {"in/deep": deep.sha}
    )
    files = {
        ".gitmodules": modules("vendor/my lib"),
        ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        "a.bin": POINTER,
        "with space/-é.bin": POINTER,
        "run.bin": POINTER,
    }
    top = make_commit(folder / "top", files)
    run(top.folder, "update-index", "--chmod=+x", "run.bin")
    top = amended(top, {"vendor/my lib": lib.sha})
    large = folder / "large"
    large.write_bytes(CONTENT)
    source = Source(
        top.bundle,
        (Submodule("vendor/my lib", lib.sha, lib.bundle), Submodule("vendor/my lib/in/deep", deep.sha, deep.bundle)),
        tuple(LfsFile(path, OID, large) for path in ("a.bin", "run.bin", "with space/-é.bin")),
    )
    return Whole(top.sha, source, lib.sha, deep.sha)


async def _run(runner: DockerRunner, source: Source, spec: JobSpec) -> tuple[JobEnd, Remembered]:
    seen = Remembered()
    end = await run_job(runner, spec, source, seen, Watching())
    return end, seen


async def test_all_of_it_is_checked_out_and_clean(runner: DockerRunner, whole: Whole, spec_of: SpecOf) -> None:
    spec = spec_of(
        fast=(
            "git submodule status --recursive",
            "git status --short --ignored; git diff --stat; git diff --cached --stat",
            "cat 'vendor/my lib/lib.txt' 'vendor/my lib/in/deep/deep.txt'; git -C 'vendor/my lib' log -1 --format=%H",
            "sha256sum a.bin 'with space/-é.bin' run.bin; test -x run.bin && ! test -x a.bin && echo modes",
            "ls /draftsman/job; git remote | wc -l; git -C 'vendor/my lib' remote | wc -l",
            "cd 'vendor/my lib/in/deep' && git describe --tags; git symbolic-ref -q HEAD || echo detached",
        ),
        sha=whole.sha,
    )
    end, seen = await _run(runner, whole.source, spec)
    assert end.conclusion is Conclusion.SUCCESS, seen.text("checkout")
    assert seen.text("checkout") == f"Checked out {whole.sha}\nFirst\n"
    status = [line.split(" (")[0] for line in seen.text("fast-1").splitlines()]
    assert status == [f" {whole.lib} vendor/my lib", f" {whole.deep} vendor/my lib/in/deep"]
    assert seen.text("fast-2") == ""
    assert seen.text("fast-3") == f"lib\ndeep\n{whole.lib}\n"
    assert [line.split()[0] for line in seen.text("fast-4").splitlines()] == [OID, OID, OID, "modes"]
    assert seen.text("fast-5") == "steps\n0\n0\n"
    assert seen.text("fast-6") == "v1.0\ndetached\n"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("files", "submodule", "lfs"),
    [
        ({"real/kept": "", "way": "->real"}, "way/in", None),
        ({"way": "->/tmp"}, "way", None),
        ({"file": "x"}, "file", None),
        ({}, "absent", None),
        ({"real/a.bin": POINTER, "way": "->real"}, None, "way/a.bin"),
        ({"a.bin": "->/draftsman/result/result.json"}, None, "a.bin"),
        ({}, None, "absent"),
        ({"a.bin/x": ""}, None, "a.bin"),
    ],
    ids=["in-a-link", "a-link", "a-file", "no-folder", "lfs-in-a-link", "lfs-a-link", "lfs-absent", "lfs-a-folder"],
)
async def test_nothing_is_written_through_what_a_stranger_put_in_the_way(
    runner: DockerRunner,
    whole: Whole,
    spec_of: SpecOf,
    tmp_path: Path,
    files: dict[str, str],
    submodule: str | None,
    lfs: str | None,
) -> None:
    made = make_commit(tmp_path, {name: text for name, text in files.items() if not text.startswith("->")})
    for name, text in files.items():
        if text.startswith("->"):
            (made.folder / name).symlink_to(text[2:])
            run(made.folder, "add", name)
    made = amended(made, {})
    inner = whole.source.submodules[1]
    source = Source(
        made.bundle,
        (Submodule(submodule, inner.sha, inner.bundle),) if submodule else (),
        (LfsFile(lfs, OID, whole.source.lfs[0].file),) if lfs else (),
    )
    end, seen = await asyncio.wait_for(_run(runner, source, spec_of(fast=("true",), sha=made.sha)), 60)
    assert (end.conclusion, end.exit_code, seen.started) == (Conclusion.ERROR, 20, [])
    assert f"{submodule or lfs} could not be checked out" in seen.text("checkout")


async def test_a_submodule_that_is_not_in_its_bundle(runner: DockerRunner, whole: Whole, spec_of: SpecOf) -> None:
    first, second = whole.source.submodules
    source = Source(whole.source.bundle, (Submodule(first.path, second.sha, first.bundle),))
    end, seen = await _run(runner, source, spec_of(fast=("true",), sha=whole.sha))
    assert (end.exit_code, seen.started) == (20, [])
    assert "the submodule vendor/my lib could not be checked out" in seen.text("checkout")
