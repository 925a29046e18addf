"""The routes of the cache."""

from __future__ import annotations

import time
from typing import Any

from hefesto_api.features.cache import schemas, service
from hefesto_api.features.cache.targets import TARGETS
from hefesto_api.web import warming
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.scopes import require

blp = Blueprint("cache", url_prefix="/api/v1/cache", description="Answers that are kept.")
NOW = {"Cache-Control": "no-store"}  # an answer about now is about now


@blp.route("/stats", methods=["GET"])
@require("admin")
@blp.response(200, schemas.CacheStatsSchema)
def read_cache_stats() -> Any:
    """Tell how often answers were kept, in the process that answers this."""
    return success(to_json(service.stats(runtime().answers)), headers=NOW)


@blp.route("/health", methods=["GET"])
@require("admin")
@blp.response(200, schemas.CacheHealthSchema)
def read_cache_health() -> Any:
    """Tell whether answers are kept, and whether Redis answers."""
    return success(to_json(service.health(runtime().answers)), headers=NOW)


@blp.route("/warm", methods=["POST"])
@require("admin")
@blp.arguments(schemas.WarmSchema)
@blp.response(200, schemas.WarmedSchema)
def warm_cache(wanted: dict[str, Any]) -> Any:
    """Make answers before somebody asks for them, as they are for who may see every project."""
    began = time.perf_counter()
    names = list(dict.fromkeys(wanted["targets"])) or list(TARGETS)
    warmed = [name for name in names if _warm(TARGETS[name])]
    took = round((time.perf_counter() - began) * 1000, 3)
    return success(to_json({"warmed": warmed, "duration_ms": took}))


def _warm(addresses: tuple[str, ...]) -> bool:
    """Make all of some answers; tell whether there are all."""
    made = [warming.warm(address, None) for address in addresses]
    return all(made)


@blp.route("/invalidate", methods=["POST"])
@require("admin")
@blp.arguments(schemas.InvalidateSchema)
@blp.response(200, schemas.InvalidatedSchema)
def invalidate_cache(wanted: dict[str, Any]) -> Any:
    """Forget answers, in every process and in Redis.

    There is no need to, for an answer is never older than what was acknowledged: it is for what was changed
    in the database by hand.
    """
    held = runtime()
    return success(to_json({"invalidated": service.invalidate(held.db, held.answers, wanted)}))
