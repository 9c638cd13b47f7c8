"""Which dependency manager a Python project uses: by its lock, by what the workflows run, by its tables."""

from __future__ import annotations

from dataclasses import dataclass

from draftsman.domain.plan import ProfileOverrides
from orchestrator.planning.documents import table, toml_line
from orchestrator.planning.python import rules
from orchestrator.planning.python.practice import Practice
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail

MANAGERS = ("uv", "pip", "poetry", "pdm", "pipenv")

LOCKS = (
    ("uv.lock", "uv", rules.UV_LOCK),
    ("poetry.lock", "poetry", rules.POETRY_LOCK),
    ("pdm.lock", "pdm", rules.PDM_LOCK),
    ("Pipfile.lock", "pipenv", rules.PIPFILE_LOCK),
)
"""Lock, manager and rule, in the order that counts where no workflow tells which one is alive."""

INSTALLING = {
    "uv": frozenset({"sync"}),
    "poetry": frozenset({"install", "sync"}),
    "pdm": frozenset({"install", "sync"}),
    "pipenv": frozenset({"install", "sync"}),
}
"""The words with which each manager installs a project."""


@dataclass(frozen=True, slots=True)
class _Reason:
    manager: str
    rule: Rule | None
    sentence: str
    file: str | None
    line: int | None = None


def decide_manager(
    project: PythonProject, practice: Practice, overrides: ProfileOverrides, asked: str | None, trail: Trail
) -> str:
    """Return the manager, one of `MANAGERS`. `asked` is the profile's own, which wins."""
    if asked is not None:
        return asked  # the plan notes that the profile set it
    words = (overrides.setup or "").split()
    named = next((name for name in MANAGERS if name in words[:1]), "pip" if "pip" in words[:3] else None)
    if named is not None and trail.applies(rules.PROFILE_SETUP):
        trail.note("dependency_manager", named, "the profile's setup command uses it", by=rules.PROFILE_SETUP)
        return named
    reasons = [one for one in _reasons(project, practice) if one.rule and trail.applies(one.rule)]
    first = project.manifests[0] if project.manifests else None
    sentence = "no lock, and no other manager's tables: pip" if first else "no manifest: pip"
    chosen = _by_workflow(reasons, practice, trail) or next(iter(reasons), _Reason("pip", None, sentence, first))
    trail.note(
        "dependency_manager", chosen.manager, chosen.sentence, file=chosen.file, line=chosen.line, by=chosen.rule
    )
    _note_losers(chosen, reasons, trail)
    return chosen.manager


def _by_workflow(reasons: list[_Reason], practice: Practice, trail: Trail) -> _Reason | None:
    """Return the reason for the manager that a workflow installs with, where there are reasons for several."""
    if len({reason.manager for reason in reasons}) < 2 or not trail.applies(rules.WORKFLOW_MANAGER):
        return None
    for call in practice.calls:
        used = call.program if _installs(call.words) else next(iter(call.carriers), None)
        for reason in reasons:
            if reason.manager == used:
                sentence = f"{reason.sentence}; and the workflows use it ({call.place})"
                return _Reason(reason.manager, rules.WORKFLOW_MANAGER, sentence, reason.file, reason.line)
    return None


def _installs(words: tuple[str, ...]) -> bool:
    return words[1:2] != () and words[1] in INSTALLING.get(words[0], ())


def _note_losers(chosen: _Reason, reasons: list[_Reason], trail: Trail) -> None:
    locks = {lock for lock, _, _ in LOCKS}
    for reason in reasons:
        if reason.manager != chosen.manager:
            sentence = f"{reason.sentence}; lost to {chosen.manager}"
            trail.note(
                "dependency_manager", reason.manager, sentence, file=reason.file, line=reason.line, by=reason.rule
            )
            if reason.file in locks:
                trail.warn(
                    f"{reason.file} is not used: dependencies are installed with {chosen.manager}. "
                    "Remove the lock that is stale, or set `setup` in the profile."
                )


def _reasons(project: PythonProject, practice: Practice) -> list[_Reason]:
    """Return the reasons for each manager but pip, the strongest first."""
    text = project.tree.text("pyproject.toml")
    tool = table(project.pyproject, "tool")
    file = "pyproject.toml"
    found = [
        _Reason(name, rule, f"the lock is {name}'s", lock) for lock, name, rule in LOCKS if lock in project.tree.paths
    ]
    locked = bool(found)
    poetry = table(tool, "poetry")
    if not locked and ({"dependencies", "dev-dependencies", "group", "name"} & set(poetry)):
        sentence = "`[tool.poetry]` declares the dependencies"
        found.append(_Reason("poetry", rules.TOOL_POETRY, sentence, file, toml_line(text, "tool.poetry")))
    if not locked and ({"dev-dependencies", "scripts"} & set(table(tool, "pdm"))):
        found.append(_Reason("pdm", rules.TOOL_PDM, "`[tool.pdm]` is set", file, toml_line(text, "tool.pdm")))
    if not locked and "uv" in tool:
        found.append(_Reason("uv", rules.TOOL_UV, "`[tool.uv]` is set", file, toml_line(text, "tool.uv")))
    if not locked and "Pipfile" in project.tree.paths:
        found.append(_Reason("pipenv", rules.PIPFILE, "a Pipfile", "Pipfile"))
    if "dependency-groups" in project.pyproject and not found and not _uses_pip(practice):
        sentence = "`[dependency-groups]`, and no other tool's lock: uv"
        line = toml_line(text, "dependency-groups")
        found.append(_Reason("uv", rules.GROUPS_ALONE, sentence, file, line))
    return found


def _uses_pip(practice: Practice) -> bool:
    """Return whether the workflows install the project or its groups with pip, and never with uv."""
    words = [call.words for call in practice.calls]
    if any(one[:2] == ("uv", "sync") for one in words) or any("uv" in call.carriers for call in practice.calls):
        return False
    installs = [one for one in words if one[:2] == ("pip", "install")]
    return any({"-e", "--editable", "--group", "-r"} & set(one) or any(w[:1] == "." for w in one) for one in installs)
