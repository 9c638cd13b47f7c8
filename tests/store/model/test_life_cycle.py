"""The life cycle of runs in the store, driven by several clients at once in whatever order Hypothesis thinks of.

`MODEL_EXAMPLES=2000` asks for more histories than the usual, `--hypothesis-seed=7` for those of that seed. Hypothesis
prints the shortest history that goes wrong as a program, keeps it for the next time, and names the decorator that makes
it go wrong elsewhere: it belongs on `LifeCycle`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from draftsman.domain.errors import LeaseLostError
from tests.store.model.harness import CLIENTS, Harness
from tests.store.model.operations import FENCED, KINDS, STEERING, WORK, Operation, World
from tests.store.model.oracle import Oracle, demand, judge_answer

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "20"))
STEPS = 30

numbers = st.integers(0, 11)
steering = st.sampled_from(tuple(STEERING))
operations = st.builds(Operation, st.sampled_from(KINDS), numbers, numbers)
_NOTHING_ANY_MORE = (0, 9, 6, 3)
"""By which way (`how`) each ref comes to name no commit."""

orders = st.lists(st.integers(0, CLIENTS - 1), max_size=40)


class LifeCycle(RuleBasedStateMachine):
    """Histories of the store."""

    harness: Harness

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.is_sound = True
        self.oracle: Oracle = self.harness.run(self.harness.begin())

    @rule(operation=operations)
    def alone(self, operation: Operation) -> None:
        """One client does something, and nobody else does."""
        self.harness.run(self._alone(operation))

    @rule(which=numbers, how=numbers)
    def an_event_comes(self, which: int, how: int) -> None:
        self.harness.run(self._alone(Operation("event", which, how)))

    @rule(number=st.integers(2, CLIENTS), order=orders)
    def workers_claim_at_once(self, number: int, order: list[int]) -> None:
        self.harness.run(self._do([Operation("claim", which) for which in range(number)], order))

    @precondition(lambda self: self.world.claims)
    @rule(which=st.integers(0, 2), kind=st.sampled_from(tuple(WORK)), how=numbers, turns=st.integers(1, 4))
    def a_worker_writes_while_its_lease_is_lost(self, which: int, kind: str, how: int, turns: int) -> None:
        """It has so many turns, then the reconciler and others go on as far as they can, then it does."""
        others = (Operation("lose", which), Operation("claim", 0), Operation("claim", 1))
        self.harness.run(self._do([Operation(kind, which, how), *others], [0] * turns + [1] * 40))

    @precondition(lambda self: self.world.runs)
    @rule(how=numbers)
    def a_run_ends(self, how: int) -> None:
        for operation in (Operation("claim"), Operation("finish", 0, how)):
            self.harness.run(self._alone(operation))

    @precondition(lambda self: self.world.claims)
    @rule(which=numbers)
    def a_lease_is_lost(self, which: int) -> None:
        self.harness.run(self._alone(Operation("lose", which)))

    @rule(which=st.integers(0, 5), ref=st.integers(0, 3), other=st.integers(0, 3), turns=st.integers(2, 9))
    def a_ref_lets_go_while_another_takes_up(self, which: int, ref: int, other: int, turns: int) -> None:
        """It has so many turns; then the event of the other one comes, as far as it can."""
        self.harness.run(self._alone(Operation("event", which, ref)))
        gone = Operation("release", which, _NOTHING_ANY_MORE[ref])
        self.harness.run(self._do([gone, Operation("event", which, other)], [0] * turns + [1] * 40))

    @precondition(lambda self: self.world.runs)
    @rule(which=numbers, first=steering, second=steering, how=numbers, turns=st.integers(1, 8))
    def people_meet_at_a_run(self, which: int, first: str, second: str, how: int, turns: int) -> None:
        """One has so many turns, then the other as many as it can use."""
        both = [Operation(kind, which, how) for kind in (first, second)]
        self.harness.run(self._do(both, [0] * turns + [1] * 40))

    @rule(works=st.lists(operations, min_size=2, max_size=CLIENTS), order=orders)
    def at_once(self, works: list[Operation], order: list[int]) -> None:
        """Several clients do something, and come between each other."""
        self.harness.run(self._do(works, order))

    async def _alone(self, operation: Operation) -> None:
        before = None
        held = self.world.claim(operation.which) if operation.kind in WORK else None
        if held is not None:
            before = await self.harness.monitor.fetchrow("SELECT * FROM attempts WHERE id = $1", held.attempt.id)
        [answer] = await self._do([operation], ())
        if held is not None:
            raised = isinstance(answer, LeaseLostError)
            judge_answer(operation.kind, before, held.attempt.epoch, raised=raised)

    async def _do(self, works: Sequence[Operation], order: Sequence[int]) -> list[Any]:
        known = list(self.world.claims)
        self.is_sound = False
        found = await self.harness.do(works, self.world, order)
        changes = await self.oracle.look()
        for operation, answer in zip(works, found, strict=True):
            lost = isinstance(answer, LeaseLostError)
            if lost:
                event("a worker heard that it lost its lease")
            held = World(known).claim(operation.which) if operation.kind in FENCED else None
            alike = sum(one.kind == operation.kind and one.which == operation.which for one in works)
            if held is not None and lost and alike == 1:
                mine = (str(held.attempt.id), held.attempt.epoch, operation.kind)
                demand(not self.oracle.has_changed(*mine, changes), "what raised changed something", operation)
        self.is_sound = True
        return found

    def teardown(self) -> None:
        """In the end all that was asked for has ended, and what is named still was checked."""
        if self.is_sound:
            self.harness.run(self.harness.drain(self.oracle))


@pytest.fixture
def clients(database_url: str) -> Iterator[Callable[[bool], Harness]]:
    """Clients on this test's own database: taking turns, or each as fast as it can."""
    opened = []

    def open_clients(are_free: bool) -> Harness:
        opened.append(Harness(database_url, are_free=are_free))
        return opened[-1]

    yield open_clients
    for one in opened:
        one.close()


@pytest.mark.timeout(1800)  # the shortest history that goes wrong takes its time to be found
def test_no_history_of_several_clients_is_illegal(clients: Callable[[bool], Harness]) -> None:
    machine = type("LifeCycleHere", (LifeCycle,), {"harness": clients(False)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_clients_that_wait_for_no_turn_leave_no_illegal_history(clients: Callable[[bool], Harness]) -> None:
    """As above, and nobody decides about the order: what the turns keep apart happens at the same time as well."""
    harness = clients(True)
    chosen = random.Random(EXAMPLES)
    oracle, world = harness.run(harness.begin()), World()
    for _ in range(6 * EXAMPLES):
        works = [Operation(chosen.choice(KINDS), chosen.randrange(12), chosen.randrange(12)) for _ in range(CLIENTS)]
        claims = [Operation("event", chosen.randrange(6), chosen.randrange(4)), Operation("claim"), *works]
        harness.run(harness.do(claims[:CLIENTS], world))
        harness.run(harness.do(works, world))
        harness.run(oracle.look())
    harness.run(harness.drain(oracle))
