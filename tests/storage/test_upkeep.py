"""The hourly upkeep: what nothing needs goes, what somebody may ask for stays."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.storage import analyses, contents, idempotency, jobs, outbox, upkeep, workers
from hefesto_api.storage.contents import NewContent
from hefesto_api.storage.database import Database

LONG_AGO = clock.now() - timedelta(days=400)


def test_old_things_that_nothing_needs_go(db: Database) -> None:
    with db.write() as session:
        for kind in ("old", "new"):
            contents.store(session, "e1", [NewContent(kind, "python", "python", 1, b"r")])
        session.execute(
            sa.update(contents.contents)
            .where(contents.contents.c.sha256 == "old")
            .values(last_used_at=LONG_AGO)
        )
        ended = jobs.enqueue(session, "work", {})
        waiting = jobs.enqueue(session, "work", {})
        session.execute(
            sa.update(jobs.jobs)
            .where(jobs.jobs.c.id == ended)
            .values(status="succeeded", finished_at=LONG_AGO)
        )
        outbox.append(session, "analysis.completed", {})
        session.execute(sa.update(outbox.outbox).values(created_at=LONG_AGO))
        outbox.append(session, "analysis.completed", {})
        idempotency.claim(session, "me", "key", "hash", now=LONG_AGO)
        gone = workers.register(session, "host", 1, 1)
        session.execute(sa.update(workers.workers).values(heartbeat_at=LONG_AGO))
        here = workers.register(session, "host", 2, 1)
        kept = analyses.create(session, kind="inline", path="a.py", created_at=LONG_AGO)
    upkeep.run(db)
    with db.read() as session:
        left = contents.lookup(session, "e1", [("old", "python"), ("new", "python")])
        assert set(left) == {("new", "python")}
        assert [job.id for job in jobs.page(session)] == [waiting]
        assert len(outbox.after(session, 0)) == 1
        assert {one.id for one in workers.on_host(session, "host")} == {here.id} != {gone.id}
        assert analyses.get(session, kept.id).path == "a.py"
    with db.write() as session:
        assert idempotency.claim(session, "me", "key", "another hash") is None
