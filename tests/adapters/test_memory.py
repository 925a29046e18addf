"""The memory of a process keeps what is used, and never more than it may."""

from __future__ import annotations

from hefesto_api.adapters.memory import Memory


def test_what_was_used_least_recently_goes_first() -> None:
    memory = Memory(100)
    for number in range(5):
        memory.keep(("n", number), number, 20)
    assert memory.get(("n", 0)) == 0  # which makes the second one the least used
    memory.keep(("n", 5), 5, 20)
    assert [memory.get(("n", number)) for number in range(6)] == [0, None, 2, 3, 4, 5]
    assert memory.size == 100


def test_keeping_again_replaces() -> None:
    memory = Memory(100)
    memory.keep(("a",), "old", 20)
    memory.keep(("a",), "new", 5)
    assert (memory.get(("a",)), memory.size, len(memory)) == ("new", 5, 1)


def test_a_value_that_would_drive_out_the_others_is_not_kept() -> None:
    memory = Memory(100)
    memory.keep(("small",), 1, 10)
    memory.keep(("large",), 2, 26)
    assert memory.get(("large",)) is None
    assert memory.get(("small",)) == 1
