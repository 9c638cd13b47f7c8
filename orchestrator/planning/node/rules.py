"""The rules of Node, and of Bun as a manager and runtime beside it."""

from __future__ import annotations

from orchestrator.planning.rule import Rule

PACKAGE_JSON = Rule("node.project.package-json", "A `package.json` at the top is a Node project.")

WORKFLOW_VERSION_FILE = Rule(
    "node.version.workflow-version-file", "The file that a workflow's `node-version-file` names comes first."
)
NODE_VERSION = Rule("node.version.node-version", "`.node-version` names the Node exactly.")
NVMRC = Rule("node.version.nvmrc", "`.nvmrc` names the Node exactly.")
TOOL_FILES = Rule("node.version.tool-files", "`.tool-versions` and `mise.toml` name the Node exactly.")
LTS_ALIAS = Rule("node.version.lts-alias", "`lts/*`, `lts/-1` and `lts/jod` are long-term releases of the table.")
VOLTA = Rule("node.version.volta", "`volta.node` names the Node exactly; `engines` only says what users may have.")
DEV_ENGINES = Rule("node.version.dev-engines", "`devEngines.runtime` says which Node developers use.")
ENGINES = Rule("node.version.engines", "`engines.node` allows a range: the default, else the newest that fits.")
LTS_FIRST = Rule("node.version.lts-first", "Long-term releases come before odd ones where a range admits both.")
ENGINES_NARROWED = Rule(
    "node.version.engines-narrowed", "Of what `engines.node` allows, a version that workflows test with is taken."
)
DEVCONTAINER = Rule("node.version.devcontainer", "The image or feature of a dev container names the Node.")
WORKFLOW_VERSION = Rule(
    "node.version.workflow", "Where no file names a version, one that the workflows test with is taken."
)
MANAGER_FLOOR = Rule(
    "node.version.manager-floor", "A package manager that needs a newer Node than `engines` starts at gets it."
)

PACKAGE_MANAGER = Rule("node.manager.package-manager", "`packageManager` names the manager, whatever locks lie there.")
DEV_ENGINES_MANAGER = Rule("node.manager.dev-engines", "`devEngines.packageManager` names the manager.")
ONLY_ALLOW = Rule("node.manager.only-allow", "A `preinstall` of `only-allow pnpm` admits no other manager.")
LOCK = Rule("node.manager.lock", "The lock tells the manager.")
WORKFLOW_INSTALL = Rule(
    "node.manager.workflow-install", "The manager that the workflow installs with wins over locks that it ignores."
)
MANAGER_SETTINGS = Rule(
    "node.manager.settings", "Of several locks, settings such as `.yarnrc.yml` or `pnpm-workspace.yaml` pick one."
)
NEWEST_LOCK = Rule("node.manager.newest-lock", "Of several locks, that of the newer convention is the live one.")
ENGINES_MANAGER = Rule("node.manager.engines", "Without a lock, `engines` or `volta` may name the manager.")

EXACT_VERSION = Rule(
    "node.manager.exact-version", "The version in `packageManager` is the one in the image, without its hash."
)
BUN_VERSION = Rule("node.manager.bun-version", "`.bun-version` names Bun's version.")
TOOL_VERSION = Rule(
    "node.manager.tool-version", "`.tool-versions`, `mise.toml` and `volta` name the manager's version."
)
YARN_PATH = Rule("node.manager.yarn-path", "`yarnPath` keeps Yarn in the tree: any Yarn of that kind starts it.")
YARN_PATH_MISSING = Rule(
    "node.manager.yarn-path-missing",
    "A `yarnPath` that is not in the commit is passed over; its name tells the version.",
)
YARN_KIND = Rule(
    "node.manager.yarn-kind", "`.yarnrc.yml` and a lock with `__metadata` are of Yarn 2 and later, else it is Yarn 1."
)
WORKFLOW_MANAGER_VERSION = Rule(
    "node.manager.workflow-version", "The workflow's setup of pnpm or Bun names its version."
)
ENGINES_VERSION = Rule("node.manager.engines-version", "`engines.pnpm` and its like admit a range of versions.")
PNPM_LOCK_VERSION = Rule("node.manager.pnpm-lock-version", "pnpm's `lockfileVersion` tells which pnpm reads it.")
YARN_LOCK_VERSION = Rule(
    "node.manager.yarn-lock-version", "The `__metadata` version of a lock tells which Yarn leaves it as it is."
)
FITS_NODE = Rule("node.manager.fits-node", "A manager of no stated version is one that runs on the Node of the image.")

FROZEN = Rule("node.setup.frozen", "With a lock, the install is frozen to it.")
PACKAGE_LOCK_OFF = Rule(
    "node.setup.package-lock-off", "`package-lock=false` in `.npmrc` means that npm's lock is stale."
)
WORKFLOW_UNFROZEN = Rule(
    "node.setup.workflow-unfrozen", "Where the workflows only ever install without freezing, the lock may be stale."
)
WORKFLOW_FLAGS = Rule(
    "node.setup.workflow-flags", "Flags of the workflow's install, such as `--legacy-peer-deps`, are needed here too."
)
BUILD = Rule("node.setup.build", "What the workflow's job builds before its checks is built after the install.")
WORKSPACE_BUILD = Rule(
    "node.setup.workspace-build",
    "Where the tests of all workspaces run, and a job builds workspaces by a script before it tests one, all that have "
    "the script are built by it.",
)

WORKFLOW_FAST = Rule("node.fast.workflow", "The checks that the workflows run are the fast checks.")
FAST_EXEC = Rule("node.fast.exec", "Linters that workflows run through `npx` or `pnpm exec` are run as there.")
FAST_SCRIPTS = Rule("node.fast.scripts", "Scripts named lint, typecheck, check and the like are checks.")
REWRITES = Rule("node.fast.rewrites", "A script that rewrites files is no check.")
NEEDS_RANGE = Rule("node.fast.needs-range", "A script that lints commit messages needs a range of commits.")
RUNS_TESTS = Rule("node.fast.runs-tests", "A check that runs the tests or another check again is left out.")

WORKFLOW_FULL = Rule("node.full.workflow", "The tests that the workflows run are the full checks.")
OTHER_MANAGER = Rule(
    "node.full.other-manager", "What workflows run with another manager, to test that too, is left out."
)
VARIABLES = Rule(
    "node.full.variables", "`NODE_OPTIONS`, `NODE_ENV`, `TZ` and the like are set as the workflow sets them."
)
MAIN_TESTS = Rule(
    "node.full.main", "Of several tests, the one that is called `test` or `unit` is run, and none of its variants."
)
SIBLINGS = Rule(
    "node.full.siblings", "Where the workflows run the script `test` in parts (`test:unit`, `test:e2e`), all parts run."
)
TEST_SCRIPTS = Rule("node.full.scripts", "The script `test`, else `test:ci`, `test:unit` and the like run the tests.")
PLACEHOLDER = Rule("node.full.placeholder", "npm's placeholder is no test.")
ONLY_ECHOES = Rule("node.full.only-echoes", "A script that only echoes is no test.")
PARTS = Rule(
    "node.full.parts", "A test script that only joins others is taken apart where one of them cannot run here."
)
WATCHES = Rule("node.full.watches", "A script that watches never ends.")
BROWSER = Rule("node.full.browser", "Tests that need a browser cannot run in the image.")
OTHER_LANGUAGE = Rule("node.full.other-language", "A script that only calls another language's tests is not Node's.")
UPLOADS = Rule("node.full.uploads", "A script that uploads, publishes or starts containers is no check.")
WORKSPACE_TESTS = Rule(
    "node.full.workspaces", "Where the root has no test script, those of the workspaces are run from it."
)
ONE_BY_ONE = Rule(
    "node.full.workspaces-one-by-one",
    "Where the root has no test script and workflows test several workspaces one by one, the tests of all are run.",
)
TASK_RUNNER = Rule("node.full.task-runner", "Turborepo, Nx or Lerna run the workspaces' tests where they are set up.")
RUNNER = Rule("node.full.runner", "Without a script, a test runner among the dependencies is run itself.")
BUILT_IN_RUNNER = Rule(
    "node.full.built-in-runner", "Without a script, files that import `bun:test` or `node:test` tell the runner."
)

MANAGER_IN_IMAGE = Rule("node.image.manager", "The manager is in the image, at one exact version.")
BUN = Rule("node.image.bun", "Where checks call Bun, it is a toolchain of its own, beside the Node that installs it.")
NO_HOOKS = Rule("node.image.no-hooks", "Git hooks that `prepare` would install are turned off.")
NO_DOWNLOADS = Rule("node.image.no-downloads", "Browsers and the like, which no check uses, are not downloaded.")
NATIVE = Rule("node.image.native", "Dependencies with native code get their compilers and libraries.")
YARN_CACHE = Rule("node.image.yarn-cache", "Yarn 2 and 3 use the shared cache, unless the tree holds its own.")
