"""The commands that a repository's own people run, without what carries them (`uv run`, `python -m`, `coverage run`).

Only commands whose words fit a narrow grammar count; whoever puts a word into a command quotes it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.planning.command_words import ASSIGNMENT
from orchestrator.planning.workflows import Seen, Workflows

WORD = re.compile(r"[A-Za-z0-9_.,:;/=@%+~<>!()\[\]*^{}' -]{1,200}")
PYTHON = re.compile(r"(?:python|py)(?:3(?:\.[0-9]{1,2})?)?")
VALUE = re.compile(r"[A-Za-z0-9_./:=,@+-]{1,200}")
VARIABLES = frozenset(
    {"PYTHONPATH", "DJANGO_SETTINGS_MODULE", "PYTHONWARNINGS", "PYTHONDEVMODE", "PYTHONHASHSEED", "PYTHONUTF8", "TZ"}
    | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTHONASYNCIODEBUG", "QT_QPA_PLATFORM", "MPLBACKEND", "LC_ALL", "LANG"}
    | {
        "MYPYPATH",
        "DJANGO_CONFIGURATION",
        "TESTING",
        "ENVIRONMENT",
        "APP_ENV",
        "FLASK_ENV",
        "SECRET_KEY",
        "DJANGO_SECRET_KEY",
        "DEBUG",
    }
)
"""Variables of a workflow that change what tests do. Those of services (databases) are not among them."""

MAX_CHARACTERS = 1000
MAX_WORDS = 80

UV_RUN_VALUED = frozenset(
    {"--group", "--only-group", "--no-group", "--extra", "--no-extra", "--with", "--with-editable", "-p", "--python"}
    | {"--with-requirements", "--package", "--directory", "--project", "--resolution", "--env-file", "--from"}
    | {"--index", "--index-url", "--spec", "--index-strategy", "--prerelease", "-w"}
)
PYTHON_VALUED = frozenset({"-W", "-X"})
COVERAGE_VALUED = frozenset(
    {"--source", "--rcfile", "--omit", "--include", "--context", "--concurrency", "--data-file", "--source-pkgs"}
)
ENVIRONMENT_TOOLS = frozenset({"poetry", "pdm", "pipenv", "rye", "hatch"})


@dataclass(frozen=True, slots=True)
class Call:
    """A program and its arguments as somebody calls it; `seen` says where.

    `wanted` holds what the carrier asks for besides: `("group", "test")`, `("extra", "x")`, `("with", "pytest-cov")`.
    `carriers` are the names of what carried it, outermost first (`uv`, `poetry`, `python`, `coverage`, `uvx`).
    `variables` are those that are set for it and that tests may depend on. `whole` is false where its last words
    are not known: it tells which tool runs, and is not to be run.
    """

    words: tuple[str, ...]
    seen: Seen
    wanted: tuple[tuple[str, str], ...] = ()
    carriers: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    whole: bool = True

    @property
    def program(self) -> str:
        """Return the program's name; that of the module after `python -m`."""
        return self.words[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the words after the program."""
        return self.words[1:]

    @property
    def place(self) -> str:
        """Return where it stands, for a sentence."""
        return f"{self.seen.file}:{self.seen.line}" if self.seen.line else self.seen.file


@dataclass(slots=True)
class _Unwrapping:
    words: list[str]
    wanted: list[tuple[str, str]] = field(default_factory=list)
    carriers: list[str] = field(default_factory=list)


def read_call(seen: Seen) -> Call | None:
    """Return the call in a command line, or None where it is none that can be told."""
    if len(seen.text) > MAX_CHARACTERS:
        return None
    try:
        words = shlex.split(seen.text)
    except ValueError:
        return None
    variables = dict(seen.env)
    while words and ASSIGNMENT.fullmatch(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    if not words or len(words) > MAX_WORDS or not all(map(WORD.fullmatch, words)):
        return None
    state = _Unwrapping(words)
    while state.words and _unwrap(state):
        pass
    if not state.words:
        return None
    kept = tuple(item for item in variables.items() if item[0] in VARIABLES and VALUE.fullmatch(item[1]))
    return Call(tuple(state.words), seen, tuple(state.wanted), tuple(state.carriers), kept)


def read_calls(seen: Iterable[Seen]) -> tuple[Call, ...]:
    """Return the calls in command lines at the top of the repository."""
    calls = (read_call(one) for one in seen if not one.folder)
    return tuple(call for call in calls if call is not None)


def calls_by_job(workflows: Workflows) -> tuple[tuple[str, tuple[Call, ...]], ...]:
    """Return the calls of each job of the workflows, with a name to judge the job by."""
    if not workflows.jobs:
        return (("", read_calls(workflows.commands)),)
    return tuple((f"{job.file} {job.name}".lower(), read_calls(job.commands)) for job in workflows.jobs)


def _unwrap(state: _Unwrapping) -> bool:
    """Take the outermost carrier away; return whether there was one."""
    words = state.words
    first, second = words[0], words[1] if len(words) > 1 else ""
    if (first, second) == ("uv", "run"):
        _options(state, 2, UV_RUN_VALUED, "uv")
    elif first == "uvx" or (first, second) in (("pipx", "run"), ("uv", "tool")):
        if first == "uv" and words[2:3] != ["run"]:
            return False
        _options(state, {"uvx": 1, "pipx": 2, "uv": 3}[first], UV_RUN_VALUED, "uvx")
        _release_of_tool(state)
    elif first in ENVIRONMENT_TOOLS - {"hatch"} and second == "run":
        _options(state, 2, frozenset(), first)
    elif PYTHON.fullmatch(first):
        return _unwrap_python(state)
    elif first == "coverage" and second == "run":
        _options(state, 2, COVERAGE_VALUED, "coverage")
        if state.words and state.words[0].endswith(".py"):
            state.words.insert(0, "python")
            return False
    elif first.startswith("./") and first.endswith(".py"):
        state.words[:1] = ["python", first.removeprefix("./")]
        return False
    elif first in ("time", "command", "exec"):
        del words[0]
    else:
        return False
    return True


def _options(state: _Unwrapping, start: int, valued: frozenset[str], carrier: str) -> None:
    """Drop a carrier of `start` words and its options; note the groups, extras and packages that they ask for."""
    state.carriers.append(carrier)
    words = state.words[start:]
    while words and words[0].startswith("-"):
        option, equals, value = words.pop(0).partition("=")
        if option in ("--", "-m", "--module"):
            break
        if option in valued and not equals:
            value = words.pop(0) if words else ""
        if option in ("--group", "--only-group", "--extra", "--with", "--from"):
            state.wanted.append((option.removeprefix("--").removeprefix("only-"), value))
        elif option in ("--all-extras", "--all-groups", "--all-packages"):
            state.wanted.append(("flag", option))
    state.words = words


def _release_of_tool(state: _Unwrapping) -> None:
    """Turn `ruff@0.9.1` into `ruff`, and note the release."""
    if state.words and "@" in state.words[0]:
        name, _, release = state.words[0].partition("@")
        state.words[0] = name
        if release and release != "latest":
            state.wanted.append(("with", f"{name}=={release}"))


def _unwrap_python(state: _Unwrapping) -> bool:
    """Turn `python -W error -m pytest` into `pytest`; what is a script stays, as `python script.py`."""
    words = state.words[1:]
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "-m" and words:
            state.words = words
            state.carriers.append("python")
            return True
        if option == "-c":
            break
        if option in PYTHON_VALUED and words:
            words.pop(0)
    state.words = ["python", *words]
    return False
