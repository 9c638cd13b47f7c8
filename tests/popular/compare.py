"""Judges a plan by what is expected of it. Pure: a plan and an expectation in, misses out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from draftsman.domain.plan import Plan
from tests.popular.expectations import Expectation, Item, Part


@dataclass(frozen=True, slots=True)
class Miss:
    """What differs: the expected value with the line that it comes from, and the planner's value."""

    part: Part
    topic: str
    expected: str
    quote: str
    planned: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A repository's misses. `refused` is the planner's sentence where it made no plan: all judged parts are wrong.

    `extra` are the planned checks that no expected item names: no misses, but worth a look.
    """

    expectation: Expectation
    misses: tuple[Miss, ...]
    extra: tuple[str, ...] = ()
    refused: str = ""

    def judged(self, part: Part) -> bool:
        """Return whether the part counts."""
        return part not in self.expectation.unjudged

    def right(self, part: Part) -> bool:
        """Return whether nothing in the part differs."""
        return not self.refused and not any(miss.part == part for miss in self.misses)


def judge(plan: Plan, expectation: Expectation) -> Judgement:
    """Compare a plan with what is expected."""
    misses = (*_toolchain(plan, expectation), *_commands(plan, expectation), *_lint(plan, expectation))
    wanted = [one for one in (*expectation.tests, *expectation.lint, *expectation.setup) if not one.forbidden]
    checks = (*plan.profile.fast, *plan.profile.full)
    extra = tuple(command for command in checks if not any(_found(item, [command]) for item in wanted))
    return Judgement(expectation, tuple(miss for miss in misses if miss.part not in expectation.unjudged), extra)


def refused(sentence: str, expectation: Expectation) -> Judgement:
    """Return the judgement of a repository that no plan was made of."""
    return Judgement(expectation, (), refused=sentence)


def share(judgements: Iterable[Judgement], part: Part) -> tuple[int, int]:
    """Return how many repositories are right in the part, and how many are judged."""
    counted = [one.right(part) for one in judgements if one.judged(part)]
    return sum(counted), len(counted)


def accepts(accepted: Sequence[str], version: str) -> bool:
    """Return whether a version is one of `3.12` (and its patches), `3.10..3.14`, `>=1.88`, or a word like `stable`."""
    return any(_accepts(one, version) for one in accepted)


def _accepts(accepted: str, version: str) -> bool:
    if accepted == version:
        return True
    number = _number(version)
    if number is None:
        return False
    low, range_, high = accepted.partition("..")
    if range_:
        return _at_least(number, low) and _at_most(number, high)
    if accepted.startswith(">="):
        return _at_least(number, accepted.removeprefix(">="))
    exact = _number(accepted)
    return exact is not None and number[: len(exact)] == exact


def _at_least(number: tuple[int, ...], bound: str) -> bool:
    floor = _number(bound) or ()
    return number >= floor[: len(number)]  # a bare major stands for its newest minor


def _at_most(number: tuple[int, ...], bound: str) -> bool:
    ceiling = _number(bound) or ()
    return number[: len(ceiling)] <= ceiling


def _number(version: str) -> tuple[int, ...] | None:
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else None


def _toolchain(plan: Plan, expectation: Expectation) -> list[Miss]:
    planned = {one.ecosystem: one.version for one in plan.toolchains}
    needed = set(expectation.ecosystems)
    misses = []
    if not needed <= planned.keys() <= needed | set(expectation.may):
        quotes = "; ".join(str(one.quote) for one in expectation.versions if one.ecosystem in needed)
        optional = f" (and may have {', '.join(expectation.may)})" if expectation.may else ""
        expected = ", ".join(expectation.ecosystems) + optional
        misses.append(Miss("toolchain", "ecosystems", expected, quotes, ", ".join(planned) or "none"))
    for one in expectation.versions:
        version = planned.get(one.ecosystem)
        if version is not None and not accepts(one.accepts, version):
            expected = " or ".join(one.accepts)
            misses.append(Miss("toolchain", f"{one.ecosystem} version", expected, str(one.quote), version))
    manager = plan.profile.dependency_manager
    if manager not in expectation.managers:
        expected = " or ".join(expectation.managers)
        misses.append(Miss("toolchain", "manager", expected, str(expectation.manager_quote), manager or "none"))
    return misses


def _commands(plan: Plan, expectation: Expectation) -> list[Miss]:
    setup, full = [plan.profile.setup], list(plan.profile.full)
    everything = [*setup, *plan.profile.fast, *full]
    return [
        *_unmet("commands", "setup", expectation.setup, setup, everything),
        *_unmet("commands", "tests", expectation.tests, full, everything),
    ]


def _lint(plan: Plan, expectation: Expectation) -> list[Miss]:
    checks = [*plan.profile.fast, *plan.profile.full]
    return _unmet("lint", "lint and types", expectation.lint, checks, [plan.profile.setup, *checks])


def _unmet(
    part: Part, topic: str, items: Iterable[Item], commands: Sequence[str], everything: Sequence[str]
) -> list[Miss]:
    planned = " | ".join(filter(str.strip, commands)) or "nothing"
    return [
        Miss(part, topic, item.label, str(item.quote), planned)
        for item in items
        if _found(item, everything if item.anywhere else commands) == item.forbidden
    ]


def _found(item: Item, commands: Iterable[str]) -> bool:
    return any(pattern.search(command) for pattern in item.patterns for command in commands)
