"""What is true now, for Prometheus: looked up when it asks, the same whichever process answers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hefesto_api.adapters.metrics import Now
from hefesto_api.domain.errors import HefestoError
from hefesto_api.features.health import service, system_service
from hefesto_api.storage import deliveries, jobs, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.runtime import Runtime

KINDS = (
    "alert_upkeep", "analysis", "audit_seal", "baselines", "correlation", "deployment_verdicts", "history",
    "intake", "measures", "upkeep", "words",
)  # fmt: skip
"""The kinds of jobs that are told of also while there are none, so that alerts can ask about them."""


def now(runtime: Runtime) -> Iterator[Now]:
    """Look at everything that can be looked at; the rest is left out while the storage does not answer."""
    yield from _disk(runtime)
    answers = 0
    with suppress(HefestoError):
        yield from list(_storage(runtime))
        answers = 1
    yield Now("hefesto_database_up", "Whether the database answers.", {(): answers})
    runtime.metrics.know_damage(known=bool(service.damage(runtime)))
    up = service.is_up(runtime)
    yield Now("hefesto_up", "Whether the process that answers takes requests.", {(): up})


def _disk(runtime: Runtime) -> Iterator[Now]:
    with suppress(OSError):
        usage = service.disk_usage(runtime)
        yield Now("hefesto_disk_free_bytes", "Room left where the database is.", {(): usage.free})
        yield Now("hefesto_disk_size_bytes", "Room there is where the database is.", {(): usage.total})


def _storage(runtime: Runtime) -> Iterator[Now]:
    with runtime.db.read() as session:
        standing = jobs.standing(session)
        waiting = deliveries.waiting(session)
        alive = len(workers.alive(session, service.ALIVE_SECONDS))
    kinds = sorted({*KINDS, *(kind for kind, _ in standing)})

    def told(status: str, part: int) -> dict[tuple[str, ...], float]:
        return {(kind,): standing.get((kind, status), (0, 0.0))[part] for kind in kinds}

    yield Now("hefesto_queue_depth", "Jobs that wait.", told("queued", 0), ("kind",))
    yield Now(
        "hefesto_queue_oldest_job_age_seconds", "Since when the oldest waiting job has been due.",
        told("queued", 1), ("kind",),
    )  # fmt: skip
    yield Now("hefesto_queue_running", "Jobs that are carried out.", told("running", 0), ("kind",))
    yield Now("hefesto_queue_dead", "Jobs that were given up.", told("dead", 0), ("kind",))
    yield Now("hefesto_workers", "Workers that gave a sign of life.", {(): alive})
    yield Now("hefesto_webhook_deliveries_waiting", "Deliveries that wait.", {(): waiting})
    size = system_service.database(runtime.db)["size_bytes"]
    yield Now("hefesto_database_size_bytes", "What the database takes.", {(): size})
