"""Plans repositories from their mirrors, the way `draftsman plan` does, and judges the plans."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from draftsman import resources
from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, ProfileOverrides
from orchestrator.planner import Planner
from orchestrator.planning.hints import wanted
from orchestrator.source import Mirror
from tests.popular.compare import Judgement, judge, refused
from tests.popular.expectations import Expectation
from tests.popular.mirrors import find, require_commit


async def judge_all(mirrors: Path, expectations: Iterable[Expectation]) -> list[Judgement]:
    """Return a judgement for each repository, in order.

    Raises ListError where a mirror or its commit is missing, HostError where planning itself is at fault: neither
    is a miss of the plan.
    """
    planner = Planner()
    judgements = []
    try:
        for expectation in expectations:
            try:
                plan = await _plan(planner, find(mirrors, expectation), expectation)
            except PlanError as error:
                judgements.append(refused(str(error), expectation))
            else:
                judgements.append(judge(plan, expectation))
    finally:
        await planner.close()
    return judgements


async def _plan(planner: Planner, folder: Path, expectation: Expectation) -> Plan:
    await require_commit(folder, expectation)
    tree = await Mirror(folder).tree(expectation.sha, wanted)
    templates = resources.dockerfile_templates()
    return await planner.plan(tree, repo=expectation.name, overrides=ProfileOverrides(), templates=templates)
