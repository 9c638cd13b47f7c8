"""How much of a log is kept."""

from __future__ import annotations

from draftsman.store.logs import ChunkSize
from orchestrator.log_room import Cut, LogRoom


def _fill(room: LogRoom, sizes: list[int]) -> tuple[list[int], list[Cut]]:
    positions, cuts = [], []
    for size in sizes:
        positions.append(room.position())
        cut = room.added(positions[-1], size)
        cuts += [cut] if cut else []
    return positions, cuts


def test_a_short_log_is_kept_whole() -> None:
    assert _fill(LogRoom(100), [10] * 10) == ([1, 2, 3, 4, 5, 7, 8, 9, 10, 11], [])


def test_behind_the_head_the_oldest_goes() -> None:
    positions, cuts = _fill(LogRoom(100), [10] * 13)
    assert positions[4:6] == [5, 7], "one position stays free behind the head"
    assert cuts == [Cut(6, 8, 10), Cut(6, 9, 20), Cut(6, 10, 30)]
    assert cuts[-1].text == b"\n--- 30 bytes of output were cut here ---\n"


def test_a_chunk_larger_than_the_room_is_kept_as_long_as_it_is_the_last() -> None:
    assert _fill(LogRoom(100), [60, 500, 10])[1] == [Cut(2, 4, 500)]


def test_another_worker_goes_on_where_one_was() -> None:
    whole, (first, second) = LogRoom(100), ([10] * 8, [10] * 9)
    positions, cuts = _fill(whole, first + second)
    for stop in range(1, 16):
        sizes = first + second
        earlier = LogRoom(100)
        known, cut = _fill(earlier, sizes[:stop])
        kept = [ChunkSize(position, 10, 0, 0) for position in known]
        if cut:
            kept = [one for one in kept if not cut[-1].note < one.position < cut[-1].before]
            kept.append(ChunkSize(cut[-1].note, 40, 0, cut[-1].cut_bytes))
        later = LogRoom(100, sorted(kept, key=lambda one: one.position))
        more, cut_later = _fill(later, sizes[stop:])
        assert known + more == positions
        assert (cut + cut_later)[-1] == cuts[-1]
