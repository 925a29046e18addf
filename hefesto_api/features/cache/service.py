"""Looking after what is kept: how it does, making it ready, forgetting it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import audit
from hefesto_api.storage import generations, projects

if TYPE_CHECKING:
    from hefesto_api.adapters.cache import Answers
    from hefesto_api.storage.database import Database

DIGITS = 4


def stats(answers: Answers) -> dict[str, Any]:
    """Return what the tiers of this process have counted."""
    local, shared = answers.local, answers.shared
    asked, hits = answers.asked()
    return {
        "l1": {
            "size": len(local),
            "max_size": local.most,
            "bytes": local.bytes,
            "hits": local.hits,
            "misses": local.misses,
            "hit_rate": _rate(local.hits, local.hits + local.misses),
            "evictions": local.evictions,
            "ttl_seconds": local.ttl,
        },
        "l2": shared
        and {
            "connected": not shared.is_resting,
            "hits": shared.hits,
            "misses": shared.misses,
            "errors": shared.errors,
            "hit_rate": _rate(shared.hits, shared.hits + shared.misses),
        },
        "hit_rate": _rate(hits, asked),
        "made": answers.made,
        "waited": answers.flights.waited,
        "from_other_processes": answers.carried,
        "process": os.getpid(),
    }


def health(answers: Answers) -> dict[str, Any]:
    """Look at each tier."""
    local = {"enabled": answers.is_on, "size": len(answers.local)}
    shared = None
    if answers.shared is not None:
        took = answers.shared.check()
        shared = {"connected": took is not None, "latency_ms": None if took is None else round(took, 3)}
    status = "healthy" if answers.is_on else "disabled"
    if answers.is_on and shared is not None and not shared["connected"]:
        status = "degraded"
    return {"status": status, "l1": local, "l2": shared}


def invalidate(db: Database, answers: Answers, wanted: dict[str, Any]) -> int:
    """Let what is named count as changed, for every process; return how many entries are concerned.

    That is done where every other change is told, in the database: whoever keeps an answer looks there
    before giving it.
    """
    patterns = list(wanted.get("keys", ())) or ([wanted["pattern"]] if wanted.get("pattern") else [])
    with db.write() as session:
        tags = _tags(session, wanted)
        moved = tags or [(generations.KEYS, pattern) for pattern in patterns]
        audit.note("cache.invalidated", "cache", None, dict(wanted))
        generations.move_to(session, moved)
    if patterns:
        return answers.forget(patterns)
    moment = answers.look()
    return answers.local.stale(lambda entry: not entry.is_good(moment))


def _tags(session: Any, wanted: dict[str, Any]) -> list[generations.Tag]:
    if wanted.get("all"):
        return [(generations.EVERYTHING, "")]
    tags = []
    for tag in wanted.get("tags", ()):
        kind, _, slug = tag.partition(":")
        tags.append((kind, str(projects.get(session, slug).id) if slug else ""))
    return sorted(set(tags))


def _rate(hits: int, asked: int) -> float | None:
    return round(hits / asked, DIGITS) if asked else None
