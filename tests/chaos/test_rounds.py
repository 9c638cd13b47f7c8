"""Rounds hold every fault as often as asked for, and none that get in each other's way."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.faults import FAULTS
from tests.chaos.rounds import CAPACITY, deal

CARDS = [fault.card for fault in FAULTS]


@given(seed=st.integers(0, 1000), each=st.integers(1, 12), at_once=st.integers(1, 6))
def test_every_fault_is_dealt_as_often_as_asked_for(seed: int, each: int, at_once: int) -> None:
    rounds = deal(CARDS, each=each, at_once=at_once, seed=seed)
    assert Counter(name for one in rounds for name in one) == {card.name: each for card in CARDS}
    touches = {card.name: card.touches for card in CARDS}
    for one in rounds:
        assert 1 <= len(one) == len(set(one)) <= at_once
        used = Counter(thing for name in one for thing in touches[name])
        assert all(number <= CAPACITY.get(thing, 1) for thing, number in used.items())


def test_the_same_seed_deals_the_same() -> None:
    first, again, other = (deal(CARDS, each=3, at_once=4, seed=seed) for seed in (7, 7, 8))
    assert first == again != other


def test_ten_of_each_fit_into_an_hour_of_rounds() -> None:
    assert len(deal(CARDS, each=10, at_once=7, seed=1)) <= 60


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_every_fault_says_what_it_is(fault: object) -> None:
    said = getattr(fault, "sentence", "")
    assert len(said) > 10
    assert not said.endswith(".")


def test_no_two_faults_have_one_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
