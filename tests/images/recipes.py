"""What each stand-in for a base image is made of: data, and the Dockerfile that follows from it.

A stand-in is made only where the real image cannot be pulled. It has the same programs at the same places
(`/usr/local/bin/python`, `/usr/local/bin/node`, ...) from Debian's suites and from Python wheels, with the
certificate authorities of the machine that made it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

LABEL = "draftsman.stand-in"
KEY_LABEL = "draftsman.stand-in.key"
BASE_REPOSITORY = "draftsman-stand-in"
BUSYBOX = "busybox:latest"
SUITES = ("bullseye", "bookworm", "trixie")
BASE_PACKAGES = ("apt", "ca-certificates", "netbase", "passwd", "tzdata")

PYTHON_SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie"}
RUBY_SUITES = {"2.7": "bullseye", "3.1": "bookworm", "3.3": "trixie"}
GO = "1.24"
RUST = "1.85"
"""Those of Debian 13; Debian 12's are too old for today's modules and crates."""

POSTGRES_HOME = "lib/postgresql/16"

PYTHON_TAG = re.compile(r"python:(?P<version>3\.\d{1,2})\.\d{1,3}-slim-(?P<suite>[a-z]+)")
NODE_TAG = re.compile(r"node:(?P<version>\d{1,2}(?:\.\d{1,3}){0,2})-slim")

# Official images remove downloaded packages after each apt call; so do ours, from their last layer on.
DOCKER_CLEAN = (
    "printf '%s\\n' "
    "'DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true\"; };' "
    '\'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\' '
    "> /etc/apt/apt.conf.d/docker-clean"
)


class UnknownImage(Exception):  # noqa: N818 - it reads as what it says
    """There is no recipe for a stand-in of this image; the text says which ones there are."""


@dataclass(frozen=True)
class Recipe:
    """One stand-in: the suite that it stands on, and what is put on top."""

    suite: str
    packages: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ("bash",)
    entrypoint: tuple[str, ...] = ()
    node: str = ""
    postgres: bool = False
    instructions: tuple[str, ...] = ()


def find_recipe(reference: str) -> Recipe:
    """The recipe for an image reference such as `python:3.13-slim`. Raises UnknownImage."""
    fixed = fixed_recipes()
    if reference in fixed:
        return fixed[reference]
    python = PYTHON_TAG.fullmatch(reference)
    if python and PYTHON_SUITES.get(python["version"]) == python["suite"]:
        return python_recipe(python["version"])
    node = NODE_TAG.fullmatch(reference)
    if node:
        return node_recipe(node["version"])
    named = (*fixed, "python:<3.x.y>-slim-<suite>", "node:<version>-slim")
    raise UnknownImage(
        f"There is no stand-in for {reference}: it must be pulled from its registry. "
        f"There are stand-ins for {', '.join(named)} and {BUSYBOX}."
    )


def is_stand_in(reference: str) -> bool:
    """Whether a stand-in is what has this name, given that the image carries the label."""
    try:
        find_recipe(reference)
    except UnknownImage:
        return reference == BUSYBOX or reference.startswith(f"{BASE_REPOSITORY}/")
    return True


def fixed_recipes() -> dict[str, Recipe]:
    """All recipes but those of Node.js (any version) and busybox (no Debian below it)."""
    recipes = {f"debian:{suite}-slim": Recipe(suite) for suite in SUITES}
    recipes |= {f"python:{version}-slim": python_recipe(version) for version in PYTHON_SUITES}
    recipes |= {f"ruby:{version}-slim": ruby_recipe(version) for version in RUBY_SUITES}
    recipes[f"golang:{GO}-bookworm"] = go_recipe()
    recipes[f"rust:{RUST}-slim"] = rust_recipe()
    recipes["redis:7-alpine"] = redis_recipe()
    recipes["postgres:16-alpine"] = postgres_recipe()
    return recipes


def python_recipe(version: str) -> Recipe:
    """Debian's Python under the official image's names; pip may install into it, as there."""
    return Recipe(
        suite=PYTHON_SUITES[version],
        packages=("libpython3-dev", "python3", "python3-venv", "python3-pip"),
        commands=(
            "rm -f /usr/lib/python3*/EXTERNALLY-MANAGED",
            # pip cannot replace what Debian installed, and an official image has nothing but pip.
            "rm -rf /usr/lib/python3/dist-packages/*.dist-info /usr/lib/python3/dist-packages/*.egg-info",
            "for name in python python3; do ln -sf /usr/bin/python3 /usr/local/bin/$name; done",
            "for name in pip pip3; do ln -sf /usr/bin/pip3 /usr/local/bin/$name; done",
        ),
        environment=(("LANG", "C.UTF-8"),),
        command=("python3",),
    )


def ruby_recipe(version: str) -> Recipe:
    """Debian's Ruby and Bundler with the gem folder of the official image."""
    return Recipe(
        suite=RUBY_SUITES[version],
        packages=("ruby", "ruby-bundler", "ruby-dev"),
        commands=(
            "for name in ruby gem bundle irb rake; do ln -sf /usr/bin/$name /usr/local/bin/$name; done",
            "mkdir -p /usr/local/bundle && chmod 1777 /usr/local/bundle",
        ),
        environment=(
            ("LANG", "C.UTF-8"),
            ("GEM_HOME", "/usr/local/bundle"),
            ("BUNDLE_SILENCE_ROOT_WARNING", "1"),
            ("BUNDLE_APP_CONFIG", "/usr/local/bundle"),
            ("PATH", "/usr/local/bundle/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ),
        command=("irb",),
    )


def go_recipe() -> Recipe:
    """Debian's Go as one folder at the official image's place, with the C compiler that it has."""
    return Recipe(
        suite="trixie",
        packages=(f"golang-{GO}-go", "gcc", "g++", "libc6-dev", "make", "pkg-config"),
        commands=(
            f"cp -rL /usr/lib/go-{GO} /usr/local/go",
            f"rm -rf /usr/lib/go-{GO} /usr/share/go-{GO}",
            "mkdir -p /go/src /go/bin && chmod -R 1777 /go",
        ),
        environment=(
            ("GOPATH", "/go"),
            ("GOTOOLCHAIN", "local"),
            ("PATH", "/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ),
    )


def rust_recipe() -> Recipe:
    """Debian's Rust at the official image's places. Its `rustup` knows what the planned images ask of one.

    All components are there already, and a toolchain that is linked or set is the only one that there is.
    """
    programs = ("cargo", "cargo-clippy", "cargo-fmt", "clippy-driver", "rustc", "rustdoc", "rustfmt")
    asked = '"component add"|"toolchain link"|"override set") exit 0;;'
    rustup = f'case "$1 $2" in {asked} esac; echo "this stand-in has one Rust" >&2; exit 1'
    return Recipe(
        suite="trixie",
        packages=("rustc", "cargo", "rust-clippy", "rustfmt", "gcc", "libc6-dev"),
        commands=(
            f"mkdir -p /usr/local/cargo/bin /usr/local/rustup/toolchains/{RUST}.0",
            f"for name in {' '.join(programs)}; do ln -sf /usr/bin/$name /usr/local/cargo/bin/$name; done",
            f"printf '#!/bin/sh\\n%s\\n' '{rustup}' > /usr/local/cargo/bin/rustup",
            "chmod 0755 /usr/local/cargo/bin/rustup",
        ),
        environment=(
            ("RUSTUP_HOME", "/usr/local/rustup"),
            ("CARGO_HOME", "/usr/local/cargo"),
            ("PATH", "/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ),
    )


def node_recipe(version: str) -> Recipe:
    """Node.js with its own npm and corepack, on Debian 12 and with libatomic as the official image; no yarn."""
    return Recipe(suite="bookworm", packages=("libatomic1",), node=version, command=("node",))


def redis_recipe() -> Recipe:
    """Debian 12's Redis 7, with protected mode off as in the official image, whatever its command is."""
    server = '#!/bin/sh\\nexec /usr/bin/redis-server "$@" --protected-mode no\\n'
    return Recipe(
        suite="bookworm",
        packages=("redis-server",),
        commands=(
            f"printf '{server}' > /usr/local/bin/redis-server",
            "chmod 0755 /usr/local/bin/redis-server",
            "ln -sf /usr/bin/redis-cli /usr/local/bin/redis-cli",
            "mkdir -p /data && chown redis:redis /data",
        ),
        instructions=("VOLUME /data", "WORKDIR /data", "EXPOSE 6379"),
        command=("redis-server",),
    )


def postgres_recipe() -> Recipe:
    """PostgreSQL 16 of the wheel that the embedded server uses: Debian's suites have 15 and 17."""
    return Recipe(
        suite="bookworm",
        commands=(
            "groupadd --system --gid 70 postgres",
            "useradd --system --uid 70 --gid 70 --home-dir /var/lib/postgresql --create-home postgres",
            "install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data /run/postgresql",
        ),
        environment=(
            ("LANG", "C.UTF-8"),
            ("PGDATA", "/var/lib/postgresql/data"),
            (
                "PATH",
                f"/usr/local/{POSTGRES_HOME}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
        ),
        instructions=(
            "VOLUME /var/lib/postgresql/data",
            "EXPOSE 5432",
            "STOPSIGNAL SIGINT",
        ),
        postgres=True,
        entrypoint=("docker-entrypoint.sh",),
        command=("postgres",),
    )


def render_dockerfile(recipe: Recipe, base: str) -> str:
    """The Dockerfile of a stand-in on the base image `base`; its context is laid out by `layers`."""
    lines = [
        f"FROM {base}",
        "COPY authorities/ /usr/local/share/ca-certificates/",
        "RUN update-ca-certificates",
        "COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
    ]
    if recipe.packages:
        lines.append(_install(recipe))
    if recipe.commands:
        lines.append("RUN " + " && ".join(recipe.commands))
    if recipe.node:
        lines.append("COPY node/ /usr/local/")
    if recipe.postgres:
        lines.append("COPY postgres/ /usr/local/")
    lines.append(f"RUN {DOCKER_CLEAN}")
    lines += [f'ENV {name}="{value}"' for name, value in recipe.environment]
    lines += recipe.instructions
    if recipe.entrypoint:
        lines.append(f"ENTRYPOINT {_words(recipe.entrypoint)}")
    lines.append(f"CMD {_words(recipe.command)}")
    return "\n".join(lines) + "\n"


def recipe_key(recipe: Recipe, base: str, authorities: bytes) -> str:
    """Twelve hex digits that change when the stand-in would come out differently."""
    made_of = f"{render_dockerfile(recipe, base)}\nwheel of node {recipe.node}\n"
    return hashlib.sha256(made_of.encode() + authorities).hexdigest()[:12]


def _install(recipe: Recipe) -> str:
    # One cache per suite; locked, because two apt of one suite would fight for its lists.
    mounts = " ".join(
        f"--mount=type=cache,id=draftsman-{name}-{recipe.suite},target={path},sharing=locked"
        for name, path in (("apt-archives", "/var/cache/apt"), ("apt-lists", "/var/lib/apt/lists"))
    )
    wanted = " ".join(recipe.packages)
    return (
        f"RUN {mounts} apt-get -qq update && DEBIAN_FRONTEND=noninteractive "
        f"apt-get -qq install -y --no-install-recommends {wanted}"
    )


def _words(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
