"""Cache volumes and mounts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from orchestrator.caches import cache_mounts, cache_scope


@pytest.mark.parametrize(
    ("manager", "volume", "path"),
    [
        ("bun", "draftsman_bun_cache", "/.bun/install/cache"),
        ("npm", "draftsman_npm_cache", "/.npm"),
        ("yarn", "draftsman_npm_cache", "/.npm"),
        ("yarn-berry", "draftsman_npm_cache", "/.npm"),
        ("bundler", "draftsman_bundler_cache", "/usr/local/bundle/cache"),
        ("uv", "draftsman_uv_cache", "/.cache/uv"),
        ("pip", "draftsman_pip_cache", "/.cache/pip"),
    ],
)
def test_volumes_and_paths_are_the_plans(manager: str, volume: str, path: str) -> None:
    (mount,) = cache_mounts([manager])
    assert (mount.volume, mount.path) == (volume, path)


def test_each_volume_once_and_unknown_managers_without() -> None:
    mounts = cache_mounts(["npm", "yarn", "uv", "npm", "make"])
    assert [mount.manager for mount in mounts] == ["npm", "uv"]


def test_each_yarn_is_sent_to_its_own_folder_of_the_volume() -> None:
    (classic,), (berry,), (npm,) = cache_mounts(["yarn"]), cache_mounts(["yarn-berry"]), cache_mounts(["npm"])
    assert classic.env["YARN_CACHE_FOLDER"] == "/.npm/yarn"
    assert "YARN_CACHE_FOLDER" not in berry.env
    assert berry.env["YARN_GLOBAL_FOLDER"] == "/.npm/yarn-berry"
    assert not any(name.startswith("YARN") for name in npm.env)


def test_every_variable_points_into_the_mount() -> None:
    for mount in cache_mounts(["bun", "npm", "uv", "pip", "pnpm", "poetry", "pdm", "pipenv", "go"]):
        paths = [value for value in mount.env.values() if value.startswith("/")]
        assert paths
        assert all(path.startswith(mount.path) for path in paths)


def test_an_owner_has_volumes_of_its_own_whatever_its_case() -> None:
    names = {mount.volume for owner in ("Acme", "acme", "ACME") for mount in cache_mounts(["uv", "yarn"], owner)}
    assert names == {"draftsman_acme_uv_cache", "draftsman_acme_npm_cache"}


def test_no_two_owners_share_a_volume_and_every_name_is_one_that_engines_take() -> None:
    owners = (
        "local",
        "a-b",
        "a_b",
        "a.b",
        "a.5fb",
        "a",
        "b_pip",
        "",
        "é",
        "../x",
        "x" * 64,
        "x" * 65,
        "x" * 66,
        ".." * 40,
    )
    names = [mount.volume for owner in owners for mount in cache_mounts(["pip", "uv"], owner)]
    names += [mount.volume for mount in cache_mounts(["pip", "uv"])]
    assert len(set(names)) == 2 * len(owners) + 2
    assert all(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,200}", name) for name in names)


def test_a_scope_changes_nothing_but_the_volume() -> None:
    shared, (own,) = cache_mounts(["pnpm"])[0], cache_mounts(["pnpm"], "acme")
    assert replace(own, volume=shared.volume) == shared


def test_users_and_private_repositories_have_volumes_of_their_own() -> None:
    scopes = [cache_scope("acme", private=False), cache_scope("acme", private=True)]
    scopes += [cache_scope(None, private=False), cache_scope(None, private=True)]
    names = [cache_mounts(["pip"], scope, uid=uid)[0].volume for scope in scopes for uid in (0, 1000, 1001)]
    assert len(set(names)) == 12
    assert names[0] == "draftsman_acme_pip_cache"
    assert names[6] == "draftsman_pip_cache"
