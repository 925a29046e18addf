"""The audit log: no change without its entry, no entry changed unnoticed."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import sqlalchemy as sa
from hefesto_api.adapters.secrets import Vault
from hefesto_api.domain import audit, clock
from hefesto_api.domain.errors import ServiceUnavailable, StorageError
from hefesto_api.storage import audit as log
from hefesto_api.storage import audit_check, audit_list, audit_retention, audit_seals, schedules
from hefesto_api.storage.audit import Ledger
from hefesto_api.storage.audit_list import Filter
from hefesto_api.storage.database import open_database
from tests import tampering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.storage.audit_check import Verdict
    from hefesto_api.storage.audit_list import Entry
    from hefesto_api.storage.database import Database

SECRET = "a secret key of forty characters at least"
EVERY = 60  # seconds: schedules stand here for what is changed, for nobody notes those
ANA = audit.Actor("u1", "ana", "key:k1", "192.0.2.7", "curl/8", "r-1")


@pytest.fixture
def ledger(db: Database) -> Ledger:
    """What writes the log of the database; from now on it witnesses."""
    vault = Vault([SECRET])
    made = Ledger(lambda: vault)
    db.witness = made
    return made


@pytest.fixture
def other(db: Database, db_url: str) -> Iterator[Database]:
    """The same database as another process has it."""
    vault = Vault([SECRET])
    opened = open_database(db_url)
    opened.witness = Ledger(lambda: vault)
    yield opened
    opened.close()


def entries(db: Database, **wanted: Any) -> list[Entry]:
    return list(audit_list.every(db, Filter(**wanted)))


def verdict(db: Database, ledger: Ledger, **noted: Any) -> Verdict:
    with db.read() as session:
        return audit_check.verify(session, ledger, **noted)


def write(db: Database, *slugs: str) -> list[str]:
    """Make things, each in a transaction of its own, and return the ids of their entries, oldest first."""
    for slug in slugs:
        with db.write() as session:
            schedules.ensure(session, slug, EVERY)
            audit.note("project.created", "project", slug, {"name": {"from": None, "to": slug}}, project=slug)
    return [entry.id for entry in entries(db)]


def slugs_of(db: Database) -> list[str]:
    with db.read() as session:
        return [schedule.name for schedule in schedules.every(session)]


def test_an_entry_says_who_did_what_to_what(db: Database, ledger: Ledger) -> None:
    before = clock.now()
    with audit.acting(ANA), db.write() as session:
        schedules.ensure(session, "shop", EVERY)
        audit.note(
            "project.created", "project", "shop", {"name": {"from": None, "to": "Shop"}}, project="shop"
        )
    (entry,) = entries(db)
    assert (entry.user_id, entry.user_name, entry.credential) == ("u1", "ana", "key:k1")
    assert (entry.action, entry.resource_type, entry.resource_id) == ("project.created", "project", "shop")
    assert (entry.ip_address, entry.user_agent, entry.request_id) == ("192.0.2.7", "curl/8", "r-1")
    assert (entry.outcome, entry.project) == ("success", "shop")
    assert entry.changes == {"name": {"from": None, "to": "Shop"}}
    assert clock.rfc3339(before) <= entry.timestamp <= clock.rfc3339(clock.now())
    with db.read() as session:
        assert audit_list.one(session, entry.id) == entry


def test_what_nobody_asked_for_is_done_by_the_system(db: Database, ledger: Ledger) -> None:
    write(db, "shop")
    assert [(entry.user_id, entry.request_id) for entry in entries(db)] == [("system", None)]


def test_a_change_that_nobody_noted_is_told_by_its_door_once(db: Database, ledger: Ledger) -> None:
    with audit.acting(ANA, lambda: audit.Note("project.changed", "project", "shop")):
        with db.write() as session:
            schedules.ensure(session, "shop", EVERY)
        with db.write() as session:
            schedules.ensure(session, "other", EVERY)
    assert [entry.action for entry in entries(db)] == ["project.changed"]


def test_what_changes_nothing_is_no_entry(db: Database, ledger: Ledger) -> None:
    write(db, "shop")
    with audit.acting(ANA, lambda: audit.Note("project.changed", "project", "shop")):
        with db.write() as session:
            schedules.every(session)
        with db.write(witnessed=False) as session:
            schedules.ensure(session, "machinery", EVERY)
    assert [entry.action for entry in entries(db)] == ["project.created"]


def test_what_a_failed_transaction_noted_is_not_told(db: Database, ledger: Ledger) -> None:
    with audit.acting(ANA) as act:
        audit.note("login.failed", "user", "u1", outcome=audit.FAILED)
        with pytest.raises(ZeroDivisionError), db.write() as session:
            schedules.ensure(session, "shop", EVERY)
            audit.note("project.created", "project", "shop")
            raise ZeroDivisionError
        assert [note.action for note in act.notes] == ["login.failed"]
        write(db, "other")
    assert [(entry.action, entry.user_id) for entry in entries(db)] == [
        ("login.failed", "u1"),
        ("project.created", "u1"),
    ]
    assert slugs_of(db) == ["other"]


def test_a_note_outside_of_everything_is_a_mistake(db: Database) -> None:
    with pytest.raises(RuntimeError, match="by nobody"):
        audit.note("project.created", "project", "shop")


def test_no_entry_no_change(db: Database, ledger: Ledger) -> None:
    write(db, "before")
    refuse = (
        "CREATE TRIGGER never BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'no'); END"
        if db.is_sqlite
        else "ALTER TABLE audit_logs ADD CONSTRAINT never CHECK (false) NOT VALID"
    )
    with db.schema() as session:
        session.exec_driver_sql(refuse)
    with pytest.raises(StorageError) as noted, db.write() as session:
        schedules.ensure(session, "shop", EVERY)
        audit.note("project.created", "project", "shop")
    assert noted.value.details["service"] == "audit"
    act = audit.acting(ANA, lambda: audit.Note("project.changed", "project", "shop"))
    with act, pytest.raises(StorageError), db.write() as session:
        schedules.ensure(session, "shop", EVERY)
    assert slugs_of(db) == ["before"]
    assert verdict(db, ledger) == audit_check.Verdict(True, 1)
    with db.schema() as session:
        undo = "DROP TRIGGER never" if db.is_sqlite else "ALTER TABLE audit_logs DROP CONSTRAINT never"
        session.exec_driver_sql(undo)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_logs SET action = 'x'",
        "DELETE FROM audit_logs",
        "UPDATE audit_strands SET count = 0",
        "DELETE FROM audit_strands",
        "UPDATE audit_seals SET entries = 0",
        "DELETE FROM audit_seals",
    ],
)
def test_the_tables_are_append_only(db: Database, ledger: Ledger, statement: str) -> None:
    write(db, "a", "b")
    audit_seals.seal(db, ledger)
    with pytest.raises(Exception, match=r"state of the data|did not do"), db.write() as session:
        session.exec_driver_sql(statement)
    assert verdict(db, ledger).valid


@pytest.mark.parametrize("db_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_postgresql_keeps_them_from_truncation_too(db: Database, ledger: Ledger) -> None:
    write(db, "a")
    for table in ("audit_logs", "audit_strands", "audit_seals"):
        with pytest.raises(Exception, match=r"state of the data|did not do"), db.write() as session:
            session.exec_driver_sql(f"TRUNCATE {table}")


def test_an_untouched_log_is_valid(db: Database, ledger: Ledger) -> None:
    assert verdict(db, ledger) == audit_check.Verdict(True, 0)
    write(db, *"abcde")
    assert verdict(db, ledger) == audit_check.Verdict(True, 5)
    with db.read() as session:
        assert audit_check.glance(session, ledger) is None


OTHER_VALUES = {
    "timestamp": "'2020-01-01T00:00:00.000000Z'",
    "number": "number + 1000",
    "strand": "strand + 1000",
    "previous_hash": ":other",
    "hash": ":other",
    "changes": "replace(changes, 'to', 'ot')",
    "resource_id": "NULL",
    "ip_address": "'192.0.2.8'",
    "project": "'shop'",
    "user_agent": "''",
}


@pytest.mark.parametrize("at", [0, 2, 4], ids=["first", "middle", "last"])
@pytest.mark.parametrize("column", [*log.HASHED, "previous_hash", "hash"])
def test_an_edit_of_any_column_is_found(db: Database, ledger: Ledger, column: str, at: int) -> None:
    ids = write(db, *"abcde")
    value = OTHER_VALUES.get(column, f"{column} || 'x'" if column != "request_id" else "'r-9'")
    given = {"id": ids[at]} | ({"other": b"x" * 32} if value == ":other" else {})
    statement = f"UPDATE audit_logs SET {column} = {value} WHERE id = :id"  # noqa: S608
    assert tampering.run(db, statement, **given) == 1
    found = verdict(db, ledger)
    assert not found.valid
    assert found.first_bad is not None
    if column not in {"id", "number", "strand"}:
        assert found.first_bad == ids[at]
        assert found.checked == at + 1


def test_deleted_entries_are_missed_wherever_they_stood(db: Database, ledger: Ledger) -> None:
    ids = write(db, *"abc")
    for at, first_bad in ((2, "0/3"), (1, "0/2"), (0, "0/1")):  # the newest one first
        tampering.run(db, "DELETE FROM audit_logs WHERE id = :id", id=ids[at])
        found = verdict(db, ledger)
        assert (found.valid, found.first_bad) == (False, first_bad)
        with db.read() as session:
            assert "newest entries" in str(audit_check.glance(session, ledger))


def test_an_entry_that_went_from_the_middle_is_told_by_the_next(db: Database, ledger: Ledger) -> None:
    ids = write(db, *"abc")
    tampering.run(db, "DELETE FROM audit_logs WHERE id = :id", id=ids[1])
    assert verdict(db, ledger).first_bad == ids[2]


def test_two_entries_that_changed_places_are_found(db: Database, ledger: Ledger) -> None:
    ids = write(db, *"abcd")
    for number, at in ((-2, 1), (2, 2), (3, 1)):
        tampering.run(db, "UPDATE audit_logs SET number = :n WHERE id = :id", n=number, id=ids[at])
    assert verdict(db, ledger).first_bad == ids[2]


@pytest.mark.parametrize(("strand", "number"), [(0, 4), (0, -1), (7777, 1), (-1, 1)])
def test_an_entry_that_somebody_else_wrote_is_found(
    db: Database, ledger: Ledger, strand: int, number: int
) -> None:
    write(db, *"abc")
    names = ", ".join(name for name in (*log.HASHED, "hash") if name not in {"strand", "number", "id"})
    tampering.run(
        db,
        f"INSERT INTO audit_logs (strand, number, id, previous_hash, {names}) "  # noqa: S608
        f"SELECT :s, :n, 'forged', :p, {names} FROM audit_logs WHERE number = 3",
        s=strand, n=number, p=b"x" * 32,
    )  # fmt: skip
    assert not verdict(db, ledger).valid


def test_a_head_that_was_taken_back_with_its_entries_is_found(db: Database, ledger: Ledger) -> None:
    """Without the key nobody can write a head that says there were fewer entries."""
    write(db, *"abc")
    last = "(SELECT hash FROM audit_logs WHERE number = 2)"
    tampering.run(db, f"UPDATE audit_strands SET count = 2, last_hash = {last} WHERE strand = 0")  # noqa: S608
    tampering.run(db, "DELETE FROM audit_logs WHERE number = 3")
    assert verdict(db, ledger).first_bad == "0/2"
    ids = write(db, "d")  # the service goes on, and does not cover it up
    assert len(ids) == 3
    assert not verdict(db, ledger).valid


def test_everything_gone_is_found(db: Database, ledger: Ledger) -> None:
    write(db, *"abc")
    tampering.run(db, "DELETE FROM audit_logs")
    assert not verdict(db, ledger).valid
    tampering.run(db, "DELETE FROM audit_strands")
    assert not verdict(db, ledger).valid


def test_a_state_of_earlier_is_found_by_a_seal_that_was_noted(db: Database, ledger: Ledger) -> None:
    write(db, *"abc")
    first = audit_seals.seal(db, ledger)
    with db.read() as session:
        earlier = log.heads(session)
    write(db, *"de")
    second = audit_seals.seal(db, ledger)
    assert audit_seals.seal(db, ledger) is None
    assert verdict(db, ledger, seal=str(first)).valid
    assert verdict(db, ledger, seal=str(second)) == audit_check.Verdict(True, 5, seal=str(second))
    with tampering.intruder(db) as session:  # all of it as it was, heads and proofs too
        session.exec_driver_sql("DELETE FROM audit_logs WHERE number > 3")
        session.exec_driver_sql("DELETE FROM audit_seals WHERE number > 1")
        for head in earlier:
            session.execute(
                sa.update(log.audit_strands)
                .where(log.audit_strands.c.strand == head.strand)
                .values(count=head.count, last_hash=head.last_hash, proof=head.proof)
            )
    assert verdict(db, ledger).valid
    assert verdict(db, ledger, seal=str(second)).first_bad == "seal 2"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_seals SET entries = 9 WHERE number = 1",
        "UPDATE audit_seals SET heads = '[]' WHERE number = 2",
        "UPDATE audit_seals SET sealed_at = '2020-01-01T00:00:00.000000Z' WHERE number = 2",
        "DELETE FROM audit_seals WHERE number = 2",
        "DELETE FROM audit_seals WHERE number = 1",
        "DELETE FROM audit_seals",
        "UPDATE audit_strands SET proof = last_hash WHERE strand = -1",
        "UPDATE audit_strands SET pruned = 1 WHERE strand = 0",
        "DELETE FROM audit_strands WHERE strand = -1",
    ],
)
def test_edits_of_seals_and_heads_are_found(db: Database, ledger: Ledger, statement: str) -> None:
    write(db, "a")
    audit_seals.seal(db, ledger)
    write(db, "b")
    audit_seals.seal(db, ledger)
    assert verdict(db, ledger).valid
    assert tampering.run(db, statement) >= 1
    assert not verdict(db, ledger).valid


@pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)
def test_values_of_another_kind_are_found_where_sqlite_lets_them_in(db: Database, ledger: Ledger) -> None:
    ids = write(db, *"abc")
    for column, value in (
        ("user_agent", "CAST(x'ff' AS TEXT)"),
        ("action", "x'00ff'"),
        ("number", "'two'"),
        ("strand", "'none'"),
        ("hash", "'text'"),
        ("timestamp", "1.5"),
    ):
        before = f"SELECT {column} FROM audit_logs WHERE id = :id"  # noqa: S608
        with db.read() as session:
            kept = session.execute(sa.text(before), {"id": ids[1]}).scalar_one()
        tampering.run(db, f"UPDATE audit_logs SET {column} = {value} WHERE id = :id", id=ids[1])  # noqa: S608
        assert not verdict(db, ledger).valid, column
        tampering.run(db, f"UPDATE audit_logs SET {column} = :kept WHERE id = :id", kept=kept, id=ids[1])  # noqa: S608
        assert verdict(db, ledger).valid, column


def test_processes_continue_one_chain(db: Database, ledger: Ledger, other: Database) -> None:
    def work(mine: Database, name: str) -> None:
        for number in range(10):
            write_one(mine, f"{name}-{number}")

    def write_one(mine: Database, slug: str) -> None:
        with mine.write() as session:
            schedules.ensure(session, slug, EVERY)
            audit.note("project.created", "project", slug)

    jobs = [(db, "a"), (other, "b"), (db, "c"), (other, "d")]
    threads = [threading.Thread(target=work, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    audit_seals.seal(db, ledger)
    found = verdict(db, ledger)
    assert (found.valid, found.checked) == (True, 40)
    with db.read() as session:
        seal = audit_seals.newest(session)
        assert sorted(slugs_of(db)) == sorted(entry.resource_id or "" for entry in entries(db))
    assert seal is not None
    assert seal.entries == 40


def test_the_key_outlives_those_of_the_vault(db: Database, ledger: Ledger, db_url: str) -> None:
    write(db, "a")
    rotated = Vault(["a newer key of forty characters, at least so", SECRET])
    again = open_database(db_url)
    again.witness = Ledger(lambda: rotated)
    write(again, "b")
    assert verdict(again, Ledger(lambda: rotated)).valid
    without = verdict(again, Ledger(lambda: Vault(["quite another key of forty characters"])))
    assert not without.valid
    assert without.checked == 0
    again.close()


def test_without_a_vault_the_log_is_chained_and_its_key_sealed_later(db: Database, db_url: str) -> None:
    def no_vault() -> Vault:
        raise ServiceUnavailable("There is no key.", service="secrets", reason="no_key")

    db.witness = Ledger(no_vault)
    write(db, "a", "b")
    assert verdict(db, Ledger(no_vault)).valid
    with db.read() as session:
        assert not log.is_sealed(session)
    vault = Vault([SECRET])
    later = open_database(db_url)
    later.witness = Ledger(lambda: vault)
    write(later, "c")
    assert verdict(later, Ledger(lambda: vault)).checked == 3
    assert verdict(later, Ledger(lambda: vault)).valid
    with later.read() as session:
        assert log.is_sealed(session)
    later.close()


def test_pruned_entries_go_and_the_rest_verifies(
    db: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_retention, "AT_ONCE", 2)
    present = clock.now()
    for days in (40, 35, 31, 29, 3):
        with monkeypatch.context() as patched:
            patched.setattr(clock, "now", lambda ago=timedelta(days=days): present - ago)
            old = write(db, f"p{days}")
    audit_seals.seal(db, ledger)
    cutoff = clock.now() - timedelta(days=30)
    assert audit_retention.prune(db, ledger, cutoff, stopped=lambda: True) == 0
    assert audit_retention.prune(db, ledger, cutoff) == 3
    left = entries(db)
    assert [entry.id for entry in left if entry.action == "project.created"] == old[3:]
    pruned = [entry for entry in left if entry.action == "audit_log.pruned"]
    assert sum(entry.changes["entries"] for entry in pruned) == 3
    assert audit_retention.prune(db, ledger, cutoff) == 0
    found = verdict(db, ledger)
    assert (found.valid, found.checked) == (True, len(left))
    tampering.run(db, "DELETE FROM audit_logs WHERE id = :id", id=old[3])
    assert not verdict(db, ledger).valid


def test_secrets_and_contents_do_not_enter(db: Database, ledger: Ledger) -> None:
    with db.write():
        audit.note(
            "user.updated",
            "user",
            "u1",
            {
                "password": {"from": "one", "to": "two"},
                "api_key": "hef_abc",
                "totp": 123456,
                "require_signature": {"from": False, "to": True},
                "nested": {"refresh_token": "t", "list": [{"client_secret": "s"}]},
                "code": "import os\n",
                "content": "x" * 9000,
                "comment": "fine",
                "note": "n" * 5000,
            },
        )
    (entry,) = entries(db)
    assert entry.changes == {
        "password": {"from": "***", "to": "***"},
        "api_key": "***",
        "totp": "***",
        "require_signature": {"from": False, "to": True},
        "nested": {"refresh_token": "***", "list": [{"client_secret": "***"}]},
        "code": "***",
        "content": "(9000 characters)",
        "comment": "fine",
        "note": f"{'n' * 500}… (5000 characters)",
    }


def test_no_entry_is_endless(db: Database, ledger: Ledger) -> None:
    deep: Any = "end"
    for _ in range(500):
        deep = [deep, {"\ud800\0": deep}] if isinstance(deep, str) else [deep]
    actor = audit.Actor("u" * 9999, "n\0" * 9999, "c" * 9999, "i" * 9999, "\ud800" * 9999, "r" * 9999)
    with audit.acting(actor), db.write():
        audit.note("a" * 9999, "t" * 9999, "\ud800\0" * 9999, {"deep": deep})
        many = {f"field {number}": ["x" * 400] * 40 for number in range(40)}
        audit.note("finding.updated", "finding", "f1", many)
    for entry in entries(db):
        assert len(orjson.dumps(entry.changes)) <= log.MOST_CHANGES
        assert max(len(str(value)) for value in (entry.user_id, entry.user_agent, entry.resource_id)) < 3000
    assert verdict(db, ledger).valid


def test_the_list_is_filtered_searched_and_paged(db: Database, ledger: Ledger) -> None:
    with audit.acting(ANA), db.write():
        for number in range(7):
            audit.note(
                "finding.updated", "finding", f"f{number}", {"status": {"to": "ignored"}}, project="shop"
            )
        audit.note("access.refused", "project", "other", {"status": 404}, outcome=audit.REFUSED)
    write(db, "shop")
    assert len(entries(db, user_id="u1")) == 8
    assert len(entries(db, user_id="system")) == 1
    assert len(entries(db, action="finding.updated", project="shop")) == 7
    assert [entry.resource_id for entry in entries(db, resource_type="finding", resource_id="f3")] == ["f3"]
    assert len(entries(db, outcome="refused")) == len(entries(db, q="REFUSED")) == 1
    assert len(entries(db, ip_address="192.0.2.7", request_id="r-1")) == 8
    assert len(entries(db, q="ignored")) == 7
    assert entries(db, q="100%") == []
    assert entries(db, start=clock.now()) == []
    assert len(entries(db, end=clock.now())) == 9
    with db.read() as session:
        first = audit_list.page(session, Filter(user_id="u1"), limit=5)
        rest = audit_list.page(session, Filter(user_id="u1"), limit=5, after=audit_list.key_of(first[-1]))
        assert audit_list.count(session, Filter(user_id="u1")) == (8, True)
        assert audit_list.count(session, Filter(), exact_to=4) == (4, False)
    assert [entry.id for entry in (*first, *rest)] == [
        entry.id for entry in reversed(entries(db, user_id="u1"))
    ]


def test_an_export_reads_part_by_part(db: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_list, "AT_ONCE", 3)
    ids = write(db, *"abcdefg")
    assert len(ids) == len(set(ids)) == 7
