"""Who called when, in memory that the processes of a host share: exact, at four bytes a call.

One record for each caller: the times of its calls in a ring, in milliseconds, and for each window the number
of the oldest call in it. A call costs a few look-ups, however many came before it. Records are only ever
added, and every change becomes true by the last of its stores, so a process may be killed at any moment.
When the file is full, one that holds what still counts takes its place.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from hashlib import blake2b
from typing import TYPE_CHECKING

from hefesto_api.adapters.limits import memory
from hefesto_api.adapters.limits.lock import HostLock
from hefesto_api.adapters.limits.memory import BEGIN, RETIRED, TOP, SharedMemory
from hefesto_api.domain.limits import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hefesto_api.domain.limits import Policy

LEAST = 1 << 16
MOST = 64 << 20
LOOK_MILLISECONDS = 1000  # how often a process makes sure that the file is still the one of its name

# The words of a record: whose (0: a ring that a record was given later), its length in words, where its ring
# is and how much it holds, how many calls there were ever, the time of the latest, its longest window and how
# many it has, and for each window the number of its oldest call.
_WHOSE, _LENGTH, _RING, _CALLS, _LATEST, _KIND, _OLDEST = range(7)
_LOW = 0xFFFF_FFFF
_SMALLEST_RING = 16
_NEW = ".new"


def monotonic() -> int:
    """Return the milliseconds of a clock that all processes of this host share and nobody can set."""
    return time.monotonic_ns() // 1_000_000


class Counts:
    """The calls of every caller; without a path, those of this process alone.

    `most` bounds the bytes: where what counts would take more than half of them, the callers with the fewest
    calls are forgotten, who gain the least by it. Raises OSError when the file cannot be made or locked.
    """

    def __init__(
        self, path: Path | None, *, now: Callable[[], int] = monotonic, least: int = LEAST, most: int = MOST
    ) -> None:
        self._path = path
        self._now = now
        self._least, self._most = least, most
        self._looked = now()
        self._lock = HostLock(path and path.with_suffix(".lock"))
        with self._lock:
            self._open()

    def acquire(self, who: str, policy: Policy, cost: int = 1) -> Standing:
        """Count a call if every window has room for it, and tell how its caller stands then."""
        return self._settle(who, policy, cost)

    def test(self, who: str, policy: Policy) -> Standing:
        """Tell whether a call would be counted, and how its caller stands without it."""
        return self._settle(who, policy, 0)

    def withdraw(self, who: str, policy: Policy) -> None:
        """Take back the latest call of a caller: it was counted here and refused elsewhere."""
        with self._lock:
            self._look()
            at = self._find(self._name(who, policy))
            calls = self._words[at + _CALLS] - 1 if at else -1
            if calls < 0:
                return
            for place in range(at + _OLDEST, at + _OLDEST + len(policy.windows)):
                self._words[place] = min(self._words[place], calls)
            self._words[at + _CALLS] = calls

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._look()
            self._replace([])

    def close(self) -> None:
        """Let go of the memory; the file stays for the other processes, and for the next start."""
        self._memory.close()
        self._lock.close()

    @property
    def size(self) -> int:
        """How many bytes the memory has."""
        return len(self._words) * 8

    def _settle(self, who: str, policy: Policy, cost: int) -> Standing:
        with self._lock:
            now = self._look()
            name = self._name(who, policy)
            at = self._find(name)
            if not at:
                if not cost:
                    return Standing(True, policy.windows[0], policy.windows[0].limit, 0)
                at = self._add(name, policy, now)
            standing = self._standing(at, policy, now, cost)
            for _ in range(cost if standing.allowed else 0):
                at = self._append(at, name, policy, now)
            return standing

    def _standing(self, at: int, policy: Policy, now: int, cost: int) -> Standing:
        """Weigh a call in each window, having moved the window's oldest call past those that have left it."""
        words, halves = self._words, self._halves
        calls, ring = words[at + _CALLS], words[at + _RING]
        base, mask = ring >> 32, (ring & _LOW) - 1
        # After a pause all have left; or the clock began anew, with the machine.
        none = not 0 <= now - words[at + _LATEST] <= words[at + _KIND] >> 8
        need = cost or 1
        allowed, least, wait, decisive = True, _LOW, 0, 0
        for number, (limit, length) in enumerate(policy.spans):
            oldest = calls if none else words[at + _OLDEST + number]
            if oldest < calls and (now - halves[base + (oldest & mask)]) & _LOW > length:
                oldest = self._first_within(base, mask, oldest + 1, calls, now, length)
            words[at + _OLDEST + number] = oldest
            left = limit - (calls - oldest)
            # The call that has to leave: so that there is room for this one; else for one more than now.
            leaving = oldest if left >= need else min(calls - limit + need, calls) - 1
            age = (now - halves[base + (leaving & mask)]) & _LOW if leaving < calls else 0
            if left < need:
                if allowed or length - age >= wait:
                    allowed, least, wait, decisive = False, 0, length - age, number
            elif allowed and left - cost <= least:
                least, wait, decisive = left - cost, length - age, number
        return Standing(allowed, policy.windows[decisive], least, wait + 1)

    def _first_within(self, base: int, mask: int, low: int, high: int, now: int, length: int) -> int:
        """Return the number of the first call that is within a window; mostly it is the very next."""
        halves = self._halves

        def within(number: int) -> bool:
            return (now - halves[base + (number & mask)]) & _LOW <= length

        if low == high or within(low):
            return low
        return low + bisect_left(range(low, high), True, key=within)

    def _append(self, at: int, name: int, policy: Policy, now: int) -> int:
        """Write a call down; return where the record is then, for it may have to move."""
        words = self._words
        calls = words[at + _CALLS]
        if calls - words[at + _OLDEST + len(policy.windows) - 1] >= words[at + _RING] & _LOW:
            at = self._widen(at, name, policy, now)
            words = self._words
        ring = words[at + _RING]
        self._halves[(ring >> 32) + (calls & (ring & _LOW) - 1)] = now & _LOW
        words[at + _LATEST] = now
        words[at + _CALLS] = calls + 1
        return at

    def _add(self, name: int, policy: Policy, now: int) -> int:
        """Begin a record; return where it is."""
        windows = len(policy.windows)
        length = _OLDEST + windows + _SMALLEST_RING // 2
        at = self._room(length, now)
        words = self._words
        words[at + _WHOSE] = name
        words[at + _LENGTH] = length
        words[at + _RING] = (at + _OLDEST + windows) * 2 << 32 | _SMALLEST_RING
        words[at + _CALLS] = 0
        words[at + _LATEST] = now
        words[at + _KIND] = policy.spans[-1][1] << 8 | windows
        for place in range(at + _OLDEST, at + _OLDEST + windows):
            words[place] = 0
        words[TOP] = at + length
        self._places[name] = at
        self._scanned = at + length
        return at

    def _widen(self, at: int, name: int, policy: Policy, now: int) -> int:
        """Give a record a ring of twice the length; return where it is then."""
        words = self._words
        capacity = words[at + _RING] & _LOW
        length = 2 + capacity  # twice as many, at half a word each
        if words[TOP] + length > len(words):
            self._replace(self._living(now), length)
            return self._find(name) or self._add(name, policy, now)
        place = words[TOP]
        words[place + _WHOSE] = 0
        words[place + _LENGTH] = length
        wider = (place + 2) * 2 << 32 | 2 * capacity
        calls = words[at + _CALLS]
        _copy(self._halves, words[at + _RING], self._halves, wider, range(calls - capacity, calls))
        words[TOP] = place + length
        words[at + _RING] = wider
        return at

    def _room(self, length: int, now: int) -> int:
        """Return where so many words are free."""
        if self._words[TOP] + length > len(self._words):
            self._replace(self._living(now), length)
        return self._words[TOP]

    def _find(self, name: int) -> int:
        """Return where somebody's record is; 0 when there is none."""
        at = self._places.get(name, 0)
        if not at and self._scanned < self._words[TOP]:
            self._scan()
            at = self._places.get(name, 0)
        return at

    def _scan(self) -> None:
        """Take note of the records that other processes have added."""
        words, at = self._words, self._scanned
        while at < words[TOP]:
            if words[at + _WHOSE]:
                self._places[words[at + _WHOSE]] = at
            at += words[at + _LENGTH] or len(words)  # which is an end, of what was damaged
        self._scanned = at

    def _living(self, now: int) -> list[int]:
        """Return where the records are of which something still counts, the most calls first."""
        self._scan()
        words = self._words
        living = [
            at
            for at in self._places.values()
            if 0 <= now - words[at + _LATEST] <= words[at + _KIND] >> 8 and self._held(at)
        ]
        return sorted(living, key=self._held, reverse=True)

    def _held(self, at: int) -> int:
        """Return how many calls of a record are within its longest window."""
        words = self._words
        return words[at + _CALLS] - words[at + _OLDEST + (words[at + _KIND] & 0xFF) - 1]

    def _replace(self, living: Sequence[int], extra: int = 0) -> None:
        """Go on in other memory, with these records, as many as half of it takes."""
        lengths = [
            _OLDEST + (self._words[at + _KIND] & 0xFF) + _ring_for(self._held(at)) // 2 for at in living
        ]
        wanted = 16 * (BEGIN + sum(lengths) + extra)
        other = self._other(min(max(self._least, 1 << (wanted - 1).bit_length()), self._most))
        top = BEGIN
        for at, length in zip(living, lengths, strict=True):
            if top + length <= other.size // 2:
                self._carry(at, other, top, length)
                top += length
        other.words[TOP] = top
        self._memory.words[RETIRED] = 1  # before it is replaced: nobody may go on in it
        if self._path is not None:
            self._path.with_suffix(_NEW).replace(self._path)
        self._memory.close()
        self._use(other)
        self._scan()

    def _other(self, size: int) -> SharedMemory:
        """Make memory of that size, or the smallest where there is no more."""
        salt = self._memory.salt
        if self._path is None:
            return memory.private(size, salt)
        try:
            return memory.made(self._path.with_suffix(_NEW), size, salt)
        except OSError:
            return memory.made(self._path.with_suffix(_NEW), self._least, salt)

    def _carry(self, at: int, other: SharedMemory, top: int, length: int) -> None:
        """Copy a record into other memory, with a ring that its calls leave room in."""
        words, held = self._words, self._held(at)
        head = _OLDEST + (words[at + _KIND] & 0xFF)
        ring = (top + head) * 2 << 32 | (length - head) * 2
        other.words[top : top + head] = words[at : at + head]
        other.words[top + _LENGTH] = length
        other.words[top + _RING] = ring
        calls = words[at + _CALLS]
        _copy(self._halves, words[at + _RING], other.halves, ring, range(calls - held, calls))

    def _look(self) -> int:
        """Return the time, having made sure that this is the memory that the others use."""
        now = self._now()
        if not 0 <= now - self._looked < LOOK_MILLISECONDS:
            self._looked = now
            if self._memory.is_at(self._path):
                self._memory.touch()
            else:  # or replaced by another process, which is as well
                self._lock.renew()
                self._reopen()
        if self._words[RETIRED]:
            self._reopen()
        return now

    def _reopen(self) -> None:
        self._memory.close()
        self._open()

    def _open(self) -> None:
        """Map the file, made if need be; go on with the work of one that died while it replaced it."""
        if self._path is None:
            self._use(memory.private(self._least))
            return
        self._use(memory.found(self._path) or memory.made(self._path, self._least))
        if self._words[RETIRED]:
            self._replace(self._living(self._now()))

    def _use(self, other: SharedMemory) -> None:
        self._memory, self._words, self._halves = other, other.words, other.halves
        self._places: dict[int, int] = {}
        self._scanned = BEGIN

    def _name(self, who: str, policy: Policy) -> int:
        """Return what a caller's record is found by; never 0."""
        text = f"{policy.lengths} {who}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(text, digest_size=8, key=self._memory.salt).digest()) or 1


def _ring_for(held: int) -> int:
    """Return the capacity of a ring that holds so many calls and has room for more."""
    return max(1 << held.bit_length(), _SMALLEST_RING)


def _copy(source: memoryview, ring: int, target: memoryview, other: int, calls: range) -> None:
    """Copy calls from one ring to another, each of which may begin anew amid them."""
    number = calls.start
    while number < calls.stop:
        at, to = number & (ring & _LOW) - 1, number & (other & _LOW) - 1
        run = min(calls.stop - number, (ring & _LOW) - at, (other & _LOW) - to)
        begin, end = (ring >> 32) + at, (other >> 32) + to
        target[end : end + run] = source[begin : begin + run]
        number += run
