"""Reads the scripts of hatch's environments, in pyproject.toml and hatch.toml."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.documents import read_toml, strings, table, toml_line
from orchestrator.planning.python.project import PythonProject

MAX_ENVIRONMENTS = 50
MAX_SCRIPTS = 100
MAX_LINES = 50


@dataclass(frozen=True, slots=True)
class HatchScript:
    """A script: the command lines that it comes to, and the scripts of its environment that it includes."""

    environment: str
    name: str
    file: str
    line: int | None
    lines: tuple[str, ...]
    includes: tuple[str, ...]
    pythons: tuple[str, ...]

    def command(self, minor: str) -> str:
        """Return how it is called for one Python, where the environment has a matrix of them."""
        return self._run(self.name, minor)

    def making(self, minor: str) -> str:
        """Return the command that makes its environment for one Python, and does nothing else."""
        return self._run("python --version", minor)

    def _run(self, program: str, minor: str) -> str:
        where = "" if self.environment == "default" else f"{self.environment}:"
        chosen = f"+py={minor} " if minor in self.pythons and where else ""
        return f"hatch run {chosen}{where}{program}"

    def asked_by(self, calls: list[str]) -> bool:
        """Return whether one of `test:run`, `run` is it."""
        return f"{self.environment}:{self.name}" in calls or (self.environment == "default" and self.name in calls)


def read_hatch(project: PythonProject) -> tuple[HatchScript, ...]:
    """Return the scripts of all environments, in order. Raises PlanError where hatch.toml is malformed."""
    sources = (
        ("pyproject.toml", table(project.pyproject, "tool", "hatch", "envs"), "tool.hatch.envs"),
        ("hatch.toml", table(read_toml(project.tree, "hatch.toml"), "envs"), "envs"),
    )
    found: list[HatchScript] = []
    for file, environments, section in sources:
        for environment, settings in list(environments.items())[:MAX_ENVIRONMENTS]:
            scripts = table(settings, "scripts")
            for name, value in list(scripts.items())[:MAX_SCRIPTS]:
                if grammar.fits(grammar.SCRIPT, name) and grammar.fits(grammar.SCRIPT, environment):
                    line = toml_line(project.tree.text(file), f"{section}.{environment}")
                    lines, includes = _lines(value, scripts, name)
                    found.append(HatchScript(environment, name, file, line, lines, includes, _pythons(settings)))
    return tuple(found)


def _lines(value: object, scripts: dict[str, object], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the command lines of a script, with those of the scripts that it includes by name."""
    lines: list[str] = []
    seen = {name: None}
    waiting = list(_written(value))
    while waiting and len(lines) < MAX_LINES:
        line = waiting.pop(0)
        word = line.split()[0] if line.split() else ""
        if word in scripts and word not in seen:
            seen[word] = None
            waiting = [*_written(scripts[word]), *waiting][:MAX_LINES]
        elif line.strip():
            lines.append(line)
    return tuple(lines), tuple(one for one in seen if one != name)


def _written(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else strings(value)[:MAX_LINES]


def _pythons(settings: object) -> tuple[str, ...]:
    matrix = settings.get("matrix") if isinstance(settings, dict) else None
    rows = matrix[:20] if isinstance(matrix, list) else []
    return tuple(one for row in rows if isinstance(row, dict) for one in strings(row.get("python")))
