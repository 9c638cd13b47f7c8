"""The dependency managers of Node: their locks, how they install, and how they run scripts and programs.

Another manager is another row of `MANAGERS`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeManager:
    """A manager: its locks, its commands, the caches that it fills, and the package that an image gets it from.

    `floors` are the ranges of Node that its majors need. `unfrozen` are the installs that do not keep to the lock.
    """

    name: str
    package: str
    locks: tuple[str, ...]
    frozen_install: str
    install: str
    test: str
    run: str
    execute: str
    all_tests: str
    all_runs: str
    caches: tuple[str, ...]
    floors: tuple[tuple[int, str], ...] = ()
    unfrozen: tuple[str, ...] = ()

    def running(self, script: str) -> str:
        """Return the command that runs a script, as a person types it."""
        return self.test if script == "test" else f"{self.run} {script}"

    def everywhere(self, script: str) -> str:
        """Return the command that runs a script of all workspaces that have it, those first that others need."""
        return self.all_runs.format(script=script)

    def floor(self, version: str) -> str:
        """Return the range of Node that a version of it needs."""
        major = int(version.partition(".")[0])
        return next((needed for start, needed in reversed(self.floors) if major >= start), "*")


NPM = NodeManager(
    name="npm",
    package="npm",
    locks=("package-lock.json", "npm-shrinkwrap.json"),
    frozen_install="npm ci",
    install="npm install --no-audit --no-fund",
    test="npm test",
    run="npm run",
    execute="npx --no-install",
    all_tests="npm test --workspaces --if-present",
    all_runs="npm run {script} --workspaces --if-present",
    caches=("npm",),
    floors=((7, ">=10"), (9, "^14.17 || ^16.13 || >=18"), (10, "^18.17 || >=20.5"), (11, "^20.17 || >=22.9")),
    unfrozen=("npm install", "npm i"),
)
YARN_CLASSIC = NodeManager(
    name="yarn",
    package="yarn",
    locks=("yarn.lock",),
    frozen_install="yarn install --frozen-lockfile",
    install="yarn install",
    test="yarn test",
    run="yarn run",  # `yarn check` and a few more are commands of its own
    execute="yarn run",
    all_tests="yarn workspaces run test",
    all_runs="yarn workspaces run {script}",
    caches=("yarn",),
    unfrozen=("yarn", "yarn install"),
)
YARN_BERRY = NodeManager(
    name="yarn",
    package="@yarnpkg/cli-dist",
    locks=("yarn.lock",),
    frozen_install="yarn install --immutable",
    install="yarn install --no-immutable",  # immutable is its default where CI is set
    test="yarn test",
    run="yarn run",
    execute="yarn run",
    all_tests="yarn workspaces foreach -A run test",
    all_runs="yarn workspaces foreach -At run {script}",
    caches=("yarn-berry",),
    floors=((2, ">=12"), (4, ">=18.12")),
)
PNPM = NodeManager(
    name="pnpm",
    package="pnpm",
    locks=("pnpm-lock.yaml",),
    frozen_install="pnpm install --frozen-lockfile",
    install="pnpm install --no-frozen-lockfile",  # frozen is its default where CI is set
    test="pnpm test",
    run="pnpm run",
    execute="pnpm exec",
    all_tests="pnpm -r test",
    all_runs="pnpm -r run {script}",
    caches=("pnpm",),
    floors=((6, ">=12.17"), (7, ">=14.6"), (8, ">=16.14"), (9, ">=18.12"), (11, ">=22.13"), (12, ">=18")),
    unfrozen=("pnpm install --no-frozen-lockfile", "pnpm i --no-frozen-lockfile"),
)
BUN = NodeManager(
    name="bun",
    package="bun",
    locks=("bun.lock", "bun.lockb"),
    frozen_install="bun install --frozen-lockfile",
    install="bun install",
    test="bun run test",  # `bun test` is the runner
    run="bun run",
    execute="bunx --no-install",
    all_tests="bun run --filter '*' test",
    all_runs="bun run --filter '*' {script}",
    caches=("bun",),
    unfrozen=("bun install", "bun i"),
)
MANAGERS = (NPM, YARN_CLASSIC, PNPM, BUN)
"""One for each name; Yarn 2 and later are told from Yarn 1 by their version."""

BY_NAME = {manager.name: manager for manager in MANAGERS}

NEWEST_FIRST = (BUN, PNPM, YARN_CLASSIC, NPM)
"""The order in which conventions came up, the newest first."""
