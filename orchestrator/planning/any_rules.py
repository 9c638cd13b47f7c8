"""The rules that belong to no single ecosystem."""

from __future__ import annotations

from orchestrator.planning.rule import Rule

PROJECT_IN_FOLDER = Rule(
    "any.project.folder",
    "Where the top of the repository has nothing to test, the projects in its folders are checked, each in its own.",
)
SUB_PROJECT = Rule(
    "any.project.named",
    "Where the top has tests, it decides; projects in folders are named, with what a workflow runs in them.",
)
OWNER = Rule(
    "any.manager.owner",
    "Of several ecosystems with tests that one owns them whose tests a workflow runs, whose manifest names the "
    "project, whose source files are the most, in this order; one that only builds for another does not.",
)
NO_ECOSYSTEM = Rule("any.image.none", "Without any ecosystem the image is a plain Debian.")
COMMAND_PACKAGES = Rule("any.image.command-packages", "What the commands call (make, cmake, ...) is installed.")
USELESS_PART = Rule(
    "any.image.nothing-to-check", "An ecosystem with nothing to check is left out where another has some."
)
SUBMODULES = Rule(
    "any.project.submodules", "Submodules are named; a warning says so where the profile does not have them fetched."
)

ON_CHANGES = Rule(
    "any.full.workflow-on-changes",
    "The checks are what the workflows run that a push to a branch, a pull request or a merge queue starts.",
)
NO_RELEASES = Rule(
    "any.full.workflow-no-releases",
    "Jobs that release, publish, deploy, build documentation or measure, or that run for tags or one branch only, "
    "are no checks.",
)
LINUX_ONLY = Rule(
    "any.full.workflow-linux", "Of a workflow only the jobs and steps count that run on Linux and need not fail."
)
PARALLEL = Rule("any.full.workflow-parallel", "Steps of a `parallel` group count, one after the other.")
BROKEN_WORKFLOW = Rule(
    "any.full.workflow-broken",
    "A workflow or action that cannot be read counts as absent, and a warning names its line.",
)
MATRIX = Rule(
    "any.full.workflow-matrix",
    "A matrix counts with one cell for each task, at the default versions, else the newest; its values are put in.",
)
REUSABLE_WORKFLOW = Rule(
    "any.full.workflow-called", "A workflow of the repository that a job calls is read with the values it is given."
)
LINTED_ELSEWHERE = Rule(
    "any.fast.workflow-elsewhere",
    "A job that calls another repository's workflow with a release of golangci-lint counts as running it.",
)
COMPOSITE_ACTION = Rule(
    "any.full.workflow-action", "An action of the repository that a step uses is read with the values it is given."
)
ACTIONS = Rule(
    "any.full.workflow-known-action",
    "Well-known actions that lint, or run a script, count as the command they stand for.",
)
MAKE_RECIPE = Rule(
    "any.full.make-recipe", "`make X` in a workflow counts as the recipe of X, where that is all plain commands."
)
JUST_RECIPE = Rule(
    "any.full.just-recipe", "`just X` in a workflow counts as the recipe of X, where that is all plain commands."
)
SCRIPT_INSIDE = Rule("any.full.script-inside", "A script of the repository counts as what its plain commands run.")
SERVICES = Rule("any.full.services", "Services that a workflow starts for tests are not there: a warning names them.")
WORKFLOW_TASK = Rule(
    "any.full.workflow-task",
    "Where no ecosystem has tests, the make target or script named after tests that a workflow runs is the tests.",
)
TASK_VARIABLES = Rule(
    "any.full.task-variables",
    "A task gets the plain variables that its workflow sets for it, but for those that choose a compiler.",
)
NATIVE_WORKFLOW = Rule(
    "any.full.native-workflow",
    "Where no ecosystem has tests, a job that runs `./configure`, `cmake` or `meson` before its tests is the setup and "
    "the tests; the compiler is the image's own.",
)
CMAKE = Rule(
    "any.full.cmake", "Where nothing else has tests, a CMakeLists.txt that turns testing on is built, and ctest run."
)
MESON = Rule("any.full.meson", "Where nothing else has tests, a meson.build with tests is built, and they are run.")
AUTOTOOLS = Rule(
    "any.full.autotools",
    "Where nothing else has tests, a project of `configure` whose Makefile template has some is configured, built and "
    "tested; `autoreconf` makes a `configure` that is not in the tree.",
)
MAKE_TEST = Rule(
    "any.full.make-test", "Where nothing else has tests, the target `test`, else `check`, of the Makefile is the tests."
)
JUST_TEST = Rule(
    "any.full.just-test",
    "Where nothing else has tests, the plain commands of the justfile's recipe `test` are the tests; just itself is "
    "not installed.",
)
SCRIPT_TEST = Rule(
    "any.full.script-test", "Where nothing else has tests, a script such as `script/test` or `scripts/test.sh` is."
)
TASK_LINT = Rule(
    "any.fast.task-lint",
    "Beside tests by a task runner, its `lint` is the fast check: what a workflow runs, else make's.",
)
TASK_TOOLS = Rule(
    "any.full.task-tools", "A task that calls docker, or a language that is not there, is not run: it can only fail."
)
TASK_REWRITES = Rule("any.full.task-rewrites", "A task that rewrites files is no check.")
WORKFLOW_PACKAGES = Rule(
    "any.image.workflow-packages",
    "Of the packages that a job installs before it configures, headers (`*-dev`) and common build tools are installed.",
)
TASK_PACKAGES = Rule("any.image.task-packages", "What tasks call (make, bats, shellcheck, a C compiler) is installed.")
