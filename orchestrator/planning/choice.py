"""Chooses one version among the candidates that files name, and says what lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import Release, find


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that a file names by the rule `by`. `allows` tells whether a constraint admits another version."""

    version: str
    file: str
    line: int | None
    value: str
    rule: str
    allows: Callable[[str], bool] | None = None
    by: Rule | None = None


def choose(language: str, candidates: list[Candidate], default: str, known: tuple[Release, ...], trail: Trail) -> str:
    """Return the first candidate's version, else the default. Candidates come strongest first.

    Candidates of rules that are not in force do not count.
    """
    decides = f"{language.lower()} version"
    candidates = [one for one in candidates if one.by is None or trail.applies(one.by)]
    if not candidates:
        trail.note(decides, default, f"no file names a version: {language} {default} is the default")
        return default
    winner, *losers = candidates
    rule = f"{winner.rule}: {language} {winner.version}"
    trail.note(decides, winner.value, rule, file=winner.file, line=winner.line, by=winner.by)
    for loser in losers:
        _note_loser(decides, winner, loser, trail)
    _warn_of_age(language, winner, known, trail)
    return winner.version


def _note_loser(decides: str, winner: Candidate, loser: Candidate, trail: Trail) -> None:
    rule = f"{loser.rule}; lost to `{show(winner.file)}`"
    if loser.allows is not None and not loser.allows(winner.version):
        rule += f", which it contradicts: it does not allow {winner.version}"
        place = f"{show(loser.file)}:{loser.line}" if loser.line else show(loser.file)
        trail.warn(
            f"`{show(winner.file)}` says {winner.version}, but {place} allows only {show(loser.value)}: "
            f"the checks use {winner.version}."
        )
    trail.note(decides, loser.value, rule, file=loser.file, line=loser.line, by=loser.by)


def _warn_of_age(language: str, winner: Candidate, known: tuple[Release, ...], trail: Trail) -> None:
    release = find(known, winner.version)
    if release is None:
        trail.warn(
            f"Draftsman's table has no {language} {winner.version} ({show(winner.file)}): the image is built from it "
            "if its registry has one."
        )
    elif not release.supported:
        trail.warn(
            f"{language} {winner.version} ({show(winner.file)}) has had no security fixes since "
            f"{release.end_of_life.isoformat()}."
        )
