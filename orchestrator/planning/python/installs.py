"""What the workflows install before they test and check: pip's words, and the extras and groups of other managers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.planning import grammar
from orchestrator.planning.python.calls import Call
from orchestrator.planning.python.practice import Practice
from orchestrator.planning.python.project import PythonProject, has_path, requirement_names, requirements_of
from orchestrator.planning.python.sets import CHECK_TOOLS, NOT_CHECK_SETS

REQUIREMENT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:\[[A-Za-z0-9 ,._-]{1,100}\])?(?:\s*[<>=!~]=?=?[A-Za-z0-9.*, <>=!~]{1,80})?"
)
LOCAL = re.compile(r"(?P<path>\.{1,2}|[A-Za-z0-9_./-]{1,200})(?:\[(?P<extras>[A-Za-z0-9 ,._-]{1,200})\])?")
WHEEL = re.compile(r"(?:\./)?dist/\S*")

DROPPED = frozenset({"-U", "--upgrade", "-q", "--quiet", "-v", "--verbose", "--no-cache-dir", "--user", "--system"}) | {
    "--prefer-binary",
    "--disable-pip-version-check",
    "--break-system-packages",
    "--no-input",
    "-qq",
    "--pre",
    "--force-reinstall",
    "-I",
    "--ignore-installed",
    "--no-warn-script-location",
    "--compile",
    "--no-compile",
}
DROPPED_WITH_VALUE = frozenset(
    {"--upgrade-strategy", "--progress-bar", "--timeout", "--retries", "-i", "--index-url"}
) | {
    "--extra-index-url",
    "--cache-dir",
    "--python",
    "-p",
    "--only-binary",
    "--no-binary",
    "--root-user-action",
    "-f",
    "--resolution",
    "--index-strategy",
    "--find-links",
    "--trusted-host",
}
KEPT = frozenset({"--no-build-isolation", "--no-deps", "--use-pep517"})
ASIDE = frozenset(
    {"pip", "setuptools", "wheel", "build", "virtualenv", "uv", "poetry", "pdm", "pipenv", "hatch", "twine"}
) | {
    "codecov",
    "coveralls",
    "python-coveralls",
    "tox",
    "nox",
    "tox-gh-actions",
    "tox-gh",
    "tox-uv",
    "pre-commit",
    "codecov-cli",
    "pipx",
    "cibuildwheel",
    "tox-pdm",
}
"""What prepares, publishes or reports: no need of the tests. Task runners are in the image."""


@dataclass(slots=True)
class PipInstall:
    """One `pip install` of a workflow in words that may stand in a command, and what it brings.

    `itself` says that it installs the project; `missing` that something of it could not be taken over.
    """

    call: Call
    words: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    requirements: dict[str, str] = field(default_factory=dict)
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    itself: bool = False
    lists: bool = False
    missing: bool = False


def pip_installs(project: PythonProject, calls: Iterable[Call]) -> list[PipInstall]:
    """Return what calls of pip (and of uv's pip) install, without those that only prepare."""
    found = []
    for call in calls:
        words = list(call.words) if call.whole else [""]
        if words[:1] == ["uv"] and words[1:2] == ["pip"]:
            words = words[1:]
        if words[0] in ("pip", "pip3") and words[1:2] == ["install"]:
            install = _read(project, call, words[2:])
            if install.words:
                found.append(install)
    return found


def tool_requirements(project: PythonProject, practice: Practice) -> dict[str, str]:
    """Return the requirements (`mypy==1.8`) by name that any job of the workflows installs or runs isolated."""
    found: dict[str, str] = {}
    for install in pip_installs(project, practice.calls):
        found |= {name: line for name, line in install.requirements.items() if name not in found}
        sets = [project.groups.get(one, frozenset()) for one in install.groups]
        sets += [project.extras.get(one, frozenset()) for one in install.extras]
        for name in sorted(frozenset().union(*sets) & CHECK_TOOLS):
            found.setdefault(name, name)
    for call in practice.calls:
        asked = [value for kind, value in call.wanted if kind in ("with", "from")]
        if call.carriers[:1] == ("uvx",) or (call.program == "pipx" and call.arguments[:1] == ("install",)):
            asked.append(call.arguments[1] if call.program == "pipx" and len(call.arguments) > 1 else call.program)
        if call.words[:3] == ("uv", "tool", "install"):
            asked += call.words[3:4]
        for line in asked:
            if grammar.fits(REQUIREMENT, line):
                found.setdefault(next(iter(requirement_names((line,))), line), line)
    return found


def named_sets(practice: Practice, manager: str) -> tuple[dict[str, Call], dict[str, Call], dict[str, Call]]:
    """Return the extras, the groups and the flags (`--all-extras`) that the manager's calls name, with the calls."""
    extras: dict[str, Call] = {}
    groups: dict[str, Call] = {}
    flags: dict[str, Call] = {}
    for call in practice.calls:
        if call.program == manager and call.arguments[:1] in (("sync",), ("install",)):
            _read_sets(call, call in practice.job, extras, groups, flags)
        if call.carriers[:1] == (manager,):
            for kind, value in call.wanted:
                target = {"extra": extras, "group": groups}.get(kind)
                if target is not None and value.lower() not in NOT_CHECK_SETS:
                    target.setdefault(value, call)
    return extras, groups, flags


def _read_sets(
    call: Call, tests: bool, extras: dict[str, Call], groups: dict[str, Call], flags: dict[str, Call]
) -> None:
    words = iter(call.arguments[1:])
    for word in words:
        option, equals, value = word.partition("=")
        if option in ("--all-extras", "--all-groups", "--no-root") and tests:
            flags.setdefault(option, call)
        if option not in ("--extra", "-E", "--extras", "--group", "--only-group", "--with", "--only", "-G"):
            continue
        value = value if equals else next(words, "")
        target = extras if option in ("--extra", "-E", "--extras") else groups
        for name in value.replace(",", " ").split():
            if tests or name.lower() not in NOT_CHECK_SETS:
                target.setdefault(name, call)


def _read(project: PythonProject, call: Call, words: list[str]) -> PipInstall:
    install = PipInstall(call)
    waiting = iter(words)
    for word in waiting:
        option, equals, value = word.partition("=")
        if word.startswith("-r") and len(word) > 2 and not word.startswith("--"):
            option, equals, value = "-r", "=", word[2:]
        if option in DROPPED_WITH_VALUE:
            value = value if equals else next(waiting, "")
        elif option in KEPT:
            install.words.append(option)
        elif option in ("-r", "--requirement", "-c", "--constraint", "-e", "--editable", "--group"):
            _take(project, install, option, value if equals else next(waiting, ""))
        elif word.startswith("-"):
            install.missing |= option not in DROPPED
        else:
            _take_plain(project, install, word)
    if all(word in KEPT for word in install.words):
        install.words.clear()
    return install


def _take(project: PythonProject, install: PipInstall, option: str, value: str) -> None:
    if option in ("-r", "--requirement", "-c", "--constraint"):
        path = value.removeprefix("./")
        if path not in project.tree.paths or not grammar.is_tree_path(path):
            install.missing = True
            return
        short = "-r" if option in ("-r", "--requirement") else "-c"
        install.words += [short, path]
        if short == "-r":
            install.lists = True
            install.names |= requirements_of(project, path)
    elif option == "--group":
        if value in project.groups:
            install.words += ["--group", value]
            install.names |= project.groups[value]
            install.groups.append(value)
            install.lists = True
    else:
        _take_local(project, install, value, editable=True)


def _take_plain(project: PythonProject, install: PipInstall, word: str) -> None:
    if WHEEL.fullmatch(word):
        _take_local(project, install, ".", editable=False)
    elif word.startswith(".") or ("/" in word and "://" not in word):
        _take_local(project, install, word, editable=False)
    elif grammar.fits(REQUIREMENT, word):
        name = next(iter(requirement_names((word,))), "")
        if name == project.name:  # by name it would be the published release
            _take_local(project, install, "." + word.partition("[")[1] + word.partition("[")[2], editable=False)
        elif name not in ASIDE:
            install.words.append(grammar.quoted(word))
            install.names.add(name)
            install.requirements[name] = word
    else:
        install.missing = True


def _take_local(project: PythonProject, install: PipInstall, word: str, *, editable: bool) -> None:
    match = LOCAL.fullmatch(word)
    path = match.group("path").removeprefix("./").rstrip("/") if match else ""
    if match is None or ".." in path or not (path in (".", "") or has_path(project, path)):
        install.missing = True
        return
    extras = [name.strip() for name in (match.group("extras") or "").split(",") if name.strip()]
    if path in (".", ""):
        install.itself = True
        install.extras += extras
        install.names |= project.dependencies.union(*(project.extras.get(name, frozenset()) for name in extras))
        path = "."
    else:
        install.lists = True
        path = f"./{path}"
    words = path + (f"[{','.join(extras)}]" if extras else "")
    install.words += [*(["-e"] if editable else []), grammar.quoted(words)]
