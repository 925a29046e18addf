"""Answers that are kept: in this process, in Redis where there is one, and never older than the data.

Before a kept answer is given the generations are looked at, which every write moves in its own transaction
(`storage.generations`); an answer is kept with the generation that was looked at before it was made. So
nothing has to be told to anybody when something changes, and nothing is lost when a process, a message or
Redis is. `docs/cache.md` has the proof.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from msgspec import Struct

from hefesto_api.adapters.cache import entry as entries
from hefesto_api.adapters.cache.flight import Flights, Slots
from hefesto_api.adapters.cache.local import Local
from hefesto_api.adapters.cache.shared import Shared
from hefesto_api.domain.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hefesto_api.adapters.cache.entry import Entry, Moment, Tag
    from hefesto_api.adapters.cache.local import Key

T = TypeVar("T")
Make = Callable[["Moment | None"], "Made[T]"]
L1, L2 = "l1", "l2"
_POLL_SECONDS, _POLLS = 0.005, 400
_ROUNDS = 2  # of waiting for another thread's answer


class Counts(Protocol):
    """Who counts for Prometheus (`adapters.metrics`)."""

    def count_cache(self, tier: str, *, hit: bool) -> None:
        """Count a question to a tier."""

    def count_evictions(self, tier: str, entries: int = 1) -> None:
        """Count entries that were given up."""

    def hold_entries(self, tier: str, entries: int) -> None:
        """Say how many entries are held."""


class Asked(Struct, frozen=True):
    """What is asked for: by which key of this process, under which name everywhere, made of what.

    `name` is the address; who may see what is in it stands behind its `#`. `several`: whether other processes
    of this host may be asked for the same.
    """

    key: Key
    name: str
    ttl: float | None = None
    several: bool = False


class Made(Struct, Generic[T]):
    """What was made: the answer as it is, and as it is to be kept, if it is."""

    answer: T
    entry: Entry | None


class Answers:
    """The tiers together. `look` tells the generations as of now; `counts` is who counts, when asked for."""

    def __init__(
        self,
        look: Callable[[], Moment],
        counts: Callable[[], Counts],
        *,
        size: int,
        ttl: float,
        redis_url: str = "",
        folder: Callable[[], Path] | None = None,
        namespace: str = "",
    ) -> None:
        self.local = Local(size, ttl)
        self.flights = Flights()
        self.shared = (
            Shared(redis_url, blake2b(namespace.encode(), digest_size=6).hexdigest()) if redis_url else None
        )
        self._folder = folder
        self.carried = 0  # answers that another process of this host had made
        self.made = 0
        self._look = look
        self._counts = counts
        self._heard = 0
        self._restarts = 0

    @property
    def is_on(self) -> bool:
        """Whether anything is kept at all."""
        return self.local.most > 0 and self.local.ttl > 0

    def look(self) -> Moment:
        """Look at the generations, and forget what was asked to be forgotten since; raises StorageError."""
        moment = self._look()
        if moment.head != self._heard:
            patterns = moment.patterns(self._heard) if self._heard else ()
            self._heard = moment.head
            if patterns:
                self.local.forget(patterns)
        return moment

    def asked(self) -> tuple[int, int]:
        """Return how often something was asked for, and how often it had not to be made."""
        hits = self.local.hits + (self.shared.hits if self.shared else 0) + self.carried
        return self.local.hits + self.local.misses, min(hits, self.local.hits + self.local.misses)

    def good(self, key: Key, moment: Moment) -> Entry | None:
        """Return what this process keeps under a key, if it is as new as the data."""
        found = self.local.get(key)
        if found is None:
            return None
        if found.is_good(moment):
            return found
        self.local.drop(key, found)
        return None

    def hit(self, key: Key) -> None:
        """Count that what is kept under a key was given."""
        self.local.use(key)
        self._counts().count_cache(L1, hit=True)

    def answer(self, asked: Asked, make: Make[T]) -> Made[T | None]:
        """Return what is kept, else have it made: by one at a time, who makes it for all that wait.

        `make` is given the generations as of before it begins; None where they cannot be seen, and nothing
        is kept. Raises what `make` raises.
        """
        try:
            moment = self.look()
        except StorageError:
            return Made(make(None).answer, None)  # which says what is wrong
        found = self.good(asked.key, moment)
        if found is not None:
            self.hit(asked.key)
            return Made(None, found)
        self.local.miss()
        self._counts().count_cache(L1, hit=False)
        leads = False
        for _ in range(_ROUNDS):
            leads = self.flights.begin(asked.key)
            if leads:
                break
            found = self.good(asked.key, moment)
            if found is not None:
                return Made(None, found)
        try:
            return self._led(asked, moment, make)
        finally:
            if leads:
                self.flights.end(asked.key)

    def forget(self, patterns: Iterable[str]) -> int:
        """Forget what this process and Redis keep under matching names; return how many entries that were."""
        wanted = list(patterns)
        gone = self.local.forget(wanted)
        if self.shared is not None:
            gone += self.shared.forget(self._look().origin, [f"{pattern}#*" for pattern in wanted])
        return gone

    @cached_property
    def _slots(self) -> Slots | None:
        try:
            return Slots(self._folder()) if self._folder else None
        except OSError:
            return None

    def close(self) -> None:
        """Let go of connections."""
        if self.shared is not None:
            self.shared.close()

    def _led(self, asked: Asked, moment: Moment, make: Make[T]) -> Made[T | None]:
        shared = self.shared
        if shared is None or shared.is_resting:
            return self._on_host(asked, moment, make)
        found = self._taken(asked, moment, shared.get(moment.origin, asked.name), L2)
        if found is not None:
            return Made(None, found)
        token = shared.lock(moment.origin, asked.name)
        if token is None:
            return self._on_host(asked, moment, make)
        if not token:
            found = self._awaited(asked, moment)
            if found is not None:
                return Made(None, found)
        try:
            return self._newly(asked, make)
        finally:
            shared.unlock(moment.origin, asked.name, token)

    def _awaited(self, asked: Asked, moment: Moment) -> Entry | None:
        """Wait for the answer that another process is making."""
        for _ in range(_POLLS):
            time.sleep(_POLL_SECONDS)
            if self.shared is None or self.shared.is_resting:
                return None
            found = self._taken(asked, moment, self.shared.get(moment.origin, asked.name), None)
            if found is not None:
                return found
        return None

    def _on_host(self, asked: Asked, moment: Moment, make: Make[T]) -> Made[T | None]:
        slots = self._slots if asked.several else None
        if slots is None:
            return self._newly(asked, make)
        with slots.holding(f"{moment.origin} {asked.name}") as slot:
            if slot is None:
                return self._newly(asked, make)
            found = self._taken(asked, moment, slot.carried, None)
            if found is not None:
                self.carried += 1
                return Made(None, found)
            made = self._newly(asked, make)
            if made.entry is not None:
                slot.carry(entries.dumped(made.entry))
            return made

    def _newly(self, asked: Asked, make: Make[T]) -> Made[T | None]:
        before = self.look()
        made = make(before)
        self.made += 1
        entry = made.entry
        if entry is not None:
            self._keep(asked, entry)
            if self.shared is not None and not self.shared.is_resting:
                self.shared.keep(
                    before.origin, asked.name, entries.dumped(entry), asked.ttl or self.local.ttl
                )
        return Made(made.answer, entry)

    def _taken(self, asked: Asked, moment: Moment, raw: bytes | None, tier: str | None) -> Entry | None:
        """Return the entry that was made elsewhere, if it is good still; from then on it is ours, too."""
        found = entries.loaded(raw) if raw else None
        ttl = self.local.ttl if asked.ttl is None else min(asked.ttl, self.local.ttl)
        if found is not None:
            if found.seen > moment.head:  # newer than what was looked at; or from before older data came back
                moment = self.look()
            found.restarts = moment.restarts if found.seen <= moment.head else -1
            left = ttl - abs(time.time() - found.made_at)
            found = found if found.name == asked.name and left > 0 and found.is_good(moment) else None
        if tier:
            self._counts().count_cache(tier, hit=found is not None)
        if found is not None:
            self._keep(asked, found, left)
        return found

    def _keep(self, asked: Asked, entry: Entry, ttl: float | None = None) -> None:
        gone = self.local.keep(asked.key, entry, asked.ttl if ttl is None else ttl)
        counts = self._counts()
        if gone:
            counts.count_evictions(L1, gone)
        counts.hold_entries(L1, len(self.local))


def name_of(path: str, query: str, projects: frozenset[str] | None) -> str:
    """Return the name of an answer everywhere: its address, and a digest of the projects it may tell of."""
    address = f"{path}?{query}" if query else path
    if projects is None:
        return f"{address}#"
    seen = "\0".join(sorted(projects)).encode("utf-8", "surrogatepass")
    return f"{address}#{blake2b(seen, digest_size=12).hexdigest()}"


def tags_of(kinds: Iterable[str], scopes: Iterable[str]) -> tuple[Tag, ...]:
    """Return the tags of an answer: each kind of each project, and the projects themselves."""
    return (*((kind, scope) for kind in kinds for scope in scopes), ("projects", ""))
