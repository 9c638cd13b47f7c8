"""Dependency caches: which volume a manager has, where a job sees it, and what makes the tool look there.

Volume names and mount paths are the plan's. A tool looks where its environment variables say, since a job's
HOME is not the root of the file system. What one job writes into a volume, the next one runs: so each owner of
repositories has volumes of its own, unless the setting says that the whole instance shares them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

LABEL_CACHE = "draftsman.cache"

_SCOPE_LENGTH = 64
_NOT_PLAIN = re.compile(rb"[^a-z0-9-]")


@dataclass(frozen=True, slots=True)
class CacheMount:
    """A cache volume, where it is mounted, and the variables that send the tool there."""

    manager: str
    volume: str
    path: str
    env: Mapping[str, str] = field(default_factory=dict)


def _mount(manager: str, path: str, **env: str) -> CacheMount:
    return CacheMount(manager, f"draftsman_{manager}_cache", path, env)


_MOUNTS = {
    mount.manager: mount
    for mount in (
        _mount("bun", "/.bun/install/cache", BUN_INSTALL_CACHE_DIR="/.bun/install/cache"),
        _mount("npm", "/.npm", NPM_CONFIG_CACHE="/.npm"),
        # RubyGems keeps the gems that it downloaded in GEM_HOME/cache, and Bundler looks there.
        _mount("bundler", "/usr/local/bundle/cache"),
        # A cache on another file system cannot be hard-linked from.
        _mount("uv", "/.cache/uv", UV_CACHE_DIR="/.cache/uv", UV_LINK_MODE="copy"),
        _mount("pip", "/.cache/pip", PIP_CACHE_DIR="/.cache/pip"),
        # pnpm 11 and later read only variables that have its own name.
        _mount("pnpm", "/.cache/pnpm", NPM_CONFIG_STORE_DIR="/.cache/pnpm", PNPM_CONFIG_STORE_DIR="/.cache/pnpm"),
        _mount("poetry", "/.cache/pypoetry", POETRY_CACHE_DIR="/.cache/pypoetry"),
        _mount("pdm", "/.cache/pdm", PDM_CACHE_DIR="/.cache/pdm"),
        _mount("pipenv", "/.cache/pipenv", PIPENV_CACHE_DIR="/.cache/pipenv"),
        _mount("go", "/.cache/go", GOMODCACHE="/.cache/go/mod", GOCACHE="/.cache/go/build"),
        # Only the downloads of CARGO_HOME: its `bin` belongs to the image.
        _mount("cargo", "/usr/local/cargo/registry"),
    )
}
_SHARED = {"yarn": "npm", "yarn-berry": "npm"}
"""Managers that use another one's volume (the plan's `npm/yarn`)."""

_SHARED_ENV = {
    "yarn": {"YARN_CACHE_FOLDER": "/.npm/yarn"},
    # Yarn 2 and later: with YARN_CACHE_FOLDER, a repository that keeps its cache in its tree would not find it.
    "yarn-berry": {"YARN_GLOBAL_FOLDER": "/.npm/yarn-berry"},
}


def cache_scope(owner: str | None, *, private: bool) -> str | None:
    """Return whose volumes a repository's jobs have: those of its owner, else (None) of the instance.

    Private repositories have volumes of their own: what they downloaded is not for the strangers of a public one.
    """
    if not private:
        return owner
    return f"{owner or ''}/private"


def cache_mounts(managers: Iterable[str], scope: str | None = None, *, uid: int | None = 0) -> tuple[CacheMount, ...]:
    """Return the mounts of these dependency managers, each once; a manager without a cache of its own has none.

    `scope` is whose volumes they are, in any case; None for those that all share. Two scopes never have a volume in
    common, and neither have two users: a cache belongs to the user id that its files have.
    """
    wanted = list(managers)
    names = dict.fromkeys(_SHARED.get(manager, manager) for manager in wanted)
    sharing = {name: value for one in wanted for name, value in _SHARED_ENV.get(one, {}).items()}
    mounts = [_MOUNTS[name] for name in names if name in _MOUNTS]
    mounts = [replace(one, env={**one.env, **sharing}) if one.manager == "npm" else one for one in mounts]
    prefix = "draftsman_" if scope is None else f"draftsman_{_encode_scope(scope)}_"
    suffix = f"_u{uid}" if uid else ""
    return tuple(replace(mount, volume=f"{prefix}{mount.manager}_cache{suffix}") for mount in mounts)


def _encode_scope(scope: str) -> str:
    """Return a part of a volume's name; no two scopes that differ in more than case have the same.

    What is not a letter, digit or hyphen becomes a dot and two hexadecimal digits a byte; a scope that is too
    long ends in two dots and its hash, which no other encoding holds.
    """
    whole = scope.lower().encode("utf-8", "surrogateescape")
    encoded = _NOT_PLAIN.sub(lambda match: b".%02x" % match[0][0], whole).decode()
    if len(encoded) <= _SCOPE_LENGTH:
        return encoded
    return f"{encoded[: _SCOPE_LENGTH // 2].rstrip('.')}..{hashlib.sha256(whole).hexdigest()[: _SCOPE_LENGTH // 2]}"
