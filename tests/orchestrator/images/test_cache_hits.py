"""An image is built again when something changed that it depends on, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from draftsman.domain.errors import BuildError
from orchestrator.images.build import BuildSettings
from tests.orchestrator.image_parts import Images, run, unique
from tests.orchestrator.sandbox_parts import make_plan

FILES = {"requirements.txt": "a\n", "src/app.py": "1\n", "src/deep/x.py": "1\n", "notes.md": "1\n", "tests/t.py": "1\n"}


@pytest.mark.engine
@pytest.mark.parametrize(
    ("copies", "changed", "is_new"),
    [
        ("COPY requirements.txt /x/", {"requirements.txt": "b\n"}, True),
        ("COPY requirements.txt /x/", {"src/app.py": "2\n", "notes.md": "2\n", "new": ""}, False),
        ("COPY *.txt /x/", {"other.txt": ""}, True),
        ("COPY *.txt /x/", {"src/other.txt": ""}, False),
        ("COPY src /x/", {"src/deep/x.py": "2\n"}, True),
        ("COPY src /x/", {"tests/t.py": "2\n"}, False),
        ("ADD . /x/", {"notes.md": "2\n"}, True),
        ("RUN --mount=type=bind,source=src,target=/m cat /m/app.py", {"src/app.py": "2\n"}, True),
        ("RUN --mount=type=bind,source=src,target=/m cat /m/app.py", {"notes.md": "2\n"}, False),
    ],
)
async def test_what_is_copied_decides(images: Images, copies: str, changed: dict[str, str], is_new: bool) -> None:
    text = unique() + copies + "\n"
    plan = make_plan(text, path="Dockerfile")
    first = await images(plan, commit=images.commit(FILES | {"Dockerfile": text}))
    second = await images(plan, commit=images.commit(FILES | {"Dockerfile": text} | changed))
    assert (second.tag != first.tag, second.cached) == (is_new, not is_new)


@pytest.mark.engine
async def test_what_is_ignored_is_not_in_the_image_and_does_not_count(images: Images) -> None:
    text = unique() + "COPY . /x/\n"
    plan = make_plan(text, path="docker/Dockerfile")
    files = FILES | {"docker/Dockerfile": text, "docker/Dockerfile.dockerignore": "*\n!src\nsrc/deep\n"}
    first = await images(plan, commit=images.commit(files))
    assert await run(first.tag, "sh", "-c", "cd /x && find * -type f | grep -v Dockerfile") == "src/app.py\n"
    for changed, is_new in (({"src/deep/x.py": "2", "notes.md": "2"}, False), ({"src/app.py": "2"}, True)):
        again = await images(plan, commit=images.commit(files | changed))
        assert (again.tag != first.tag) == is_new


@pytest.mark.engine
async def test_target_arguments_and_mirror_are_part_of_the_key(images: Images) -> None:
    text = unique().replace("FROM python:3.13-slim", "FROM python:3.13-slim AS one") + (
        "ARG WORD=default\nRUN echo $WORD > /word\nFROM one AS two\nRUN echo two > /word\n"
    )
    plan = make_plan(text, path="Dockerfile")
    commit = images.commit({"Dockerfile": text})
    profile = plan.profile
    last = await images(plan, commit=commit)
    one = await images(replace(plan, profile=replace(profile, dockerfile_target="one")), commit=commit)
    given = replace(profile, dockerfile_target="one", build_args=(("WORD", "given"),))
    other = await images(replace(plan, profile=given), commit=commit)
    assert [await run(image.tag, "cat", "/word") for image in (last, one, other)] == ["two\n", "default\n", "given\n"]
    mirrored = BuildSettings(image_prefix="mirror.example/hub/", timeout_seconds=300)
    assert (await images(plan, commit=commit, settings=mirrored)).tag not in {last.tag, one.tag, other.tag}


@pytest.mark.engine
async def test_a_build_argument_cannot_choose_the_front_end(images: Images) -> None:
    plan = make_plan("FROM busybox\n", path="Dockerfile")
    plan = replace(plan, profile=replace(plan.profile, build_args=(("BUILDKIT_SYNTAX", "evil/frontend"),)))
    with pytest.raises(BuildError, match="'BUILDKIT_SYNTAX'"):
        await images(plan)


@pytest.mark.engine
async def test_a_symlink_is_copied_as_it_is_and_one_on_the_way_is_followed(images: Images) -> None:
    folder = images.repository({"real/file": "text", "real/other": "x"})
    (folder / "way").symlink_to("real")
    (folder / "real" / "link").symlink_to("file")
    text = unique() + "COPY way/file /one\nCOPY real /all/\n"
    commit = images.committed(folder)
    used = await images(make_plan(text, path="Dockerfile"), commit=commit)
    assert await run(used.tag, "sh", "-c", "cat /one; readlink /all/link") == "textfile\n"
