"""PostgreSQL: one engine through psycopg 3, whose readers run in READ ONLY transactions."""

from __future__ import annotations

from importlib.util import find_spec

import orjson
import sqlalchemy as sa

from hefesto_api.domain.errors import UsageError
from hefesto_api.storage.base import dump_json
from hefesto_api.storage.failures import translate

_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=60s"


def engine(url: sa.URL, connections: int, patience: float) -> sa.Engine:
    """Return an engine of at most twice `connections`; a connection that died is replaced on checkout."""
    if find_spec("psycopg") is None:
        raise UsageError("PostgreSQL needs psycopg: pip install 'hefesto-api[postgres]'")
    built = sa.create_engine(
        url,
        connect_args={
            "connect_timeout": 5,
            "options": f"{_OPTIONS} -c lock_timeout={patience * 1000:.0f}",
            "application_name": "hefesto",
        },
        pool_size=connections,
        max_overflow=connections,
        pool_timeout=patience,
        pool_recycle=1800,
        pool_pre_ping=True,
        json_serializer=dump_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,
    )
    sa.event.listen(built, "handle_error", translate)
    return built


def readers(engine: sa.Engine) -> sa.Engine:
    """Return the same engine with READ ONLY transactions that see one moment, as SQLite's do."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
