"""The rules by which Python repositories are planned, in the order of a specification."""

from __future__ import annotations

from orchestrator.planning.rule import Rule

MANIFEST = Rule(
    "python.project.manifest",
    "A manifest or lock (pyproject.toml, setup.py, setup.cfg, requirement files, Pipfile, uv.lock...) beside Python "
    "sources makes a Python project.",
)
SOURCES_ALONE = Rule(
    "python.project.sources-alone",
    "Python files without a manifest make a project, except in folders of loose scripts, and beside a package.json "
    "where only tests do.",
)
SUB_PROJECTS = Rule(
    "python.project.sub-projects",
    "Sub-projects are named in the evidence; the root's own files decide.",
)

CONDA = Rule(
    "python.project.conda-alone",
    "Where `environment.yml` alone names the dependencies, nothing that needs them runs: conda is not supported, and a "
    "warning says so.",
)

VERSION_FILE = Rule(
    "python.version.python-version-file",
    "`.python-version` names the Python exactly; the first of several lines is the image's.",
)
ENVIRONMENT_NAME = Rule(
    "python.version.environment-name",
    "The name of a virtual environment in `.python-version` is no version and is ignored.",
)
TOOL_FILES = Rule(
    "python.version.tool-files",
    "`.tool-versions` and `mise.toml` name the Python exactly.",
)
RUNTIME_TXT = Rule("python.version.runtime-txt", "`runtime.txt` names the Python exactly.")
WORKFLOW_FILE = Rule(
    "python.version.workflow-file",
    "A file of another name that the workflows read the version from (`python-version-file`) names the Python exactly.",
)
REQUIRES_PYTHON = Rule(
    "python.version.requires-python",
    "`requires-python` takes the default where it allows it, else the newest supported version that it allows.",
)
POETRY_PYTHON = Rule(
    "python.version.poetry-python",
    "Poetry's `python` dependency is a range with npm's carets and tildes.",
)
PIPFILE_PYTHON = Rule("python.version.pipfile", "`python_version` of a Pipfile names the version.")
SETUP_CFG_PYTHON = Rule("python.version.setup-cfg", "`python_requires` in setup.cfg is a range.")
SETUP_PY_PYTHON = Rule("python.version.setup-py", "`python_requires` in setup.py is a range.")
DEVCONTAINER = Rule(
    "python.version.devcontainer",
    "The Python image or feature of `.devcontainer/devcontainer.json` names the developers' version.",
)
LOCK_PYTHON = Rule("python.version.lock", "`requires-python` in uv.lock is a range.")
NAMED_VERSIONS = Rule(
    "python.version.named",
    "A range takes a version that the classifiers list or that the workflows test with.",
)
CLASSIFIERS = Rule(
    "python.version.classifiers",
    "Without a range the classifiers say the version: the default if they list it, else the newest.",
)
TOX_ENVLIST = Rule(
    "python.version.tox-envlist",
    "The Python versions of tox's environments say what the tests run on.",
)
HATCH_MATRIX = Rule(
    "python.version.hatch-matrix",
    "The Python versions in the matrix of a hatch environment say what the tests run on.",
)
ENVIRONMENT_YML = Rule(
    "python.version.environment-yml",
    "`python` among the dependencies of `environment.yml` is weak evidence of the version.",
)
WORKFLOW_PYTHON = Rule(
    "python.version.workflow",
    "The versions that the workflows set up decide where no manifest does.",
)

PROFILE_SETUP = Rule(
    "python.manager.profile-setup",
    "The manager that the profile's own setup command calls is the manager.",
)
WORKFLOW_MANAGER = Rule(
    "python.manager.workflow",
    "Of several locks or manifests, the one whose tool the workflows run wins.",
)
UV_LOCK = Rule("python.manager.uv-lock", "`uv.lock`: uv.")
POETRY_LOCK = Rule("python.manager.poetry-lock", "`poetry.lock`: Poetry.")
PDM_LOCK = Rule("python.manager.pdm-lock", "`pdm.lock`: PDM.")
PIPFILE_LOCK = Rule("python.manager.pipfile-lock", "`Pipfile.lock`: Pipenv.")
TOOL_POETRY = Rule(
    "python.manager.tool-poetry",
    "`[tool.poetry]` with dependencies or groups of its own, and no lock: Poetry.",
)
TOOL_PDM = Rule(
    "python.manager.tool-pdm",
    "`[tool.pdm]` with scripts or development dependencies, and no lock: PDM.",
)
TOOL_UV = Rule("python.manager.tool-uv", "`[tool.uv]`, and no other tool's lock: uv.")
GROUPS_ALONE = Rule(
    "python.manager.dependency-groups",
    "`[dependency-groups]`, and neither a lock nor a workflow that installs with pip: uv.",
)
PIPFILE = Rule("python.manager.pipfile", "A Pipfile without a lock: Pipenv.")

UV_SYNC = Rule("python.setup.uv-frozen", "`uv sync --frozen` where there is a lock.")
UV_WORKSPACE = Rule("python.setup.uv-workspace", "A uv workspace installs all its members.")
CHECK_SETS = Rule(
    "python.setup.check-sets",
    "Extras and groups that are named for tests and checks are installed, and those whose members are check tools.",
)
WORKFLOW_SETS = Rule(
    "python.setup.workflow-sets",
    "The extras and groups that the workflows' checks install are the ones, where they name some.",
)
WORKFLOW_PIP = Rule(
    "python.setup.workflow-pip",
    "What the tests' own job installs with pip is what setup installs.",
)
REQUIREMENT_FILES = Rule(
    "python.setup.requirement-files",
    "Requirement files for running, testing and checking are installed; one that another includes is named once.",
)
ITSELF = Rule("python.setup.editable", "A project that can be installed is installed in place.")
SELF_INSTALLING = Rule(
    "python.setup.self-installing-requirements",
    "A requirement file that installs the project itself is enough.",
)
LOOSE = Rule(
    "python.setup.loose-dependencies",
    "Where setuptools cannot tell the package, the dependencies are installed one by one.",
)
PIP_GROUPS = Rule("python.setup.pip-groups", "pip installs dependency groups by `--group`, from release 25.1.")
SUB_INSTALLS = Rule(
    "python.setup.sub-projects",
    "A root with nothing to install gets the sub-projects below it installed in place.",
)
BUILD_ISOLATION = Rule(
    "python.setup.no-build-isolation",
    "meson-python builds in place only beside its own build requirements, so these are installed first.",
)
GIT_VERSION = Rule(
    "python.setup.git-version",
    "A version that comes from git tags needs nothing: a job's checkout has the history and all tags.",
)
ADD_PYTEST = Rule("python.setup.add-pytest", "pytest is installed where the tests need it and no manifest names it.")
ADD_PLUGINS = Rule(
    "python.setup.add-plugins",
    "Plugins that pytest's own options need are installed where no manifest names them.",
)
ADD_TEST_LIBRARIES = Rule(
    "python.setup.add-test-libraries",
    "Well-known test libraries that the tests import are installed where no manifest names them.",
)
HATCH_ENVIRONMENTS = Rule(
    "python.setup.hatch-environments",
    "The hatch environments that the workflow's tests make first are made by setup.",
)
HATCH_TESTS = Rule("python.setup.hatch-tests", "The environment of hatch's test script is made by setup.")
INSTALL_PROGRAM = Rule(
    "python.setup.install-program",
    "Where a test program of the repository's own runs the tests, the install program that its job runs first is the "
    "setup.",
)
ADD_NODE = Rule("python.setup.add-node", "pyright gets its Node from a wheel, so that it does not download one.")
BROKEN_REQUIREMENTS = Rule(
    "python.setup.broken-requirements",
    "A requirement file that includes a file which the commit lacks is not installed; a warning names the line.",
)
ADD_LINTER = Rule(
    "python.setup.add-linter",
    "A check tool that setup lacks is installed at the release that a hook, a setting or the workflow names.",
)

IN_WORKFLOW = Rule("python.fast.workflow-call", "A check tool is called as the workflows call it.")
WORKFLOW_CHECKS = Rule(
    "python.fast.workflow-checks",
    "Where the workflows run linters, one that is merely configured, which neither they nor a hook run, does not run.",
)
BY_HOOK = Rule("python.fast.pre-commit-hook", "A pre-commit hook's own tool runs directly, at the hook's release.")
RUFF = Rule("python.fast.ruff", "ruff runs where it is configured or installed; it can be had pinned.")
RUFF_FORMAT = Rule("python.fast.ruff-format", "ruff's format is checked where it is configured or enforced.")
BLACK = Rule("python.fast.black", "black checks the format where it is configured or installed.")
ISORT = Rule("python.fast.isort", "isort checks the order of imports where it is configured and installed.")
FLAKE8 = Rule("python.fast.flake8", "flake8 runs where it is configured or installed.")
FLAKE8_ENVIRONMENT = Rule(
    "python.fast.flake8-environment",
    "flake8 over the whole tree is told to stay out of the environment that uv, Poetry, PDM or Pipenv make in it.",
)
PYLINT = Rule("python.fast.pylint", "pylint runs where the workflows run it and setup installs it.")
PYDOCSTYLE = Rule("python.fast.pydocstyle", "pydocstyle runs where the workflows run it and setup installs it.")
MYPY = Rule("python.fast.mypy", "mypy runs where it is configured and installed, on what its settings or layout say.")
PYRIGHT = Rule("python.fast.pyright", "pyright runs where it is configured and installed.")
BASEDPYRIGHT = Rule("python.fast.basedpyright", "basedpyright runs where it is configured and installed.")
TY = Rule("python.fast.ty", "ty runs where it is configured and installed.")
PYREFLY = Rule("python.fast.pyrefly", "pyrefly runs where it is configured and installed.")
IN_LOCK = Rule("python.fast.in-the-lock", "What uv.lock says comes along with what is installed is installed as well.")
HOOKS_BESIDE = Rule(
    "python.fast.hooks-beside-a-runner",
    "Beside a task runner's own checks run those pre-commit hooks whose tools are not among them.",
)
SCRIPTS = Rule(
    "python.fast.scripts",
    "Scripts of PDM, poe and taskipy are read: what they call is called directly.",
)
SHELL_SCRIPTS = Rule(
    "python.fast.shell-scripts",
    "The shell scripts that the workflows run are read: what they call is called directly.",
)
LINT_TARGETS = Rule(
    "python.fast.lint-targets",
    "Where no workflow runs a linter, the lint targets of the Makefile and of tox say which ones run, and on what.",
)
TOX_FAST = Rule("python.fast.tox", "tox environments that only check run as fast checks where tox runs the tests.")
NOX_FAST = Rule("python.fast.nox", "nox sessions that only check run as fast checks where nox runs the tests.")
HATCH_FAST = Rule(
    "python.fast.hatch",
    "hatch scripts that only check, and the workflow's `hatch fmt --check`, run as fast checks where hatch runs the "
    "tests.",
)

WORKFLOW_TESTS = Rule("python.full.workflow-call", "The tests run with the arguments of the workflow's own call.")
TEST_SCRIPT = Rule(
    "python.full.test-program",
    "A test program of the project's own (`runtests.py`), trial or stestr runs where the workflows run it.",
)
PYTEST_CONFIGURED = Rule("python.full.pytest-configured", "pytest runs where it is configured and there are tests.")
PYTEST_DEPENDENCY = Rule("python.full.pytest-dependency", "pytest runs where the project depends on it and has tests.")
PYTEST_STYLE = Rule("python.full.pytest-style", "pytest runs where the tests are written for it.")
ON_PATH = Rule(
    "python.full.python-m",
    "`python -m pytest` where the project is not installed: it puts the top folder on the import path.",
)
DJANGO = Rule("python.full.django", "A Django project's tests run by `manage.py test`.")
UNITTEST = Rule("python.full.unittest", "unittest runs where the tests are written for it.")
TOX = Rule(
    "python.full.tox",
    "tox runs the environment of the one Python where the workflows run tox, or nothing else installs what tests need.",
)
NOX = Rule(
    "python.full.nox",
    "nox runs its test session where the workflows run nox, or nothing else installs what the tests need.",
)
HATCH = Rule(
    "python.full.hatch",
    "hatch runs its test script where the workflows run hatch, or nothing else installs what the tests need.",
)

NEEDS = Rule("python.image.dependencies", "Dependencies without wheels bring the Debian packages that they build with.")
EXTENSIONS = Rule("python.image.extensions", "A project with C extensions of its own brings a compiler.")
RUST = Rule("python.image.rust", "A project that is built with maturin or setuptools-rust brings Rust and a linker.")
