"""First come, first served; who gives up waiting takes nobody's turn."""

import threading

import pytest
from hefesto_api.storage.fairlock import FairLock


def _queue_up(lock: FairLock, served: list[int], names: range) -> list[threading.Thread]:
    """Start threads that come one after the other."""

    def wait(name: int) -> None:
        if lock.acquire(30):
            served.append(name)
            lock.release()

    threads = []
    for name in names:
        thread = threading.Thread(target=wait, args=(name,))
        before = lock.queue_length
        thread.start()
        threads.append(thread)
        while lock.queue_length == before:
            pass
    return threads


def test_the_order_of_arrival_is_kept() -> None:
    lock, served = FairLock(), list[int]()
    lock.acquire(1)
    threads = _queue_up(lock, served, range(20))
    lock.release()
    for thread in threads:
        thread.join()
    assert served == list(range(20))
    assert lock.acquire(0)


def test_who_gives_up_leaves_the_queue() -> None:
    lock, served = FairLock(), list[bool]()
    lock.acquire(1)
    threads = [threading.Thread(target=lambda: served.append(lock.acquire(0.05))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (served, lock.queue_length) == ([False] * 3, 0)
    lock.release()
    assert lock.acquire(0)


def test_the_holder_may_not_come_again() -> None:
    lock = FairLock()
    lock.acquire(1)
    with pytest.raises(RuntimeError):
        lock.acquire(1)
