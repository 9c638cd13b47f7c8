"""The plugins that pytest's own options and settings need: without them pytest refuses the options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from orchestrator.planning.documents import read_ini, read_toml, strings, table
from orchestrator.planning.python import files
from orchestrator.planning.python.project import PythonProject

OPTIONS = (
    *(("--cov", "pytest-cov"), ("--no-cov", "pytest-cov"), ("-n", "pytest-xdist"), ("--numprocesses", "pytest-xdist")),
    *(("--dist", "pytest-xdist"), ("--timeout", "pytest-timeout"), ("--asyncio-", "pytest-asyncio")),
    *(("--benchmark", "pytest-benchmark"), ("--reruns", "pytest-rerunfailures"), ("--randomly", "pytest-randomly")),
    *(("--ds", "pytest-django"), ("--reuse-db", "pytest-django"), ("--nomigrations", "pytest-django")),
    *(("--no-migrations", "pytest-django"), ("--create-db", "pytest-django"), ("--html", "pytest-html")),
    *(("--mypy", "pytest-mypy"), ("--flake8", "pytest-flake8"), ("--ruff", "pytest-ruff"), ("--isort", "pytest-isort")),
    *(("--random-order", "pytest-random-order"), ("--disable-socket", "pytest-socket"), ("--xdoctest", "xdoctest")),
    *(("--allow-hosts", "pytest-socket"), ("--snapshot", "syrupy"), ("--memray", "pytest-memray")),
    *(("--doctest-plus", "pytest-doctestplus"), ("--doctest-rst", "pytest-doctestplus"), ("--mpl", "pytest-mpl")),
    *(("--pylint", "pytest-pylint"), ("--black", "pytest-black"), ("--instafail", "pytest-instafail")),
    *(("--nbval", "nbval"), ("--remote-data", "pytest-remotedata"), ("--spec", "pytest-spec")),
    *(("--picked", "pytest-picked"), ("--testmon", "pytest-testmon"), ("--sugar", "pytest-sugar")),
    *(("--arraydiff", "pytest-arraydiff"), ("--regtest", "pytest-regtest"), ("--strict-asyncio", "pytest-asyncio")),
)
"""By how an option begins."""

SETTINGS = {
    "asyncio_mode": "pytest-asyncio",
    "asyncio_default_fixture_loop_scope": "pytest-asyncio",
    "django_settings_module": "pytest-django",
    "timeout": "pytest-timeout",
    "env": "pytest-env",
    "env_files": "pytest-dotenv",
    "anyio_mode": "anyio",
    "mock_use_standalone_module": "pytest-mock",
    "doctest_plus": "pytest-doctestplus",
    "qt_api": "pytest-qt",
}
"""By the name of a setting, in lower case."""

IMPORTED = {
    "hypothesis": "hypothesis",
    "parameterized": "parameterized",
    "freezegun": "freezegun",
    "time_machine": "time-machine",
    "responses": "responses",
    "requests_mock": "requests-mock",
    "respx": "respx",
    "httpretty": "httpretty",
    "vcr": "vcrpy",
    "faker": "faker",
    "factory": "factory-boy",
    "mock": "mock",
    "testfixtures": "testfixtures",
    "dirty_equals": "dirty-equals",
    "inline_snapshot": "inline-snapshot",
    "syrupy": "syrupy",
    "moto": "moto",
    "ddt": "ddt",
    "pytest_asyncio": "pytest-asyncio",
    "pytest_mock": "pytest-mock",
    "pytest_httpx": "pytest-httpx",
    "pytest_httpserver": "pytest-httpserver",
    "pytest_lazyfixture": "pytest-lazyfixture",
    "pytest_subtests": "pytest-subtests",
}
"""Libraries that only tests use, by the module that they import."""

IMPORT = re.compile(r"^(?:import|from)[ \t]+([a-z_]{1,40})\b", re.MULTILINE)
MAX_IMPORTS = 200
MAX_WORDS = 200


def needed_plugins(project: PythonProject, arguments: Iterable[str]) -> list[str]:
    """Return the distributions that pytest's settings and these arguments need, in order of name."""
    settings = _settings(project)
    words = [*_words(settings.get("addopts")), *arguments]
    found = {plugin for word in words for option, plugin in OPTIONS if _begins(word, option)}
    found |= {plugin for name, plugin in SETTINGS.items() if name in settings}
    return sorted(found)


def imported_libraries(project: PythonProject) -> list[str]:
    """Return the well-known test libraries that the sampled tests import, in order of name."""
    found = set()
    for path in project.tests[: files.MAX_TEST_SAMPLE]:
        modules = IMPORT.findall(project.tree.text(path) or "")[:MAX_IMPORTS]
        found |= {IMPORTED[name] for name in modules if name in IMPORTED and f"{name}.py" not in project.tree.paths}
    return sorted(found - {project.name})


def _begins(word: str, option: str) -> bool:
    return (
        word == option or word.startswith(option)
        if option.startswith("--")
        else word[:2] == option and word[2:3] != "o"
    )


def _settings(project: PythonProject) -> dict[str, object]:
    """Return pytest's settings, of the first file that has some, their names in lower case."""
    tree = project.tree
    for file in ("pytest.ini", ".pytest.ini"):
        parser = read_ini(tree, file)
        if parser.has_section("pytest"):
            return dict(parser["pytest"])
    own = table(read_toml(tree, "pytest.toml"), "pytest") or table(project.pyproject, "tool", "pytest")
    toml = table(own, "ini_options") or own
    if toml:
        return {name.lower(): value for name, value in toml.items()}
    for file, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        parser = read_ini(tree, file)
        if parser.has_section(section):
            return dict(parser[section])
    return {}


def _words(value: object) -> list[str]:
    if not isinstance(value, str):
        return list(strings(value))[:MAX_WORDS]
    try:
        return shlex.split(value[:4000], comments=True)[:MAX_WORDS]
    except ValueError:
        return value[:4000].split()[:MAX_WORDS]
