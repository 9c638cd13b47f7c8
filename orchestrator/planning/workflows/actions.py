"""What well-known actions set up or run: versions, and the commands that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

VERSION_INPUTS = {
    "python-version": "python",
    "node-version": "node",
    "go-version": "go",
    "ruby-version": "ruby",
    "bun-version": "bun",
    "deno-version": "deno",
    "rust-version": "rust",
    "toolchain": "rust",
    "pnpm-version": "pnpm",
    "uv-version": "uv",
    "poetry-version": "poetry",
}
"""Inputs that mean the same in whatever action has them."""

OWN_VERSIONS = {
    "astral-sh/setup-uv": "uv",
    "pnpm/action-setup": "pnpm",
    "wyvox/action-setup-pnpm": "pnpm",
    "snok/install-poetry": "poetry",
    "golangci/golangci-lint-action": "golangci-lint",
    "astral-sh/ruff-action": "ruff",
    "pdm-project/setup-pdm": "pdm",
}
"""Actions whose input `version` is that of a tool."""

RUST_TOOLCHAIN = "dtolnay/rust-toolchain"
"""The action whose own tag is the version."""

RUSTUP = re.compile(
    r"rustup (?:toolchain install|default|override set|install)(?: --?[a-z-]+(?: minimal)?)* ([a-z0-9.-]+)\b.*"
)

RUNNING = {
    "nick-fields/retry": "command",
    "nick-invision/retry": "command",
    "wandalen/wretry.action": "command",
    "coactions/setup-xvfb": "run",
    "gabrielbb/xvfb-action": "run",
}
"""Actions that run the shell script in one of their inputs."""

CHECKING = {
    "golangci/golangci-lint-action": "golangci-lint run {args}",
    "astral-sh/ruff-action": "ruff {args:check}",
    "chartboost/ruff-action": "ruff {args:check}",
    "psf/black": "black {options:--check --diff} {src:.}",
    "jakebailey/pyright-action": "pyright",
    "isort/isort-action": "isort --check-only --diff .",
    "pre-commit/action": "pre-commit run {extra_args:--all-files}",
    "dominikh/staticcheck-action": "staticcheck ./...",
    "ludeeus/action-shellcheck": "shellcheck .",
    "actions-rs/cargo": "cargo {command} {args}",
    "actions-rs/clippy-check": "cargo clippy {args}",
    "borales/actions-yarn": "yarn {cmd}",
    "bahmutov/npm-install": "npm ci",
    "reviewdog/action-eslint": "npx eslint {eslint_flags:.}",
    "reviewdog/action-stylelint": "npx stylelint {stylelint_input:**/*.css}",
    "reviewdog/action-biome": "npx biome ci {biome_flags:.}",
    "reviewdog/action-rubocop": "bundle exec rubocop {rubocop_flags}",
    "reviewdog/action-golangci-lint": "golangci-lint run {golangci_lint_flags}",
    "reviewdog/action-shellcheck": "shellcheck .",
    "standardrb/standard-ruby-action": "bundle exec standardrb",
    "giraffate/clippy-action": "cargo clippy {clippy_flags}",
    "actions-rust-lang/rustfmt": "cargo fmt --all --check",
}
"""Actions that are a command by another name; `{input:default}` is the value of an input."""

BUNDLER_CACHE = "ruby/setup-ruby"
IMAGES = {"python": "python", "node": "node", "golang": "go", "ruby": "ruby", "rust": "rust", "oven/bun": "bun"}
IMAGE = re.compile(
    r"(?:docker\.io/|public\.ecr\.aws/docker/)?(?:library/)?([a-z/]+):v?([0-9][0-9.]{0,20})(?:-[a-z0-9.-]+)?"
)
PLACE = re.compile(r"\{([a-z_]+)(?::([^}]*))?\}")


def action_name(uses: str) -> str:
    """Return owner and repository of `uses:`, in lower case, without the version."""
    return "/".join(uses.partition("@")[0].lower().split("/")[:2])


def setup_versions(uses: str, inputs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield ecosystem and version for what a step sets up, as its author wrote it; several lines are several."""
    for key, value in inputs.items():
        if key in VERSION_INPUTS:
            yield from ((VERSION_INPUTS[key], line) for line in value.splitlines()[:20])
        elif key == "version" and action_name(uses) in OWN_VERSIONS:
            yield OWN_VERSIONS[action_name(uses)], value
    ref = uses.partition("@")[2]
    if action_name(uses) == RUST_TOOLCHAIN and ref not in ("master", "v1") and "toolchain" not in inputs:
        yield "rust", ref


def setup_files(inputs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield ecosystem and path for the `*-version-file` inputs of a step."""
    for key, value in inputs.items():
        if key.endswith("-version-file") and key.removesuffix("-file") in VERSION_INPUTS:
            yield VERSION_INPUTS[key.removesuffix("-file")], value


def image_version(image: str) -> tuple[str, str] | None:
    """Return ecosystem and version of a language's official image, else None."""
    match = IMAGE.fullmatch(image)
    return (IMAGES[match.group(1)], match.group(2)) if match and match.group(1) in IMAGES else None


def rustup_version(command: str) -> str | None:
    """Return the toolchain that a plain `rustup` command installs, else None."""
    match = RUSTUP.fullmatch(command)
    return match.group(1) if match else None


def script_of(uses: str, inputs: Mapping[str, str]) -> str | None:
    """Return the script that stands for a well-known action, None for another action."""
    name = action_name(uses)
    if name in RUNNING:
        return inputs.get(RUNNING[name])
    if name == BUNDLER_CACHE:
        return "bundle install" if inputs.get("bundler-cache") == "true" else None
    template = CHECKING.get(name)
    if template is None:
        return None
    return " ".join(PLACE.sub(lambda match: inputs.get(match.group(1)) or match.group(2) or "", template).split())
