"""Time as it counts for limits and leases: while nobody was awake, none passed."""

from __future__ import annotations

from draftsman.awake import AwakeClock, Vigil


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_a_clock_goes_on_while_awake_and_hardly_while_asleep() -> None:
    hands = Hands()
    clock = AwakeClock(longest_step=5, read=hands)
    for _ in range(10):
        hands.at += 1
        clock.now()
    assert clock.now() == 10
    hands.at += 8 * 3600
    assert clock.now() == 15
    hands.at += 2
    assert clock.now() == 17


def vigil(hands: Hands) -> Vigil:
    return Vigil(lease_seconds=30, every_seconds=10, read=hands)


def looks(watched: Vigil, hands: Hands, seconds: int) -> list[bool]:
    """Look every ten seconds, at once first."""
    found = []
    for _ in range(0, seconds + 1, 10):
        found.append(watched.look())
        hands.at += 10
    return found


def test_what_ran_out_before_a_start_is_lost_at_once() -> None:
    hands = Hands()
    assert looks(vigil(hands), hands, 20) == [True, True, True]


def test_after_a_sleep_leases_have_their_time_again() -> None:
    for jump in (8 * 3600, -120):
        hands = Hands()
        watched = vigil(hands)
        assert watched.look()
        hands.at += jump
        assert looks(watched, hands, 40) == [False, False, False, True, True]


def test_after_postgres_was_away_too() -> None:
    hands = Hands()
    watched = vigil(hands)
    assert watched.look()
    watched.miss()
    hands.at += 10
    watched.miss()
    hands.at += 10
    assert looks(watched, hands, 40) == [False, False, False, True, True]
