"""PostgreSQL goes away in the midst: what is known is said, and what is not known is said not to be."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hefesto_api.domain.errors import StorageError
from hefesto_api.storage.database import Database, open_database

# SQLite is never elsewhere.
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("db_kind", ["postgresql"], indirect=True, scope="session"),
]
TERMINATE = sa.text("SELECT pg_terminate_backend(:pid, 10000)")


@pytest.fixture
def narrow(db: Database) -> Database:
    """The same database with one connection (and one more), for which nobody waits long."""
    return open_database(db.url.render_as_string(hide_password=False), connections=1, patience=0.05)


def test_a_connection_that_is_lost_is_replaced_and_the_outcome_is_not_claimed(
    db: Database, narrow: Database
) -> None:
    with pytest.raises(StorageError) as lost, narrow.write(witnessed=False) as session:
        pid = session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with db.write(witnessed=False) as other:
            assert other.execute(TERMINATE, {"pid": pid}).scalar_one()
    assert lost.value.details["reason"] == "outcome_unknown"
    with pytest.raises(StorageError) as lost, narrow.read() as session:
        pid = session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with db.write(witnessed=False) as other:
            assert other.execute(TERMINATE, {"pid": pid}).scalar_one()
        session.execute(sa.text("SELECT 1"))
    assert lost.value.details["reason"] == "connection_lost"
    with narrow.write(witnessed=False) as session:
        assert session.execute(sa.text("SELECT 1")).scalar_one() == 1
    narrow.close()


def test_who_gets_no_connection_in_time_is_told_to_try_again(narrow: Database) -> None:
    with narrow.read(), narrow.read(), pytest.raises(StorageError) as busy, narrow.read():
        pass
    assert busy.value.details["reason"] == "busy"
    narrow.close()
