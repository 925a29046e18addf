"""Looking at the parts of the service: each check says how it went, how long it took and what it saw."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hefesto_api.analyzers import registry
from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError
from hefesto_api.features.health import integrations
from hefesto_api.storage import audit, audit_check, deliveries, jobs, migrate, webhooks, workers
from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hefesto_api.runtime import Runtime

    Look = Callable[[Runtime], tuple[str, dict[str, Any]]]

HEALTHY, DEGRADED, UNHEALTHY, DISABLED = "healthy", "degraded", "unhealthy", "disabled"
_SERVICE_WORDS = {HEALTHY: "OK", DEGRADED: "DEGRADED", UNHEALTHY: "DOWN", DISABLED: "DISABLED"}
_STALE_SECONDS = 300.0
_LEAST_FREE = 0.05
_LEAST_MEMORY = 0.02
ALIVE_SECONDS = 90.0  # since a worker's latest sign of life
# What each analyzer needs: it works with all of its parts, and in part with one.
_PARTS = {
    "complexity": ("tree_sitter",),
    "security": ("ruff", "tree_sitter"),
    "code_smells": ("tree_sitter",),
    "best_practices": ("ruff", "tree_sitter"),
}


class Check(Struct, frozen=True):
    """The outcome of looking at one part; `latency_ms` is how long the look took."""

    status: str
    latency_ms: float
    details: dict[str, Any]


def is_up(runtime: Runtime) -> bool:
    """Tell whether this process takes requests: no storage access, only the latest outcome."""
    return runtime.watch.well() and not runtime.draining.is_set()


def readiness(runtime: Runtime) -> dict[str, bool]:
    """Return what must all hold before requests are sent here; looks at the storage now."""
    database = _look(runtime, _database)
    return {
        "storage": database.status == HEALTHY or database.details.get("reason") == "not_migrated",
        "migrated": database.status == HEALTHY,
        "queue": _look(runtime, _queue).status in {HEALTHY, DEGRADED},
        "accepting": not runtime.draining.is_set(),
    }


def checks(runtime: Runtime) -> dict[str, Check]:
    """Look at every part."""
    return {name: _look(runtime, look) for name, look in LOOKS.items()}


def overall(checked: Mapping[str, Check]) -> str:
    """Sum up: unhealthy when a required part is down, degraded when anything is less than well."""
    if any(checked[name].status == UNHEALTHY for name in REQUIRED):
        return UNHEALTHY
    well = all(check.status in {HEALTHY, DISABLED} for check in checked.values())
    return HEALTHY if well else DEGRADED


def services(checked: Mapping[str, Check]) -> dict[str, str]:
    """Return the parts in the words of `GET /api/v1/health`."""
    words = {name: _SERVICE_WORDS[check.status] for name, check in checked.items()}
    return {
        "analyzer": words["analyzers"],
        "database": words["database"],
        "cache": words["cache"],
        "queue": words["queue"],
        "llm": words["llm"],
        "gemini_api": words["llm"],
    }


def analyzers(parts: Mapping[str, str]) -> dict[str, str]:
    """Return the state of each analyzer from that of the parts it is made of."""
    return {
        name: _worst([parts.get(part, "unavailable") for part in needed]) for name, needed in _PARTS.items()
    }


def queue_depth(runtime: Runtime) -> int:
    """Return how many jobs wait."""
    with runtime.db.read() as session:
        return jobs.counts(session).get("queued", 0)


def status(runtime: Runtime) -> dict[str, Any]:
    """Return the state of the whole in one word, and of its parts."""
    checked = checks(runtime)
    words = {HEALTHY: "operational", DEGRADED: "degraded", UNHEALTHY: "outage"}
    return {
        "status": words[overall(checked)],
        "version": __version__,
        "analyzers": analyzers(registry.availability()),
        "integrations": integrations.states(runtime),
        "uptime_seconds": round((clock.now() - runtime.started_at).total_seconds(), 3),
        "last_health_check": clock.rfc3339(runtime.watch.checked_at or clock.now()),
    }


def warnings(runtime: Runtime) -> list[str]:
    """Return what an operator should know though nothing is broken."""
    told = []
    if runtime.settings.auth == "open":
        told.append("HEFESTO_AUTH=open: whoever reaches this address may do everything.")
    if runtime.limits_by() == "process":
        told.append("Each process counts by itself what callers ask for: limits hold only within each.")
    try:
        told += _audit(runtime)
        told += integrations.warnings(runtime)
    except HefestoError:  # the database's own check tells of that
        return told
    return told


def _audit(runtime: Runtime) -> list[str]:
    """Look at the ends of the audit log; all of it is looked at by `hefesto audit verify`."""
    with runtime.db.read() as session:
        wrong = audit_check.glance(session, runtime.ledger)
        sealed = audit.is_sealed(session)
    told = [f"Somebody wrote to the database past the service: {wrong}."] if wrong else []
    if not sealed:
        told.append(
            "HEFESTO_SECRET_KEY is not set: whoever may write to the database can forge audit entries."
        )
    return told


def _worst(states: list[str]) -> str:
    if all(state == "available" for state in states):
        return "available"
    return "degraded" if "available" in states else "unavailable"


def _look(runtime: Runtime, look: Look) -> Check:
    started = time.perf_counter()
    try:
        state, details = look(runtime)
    except HefestoError as error:
        state, details = UNHEALTHY, {"reason": error.details.get("reason", error.code)}
    except OSError as error:
        state, details = UNHEALTHY, {"reason": error.strerror or "failed"}
    return Check(state, round((time.perf_counter() - started) * 1000, 3), details)


def _database(runtime: Runtime) -> tuple[str, dict[str, Any]]:
    revision = migrate.current(runtime.db)
    kind = "sqlite" if runtime.db.is_sqlite else "postgresql"
    if not migrate.serves(revision):
        return UNHEALTHY, {"kind": kind, "reason": "not_migrated", "revision": revision}
    found = runtime.integrity.look()
    if found.problems:
        remedy = "Stop the service, and `hefesto db restore FILE` a backup; `hefesto db check` tells all."
        details = {"reason": "damaged", "problems": list(found.problems), "remedy": remedy}
        return UNHEALTHY, {"kind": kind, "revision": revision, **details}
    refusal = runtime.db.refusal()
    if refusal:
        return DEGRADED, {"kind": kind, "revision": revision, "reason": refusal}
    return HEALTHY, {"kind": kind, "revision": revision}


def _queue(runtime: Runtime) -> tuple[str, dict[str, Any]]:
    with runtime.db.read() as session:
        counts = jobs.counts(session)
        _, oldest = jobs.waiting(session)
        alive = len(workers.alive(session, ALIVE_SECONDS))
    details = {
        "queued": counts.get("queued", 0),
        "running": counts.get("running", 0),
        "dead": counts.get("dead", 0),
        "oldest_due_seconds": round(oldest, 3),
        "workers": alive,
    }
    if oldest > _STALE_SECONDS:
        return DEGRADED, {**details, "reason": "stuck" if alive else "no_worker"}
    return (DEGRADED, {**details, "reason": "dead_jobs"}) if details["dead"] else (HEALTHY, details)


def _analyzers(_runtime: Runtime) -> tuple[str, dict[str, Any]]:
    states = analyzers(registry.availability())
    words = {"available": HEALTHY, "degraded": DEGRADED, "unavailable": UNHEALTHY}
    return words[_worst(list(states.values()))], dict(states)


def damage(runtime: Runtime) -> list[str]:
    """Return what is known of damage to the database's file, without looking."""
    return list(runtime.integrity.known().problems)


def disk_usage(runtime: Runtime) -> Any:
    """Return the room on the disk of the database, or of the working directory; raises OSError."""
    place = Path(runtime.db.url.database or ".").parent if runtime.db.is_sqlite else Path()
    return shutil.disk_usage(place if place.exists() else Path())


def _disk(runtime: Runtime) -> tuple[str, dict[str, Any]]:
    usage = disk_usage(runtime)
    state = DEGRADED if usage.free < usage.total * _LEAST_FREE else HEALTHY
    return state, {"free_bytes": usage.free, "total_bytes": usage.total}


def _memory(_runtime: Runtime) -> tuple[str, dict[str, Any]]:
    try:
        pages = os.sysconf("SC_AVPHYS_PAGES"), os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return DISABLED, {}
    size = os.sysconf("SC_PAGE_SIZE")
    details = {
        "free_bytes": pages[0] * size,
        "total_bytes": pages[1] * size,
        "process_bytes": resident_bytes(),
    }
    return (DEGRADED if pages[0] < pages[1] * _LEAST_MEMORY else HEALTHY), details


def resident_bytes() -> int:
    """Return the memory this process holds (Linux; elsewhere 0)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _cache(runtime: Runtime) -> tuple[str, dict[str, Any]]:
    """Look at what this process keeps, and at Redis, where there is one: without it each goes on alone."""
    answers = runtime.answers
    if not answers.is_on and not runtime.settings.redis_url:
        return DISABLED, {}
    asked, hits = answers.asked()
    told: dict[str, Any] = {
        "kind": "redis" if answers.shared is not None else "memory",
        "entries": len(answers.local),
        "hit_rate": round(hits / asked, 4) if asked else None,
    }
    if answers.shared is None:
        return HEALTHY, told
    limits_by = runtime.limits_by()
    told |= {"limits_by": limits_by} if limits_by else {}
    if answers.shared.check() is None or limits_by not in {"", "redis"}:
        return DEGRADED, {**told, "reason": "not_reachable"}
    return HEALTHY, told


def _webhooks(runtime: Runtime) -> tuple[str, dict[str, Any]]:
    """Count the endpoints that are told of events: one that fails is seen, but no illness of the service."""
    with runtime.db.read() as session:
        return HEALTHY, {"endpoints": webhooks.counts(session), "waiting": deliveries.waiting(session)}


REQUIRED = ("database",)
LOOKS: dict[str, Look] = {
    "database": _database,
    "cache": _cache,
    "queue": _queue,
    "analyzers": _analyzers,
    "webhooks": _webhooks,
    "llm": integrations.llm,
    "disk": _disk,
    "memory": _memory,
}
