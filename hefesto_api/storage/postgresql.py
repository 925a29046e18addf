"""PostgreSQL: one engine through psycopg 3, whose readers run in READ ONLY transactions."""

from __future__ import annotations

from importlib.util import find_spec

import orjson
import sqlalchemy as sa

from hefesto_api.domain.errors import StorageError, UsageError
from hefesto_api.storage.base import Session, dump_json
from hefesto_api.storage.failures import translate

_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=60s"


class _Pool(sa.QueuePool):
    """A pool whose own refusal is said in the words of the domain."""

    def connect(self) -> sa.PoolProxiedConnection:
        """Return a connection; raises StorageError when none comes back in time."""
        try:
            return super().connect()
        except sa.exc.TimeoutError as error:
            message = "All connections to the database are in use; try again."
            raise StorageError(message, service="database", reason="busy") from error


def commit(session: Session) -> None:
    """Commit; raises StorageError, which says so where nobody knows whether it was done."""
    try:
        session.commit()
    except StorageError as error:
        if error.details.get("reason") != "connection_lost":
            raise
        message = "The connection to the database was lost while the change was made final: it may be made."
        raise StorageError(message, service="database", reason="outcome_unknown") from error


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
        poolclass=_Pool,
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
