"""An import's transactions are as large as a machine bears, and others get their turn meanwhile."""

from __future__ import annotations

import sys
import threading

from hefesto_api.features.analysis.pace import AIM, LEAST, MOST, Pace, giving_way


def settled(each: float) -> int:
    """Return how many results a transaction takes where each result takes so many seconds."""
    pace = Pace()
    for _ in range(20):
        pace.took(pace.results, each * pace.results)
    return pace.results


def test_transactions_are_as_long_as_they_may_be() -> None:
    assert settled(AIM / 120) in {119, 120}
    assert settled(AIM / 240) in {239, 240}


def test_there_is_a_least_and_a_most() -> None:
    assert settled(1.0) == LEAST
    assert settled(0.0) == MOST


def test_files_without_results_tell_nothing() -> None:
    pace = Pace()
    before = pace.results
    pace.took(0, 10.0)
    assert pace.results == before


def test_one_slow_transaction_is_made_up_for() -> None:
    pace = Pace()
    for seconds in (1.0, *[0.01] * 20):
        pace.took(100, seconds)
    assert pace.results in {199, 200}


def test_threads_switch_soon_until_the_last_import_has_ended() -> None:
    usual = sys.getswitchinterval()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with giving_way():
            inside.set()
            leave.wait()

    with giving_way():
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait()
    try:
        assert sys.getswitchinterval() < usual
    finally:
        leave.set()
        thread.join()
    assert sys.getswitchinterval() == usual
