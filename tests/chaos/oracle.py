"""Judges a run of the suite: what was lost, what was done twice, what is stuck. Pure."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.chaos import history
from tests.chaos.facts import TIERS, Answered, Attempted, Audited, Facts, Shown, Wanted

Kind = Literal["lost", "doubled", "stuck"]
KINDS: tuple[Kind, ...] = ("lost", "doubled", "stuck")

ERROR = "error"
UNTOLD = frozenset((ERROR, "cancelled", "timed_out"))
"""Attempts that ended so may have been broken off: their log may end early, but has no gap."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that must not be."""

    kind: Kind
    what: str


def judge(facts: Facts, *, tries_again: bool = False) -> list[Wrong]:
    """Return everything that must not be.

    With `tries_again`, what ended by our own fault must have been tried again before anybody asked for it.
    """
    return [Wrong(kind, what) for kind, what in _wrongs(facts, tries_again)]


def _wrongs(facts: Facts, tries_again: bool) -> Iterator[tuple[Kind, str]]:
    attempts: dict[str, list[Attempted]] = defaultdict(list)
    for attempt in sorted(facts.attempts, key=lambda one: one.number):
        attempts[attempt.sha].append(attempt)
    shown: dict[str, list[Shown]] = defaultdict(list)
    for run in sorted(facts.shown, key=lambda one: one.id):
        shown[run.sha].append(run)
    trail: dict[str, list[Audited]] = defaultdict(list)
    for row in facts.audit:
        trail[row.attempt].append(row)
    yield from _of_deliveries(facts)
    for wanted in facts.wanted:
        yield from _of_commit(wanted, attempts[wanted.sha], shown[wanted.sha])
        if tries_again and ERROR not in wanted.ends:
            yield from _of_first_error(wanted, attempts[wanted.sha])
    yield from _of_check_runs(facts.shown)
    lines = {wanted.sha: wanted.lines for wanted in facts.wanted}
    for attempt in facts.attempts:
        if attempt.state != "finished":
            yield "stuck", f"{_name(attempt)} is {attempt.state}"
        yield from _of_log(attempt, lines.get(attempt.sha, {}))
        for kind, what in history.wrongs(attempt, trail[attempt.id]):
            yield ("doubled" if kind == "doubled" else "lost"), what
    for answered in facts.answered:
        yield from _of_comment(answered)
    yield from (("stuck", f"left behind: {what}") for what in facts.left)
    yield from (("stuck", f"not done: {what}") for what in facts.open)
    yield from (("stuck", f"{name} is out of our reach, and still asked about") for name in facts.asked_of_gone)
    yield from (("lost", f"GitHub would refuse: {what}") for what in facts.refused)


def _of_deliveries(facts: Facts) -> Iterator[tuple[Kind, str]]:
    for one in facts.delivered:
        if not one.known:
            said = "was accepted and not kept" if one.accepted else "failed and was never fetched"
            yield "lost", f"delivery {one.guid} ({one.event}) {said}"


def _of_commit(wanted: Wanted, attempts: Sequence[Attempted], shown: Sequence[Shown]) -> Iterator[tuple[Kind, str]]:
    what = f"{wanted.what} ({wanted.sha[:7]})"
    if not attempts:
        yield "lost", f"{what} has no run"
        return
    if len({one.run for one in attempts}) > 1:
        yield "doubled", f"{what} has several runs"
    newest = attempts[-1]
    allowed = wanted.ends | ({"cancelled"} if wanted.may_be_superseded else frozenset())
    if newest.state == "finished" and newest.conclusion not in allowed:
        yield "lost", f"{what} ended as {newest.conclusion} ({newest.title}), not as {' or '.join(sorted(allowed))}"
    for before, after in itertools.pairwise(attempts):
        # What ended by our own fault is tried again; so is what somebody asked for, or named again.
        if after.asked_by is None and before.conclusion not in (ERROR, "cancelled"):
            yield (
                "doubled",
                f"{what} was tried again (attempt {after.number}) though it had ended as {before.conclusion}",
            )
    if wanted.shown:
        yield from _of_shown(wanted, what, newest, shown)


def _of_first_error(wanted: Wanted, attempts: Sequence[Attempted]) -> Iterator[tuple[Kind, str]]:
    if attempts and attempts[0].conclusion == ERROR and (len(attempts) == 1 or attempts[1].asked_by is not None):
        yield "lost", f"{wanted.what} ended by our own fault ({attempts[0].title}) and was not tried again by itself"


def _of_shown(wanted: Wanted, what: str, newest: Attempted, shown: Sequence[Shown]) -> Iterator[tuple[Kind, str]]:
    for tier in TIERS:
        runs = [run for run in shown if run.tier == tier]
        if not runs:
            yield "lost", f"GitHub shows no {tier} check of {what}"
            continue
        run = runs[-1]
        expected = wanted.shown[tier]
        if newest.conclusion == "cancelled" and wanted.may_be_superseded:
            expected = "cancelled"
        if run.status == "completed" and run.attempt != newest.number:
            yield "lost", f"GitHub shows attempt {run.attempt} of {what}, not {newest.number} ({tier})"
        # What ended otherwise than it should is told of already.
        elif run.status == "completed" and run.conclusion != expected and newest.conclusion in wanted.ends:
            yield "lost", f"GitHub shows {tier} of {what} as {run.conclusion} ({run.title}), not as {expected}"


def _of_check_runs(shown: Sequence[Shown]) -> Iterator[tuple[Kind, str]]:
    for run in shown:
        if run.status != "completed":
            yield "stuck", f"the check run {run.tier} of {run.sha[:7]} is {run.status} ({run.title})"
    told = Counter((run.tier, run.external_id) for run in shown)
    yield from (
        ("doubled", f"{number} check runs of {of} ({tier})") for (tier, of), number in told.items() if number > 1
    )


def _of_log(attempt: Attempted, wanted: Mapping[str, int]) -> Iterator[tuple[Kind, str]]:
    if attempt.state != "finished":
        return
    for tier, most in wanted.items():
        lines = list(attempt.lines.get(tier, ()))
        counted = Counter(lines)
        if twice := sorted(number for number, times in counted.items() if times > 1):
            yield "doubled", f"the log of {_name(attempt)} has {len(twice)} lines of {tier} twice, {twice[0]} first"
        elif lines != sorted(lines):
            yield "lost", f"the lines of {tier} of {_name(attempt)} are out of order"
        until = max(lines, default=0) if attempt.conclusion in UNTOLD else most
        if missing := sorted(set(range(1, until + 1)) - counted.keys()):
            yield (
                "lost",
                f"the log of {_name(attempt)} lacks {len(missing)} of {until} lines of {tier}, {missing[0]} first",
            )


def _of_comment(answered: Answered) -> Iterator[tuple[Kind, str]]:
    if answered.replies != 1:
        kind: Kind = "doubled" if answered.replies else "lost"
        yield kind, f"{answered.replies} replies to {answered.body!r}"
    if len(answered.reactions) != len(set(answered.reactions)):
        yield "doubled", f"the reactions {answered.reactions} under {answered.body!r}"
    if "rocket" not in answered.reactions:
        yield "lost", f"no rocket under {answered.body!r}, only {answered.reactions}"


def _name(attempt: Attempted) -> str:
    return f"attempt {attempt.number} of {attempt.sha[:7]}"
