"""What a process holds while it runs: built once from the settings, handed down, never reached up for."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from hefesto_api.adapters import bigquery, broker, limits, telemetry
from hefesto_api.adapters.advice import Advisor
from hefesto_api.adapters.bell import Bell
from hefesto_api.adapters.cache import Answers
from hefesto_api.adapters.memory import Memory
from hefesto_api.adapters.openid import OpenId, open_provider
from hefesto_api.adapters.passwords import Passwords
from hefesto_api.adapters.secrets import Vault, can_open_vault, open_vault
from hefesto_api.adapters.tokens import ISSUER, Tokens
from hefesto_api.adapters.watch import Watch
from hefesto_api.domain import clock
from hefesto_api.domain.errors import ServiceUnavailable, StorageError, UsageError
from hefesto_api.storage import intake, migrate, resealing, secret_keys, signing_keys, statements
from hefesto_api.storage.audit import Ledger
from hefesto_api.storage.database import Database, open_database
from hefesto_api.storage.generations import Generations
from hefesto_api.storage.group_commit import GroupCommit
from hefesto_api.storage.intake import Arrival, Kept
from hefesto_api.storage.integrity import Integrity
from hefesto_api.storage.measuring import Measures
from hefesto_api.storage.usage_counter import UsageCounter

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hefesto_api.adapters.metrics import Metrics
    from hefesto_api.settings import Settings


@dataclass(frozen=True)
class Runtime:
    """The parts of one process; `draining` is set when it must take no new work.

    `seats` are for requests that wait for an analysis: some threads always stay free for the others.
    `intake` keeps what monitoring tools send, many messages in one transaction. `endings` are called before
    the process lets go of its database. `counted_by` are looks at whose counts limits go by.
    """

    settings: Settings
    db: Database
    watch: Watch
    seats: threading.BoundedSemaphore
    intake: GroupCommit[Arrival, Kept]
    memory: Memory = field(default_factory=Memory)
    started_at: datetime = field(default_factory=clock.now)
    draining: threading.Event = field(default_factory=threading.Event)
    endings: list[Callable[[], None]] = field(default_factory=list)
    counted_by: list[Callable[[], str]] = field(default_factory=list)

    @cached_property
    def vault(self) -> Vault:
        """What secrets at rest are encrypted with, opened when first used; raises ServiceUnavailable."""
        try:
            vault = open_vault(self.settings)
        except UsageError as error:
            raise ServiceUnavailable(error.message, service="secrets", reason="no_key") from error
        try:
            secret_keys.admit(self.db, vault.key_ids)
        except UsageError as error:
            raise ServiceUnavailable(error.message, service="secrets", reason="other_key") from error
        return vault

    @cached_property
    def ledger(self) -> Ledger:
        """What writes the audit log."""
        return Ledger(lambda: self.vault)

    @cached_property
    def passwords(self) -> Passwords:
        """What hashes passwords: in all processes together, as many at once as there are processors."""
        turns = max((os.cpu_count() or 1) // max(self.settings.workers, 1), 1)
        return Passwords(memory_kib=self.settings.password_memory_mb * 1024, turns=turns)

    @cached_property
    def tokens(self) -> Tokens:
        """What mints and verifies access tokens."""
        issuer = self.settings.public_url or ISSUER  # what others compare who check tokens by our keys
        return Tokens(self.vault, signing_keys.Shelf(self.db), issuer=issuer)

    @cached_property
    def openid(self) -> OpenId | None:
        """The provider that people may sign in with, if there is one."""
        return open_provider(self.settings)

    @cached_property
    def advisor(self) -> Advisor | None:
        """The language model that people may ask for advice, if there is one."""
        return Advisor(self.settings) if self.settings.llm else None

    @cached_property
    def limits(self) -> limits.Address:
        """Where calls are counted, for limits; who counts there opens it."""
        return limits.address(self.settings)

    def limits_by(self) -> str:
        """Look whose counts limits go by: those in `redis`, of the `host` or the `process`; "" for none."""
        return self.counted_by[-1]() if self.counted_by else ""

    @cached_property
    def integrity(self) -> Integrity:
        """What is known of damage to the database's file."""
        return Integrity(self.db)

    @cached_property
    def metrics(self) -> Metrics:
        """What the process counts for Prometheus, from when it is first asked for."""
        from hefesto_api.adapters.metrics import Metrics  # noqa: PLC0415 - commands count nothing

        counts = Metrics()
        self.db.observer = counts
        return counts

    @cached_property
    def answers(self) -> Answers:
        """The answers that are kept."""
        return Answers(
            Generations(self.db).look,
            lambda: self.metrics,
            size=self.settings.cache_size,
            ttl=self.settings.cache_ttl,
            redis_url=self.settings.redis_url,
            folder=lambda: limits.place.file_for(self.settings).with_name("answers"),
            namespace=self.settings.database_url,
        )

    @cached_property
    def usage(self) -> UsageCounter:
        """What API keys ask for, on its way to the database."""
        return UsageCounter(self.db)

    @cached_property
    def measures(self) -> Measures:
        """What the process measures of itself, on its way to the database."""
        return Measures(self.db, self.answers.asked)

    def close(self) -> None:
        """Let go of what is open; the process is about to end."""
        self.draining.set()
        self.watch.stop()
        for end in self.endings:
            end()
        self.usage.close()
        if "answers" in self.__dict__:
            self.answers.close()
        if "measures" in self.__dict__:
            self.measures.close()
        self.db.close()


def examine_secrets(settings: Settings, db: Database) -> Vault | None:
    """Open the vault before anything is served; None where none is needed yet.

    Raises UsageError when the keys are not those of the secrets in the database, and where there must be a
    key and is none.
    """
    if settings.auth != "required" and not can_open_vault(settings):
        return None
    vault = open_vault(settings)
    with suppress(StorageError):  # what is out of reach or not migrated yet is examined at its first use
        secret_keys.admit(db, vault.key_ids)
    return vault


def prepare_secrets(settings: Settings, db: Database) -> None:
    """Examine the secrets of a migrated database, and seal those that earlier versions stored plainly."""
    vault = examine_secrets(settings, db)
    if vault is not None:
        resealing.seal_plain(db, vault)


def build(settings: Settings) -> Runtime:
    """Make the parts that the settings ask for; nothing is opened before it is used."""
    db = open_database(settings.database_url, connections=settings.threads + 2)
    seats = threading.BoundedSemaphore(max(settings.threads - 4, settings.threads // 2, 1))
    made = Runtime(
        settings=settings,
        db=db,
        watch=Watch(lambda: _expect_current(db)),
        seats=seats,
        intake=GroupCommit(db, intake.keep, size=lambda arrival: len(arrival.body)),
    )
    db.witness = made.ledger
    if settings.redis_url and not db.is_sqlite:  # SQLite is one host's, where looking costs nothing
        bell = Bell(settings.redis_url)
        db.bell = bell.ring
        made.endings.append(bell.close)
    bigquery.refuse_unusable(settings)
    if settings.broker_url:
        broker.refuse_unusable(settings.broker_url)
        publisher = broker.Publisher(settings.broker_url)
        db.dispatch = publisher.send
        made.endings.append(publisher.close)
    return made


def start_telemetry(made: Runtime) -> None:
    """Begin to tell traces, statements included, if the settings name a collector."""
    if telemetry.start(made.settings):
        statements.watch(telemetry.statement)
        made.endings.append(telemetry.stop)


def _expect_current(db: Database) -> None:
    if not migrate.serves(migrate.current(db)):
        raise ServiceUnavailable(
            "The database has another schema.", service="database", reason="not_migrated"
        )
