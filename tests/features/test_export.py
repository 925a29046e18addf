"""The stream to BigQuery: everything arrives once, whatever breaks; nothing waits for it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.features.export.streaming import GIVEN_UP, Exporter
from hefesto_api.storage import exports
from tests.answers import data_of
from tests.features.bigquery import BigQueryStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.features.conftest import Service

CODE = 'def f(x):\n    password = "Xk29dkQz81mmPL"\n    return eval(x)\n'
TRACE = (
    'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    return eval(x)\nTypeError: bad\n'
)
EMULATOR = os.environ.get("HEFESTO_TEST_BIGQUERY", shutil.which("local-bigquery") or "")


@pytest.fixture
def bigquery() -> Iterator[BigQueryStandIn]:
    with BigQueryStandIn() as made:
        yield made


@pytest.fixture
def streaming(make_service: Callable[..., Service], sqlite_url: str, bigquery: BigQueryStandIn) -> Service:
    return _streaming(make_service, sqlite_url, bigquery.url)


def _streaming(make_service: Callable[..., Service], url: str, to: str) -> Service:
    named = {"HEFESTO_BIGQUERY_PROJECT": "p", "HEFESTO_BIGQUERY_DATASET": "d", "HEFESTO_BIGQUERY_URL": to}
    made = make_service(url, HEFESTO_WAIT_SECONDS="0.05", **named)
    _drain(made)  # from here on
    return made


def _drain(service: Service) -> int:
    assert service.worker.exporter is not None
    return service.worker.exporter.drain()


def _analyze(service: Service) -> None:
    service.client.post("/api/v1/analyze", json={"path": ".", "severity_threshold": "LOW", "async": True})
    service.worker.drain()


def _awake(service: Service) -> None:
    """Let what was put off be tried now."""
    with service.runtime.db.write() as session:
        session.execute(exports.export_cursors.update().values(rests_until=None))


def _cursor(service: Service, name: str = exports.FINDINGS) -> exports.CursorRecord:
    with service.runtime.db.read() as session:
        return exports.every(session)[name]


def test_findings_events_and_correlations_arrive(streaming: Service, bigquery: BigQueryStandIn) -> None:
    streaming.write("a.py", CODE)
    _analyze(streaming)
    crash = {"alert_id": "one", "stacktrace": TRACE}
    told = data_of(streaming.client.post("/api/v1/iris/correlate-alert", json=crash))

    _drain(streaming)

    listed = streaming.get("/findings", status="all", limit=100)["findings"]
    sent = {row["id"]: row for row in bigquery.rows("hefesto_findings")}
    assert sent.keys() == {one["id"] for one in listed}
    columns = [field["name"] for field in bigquery.schemas["hefesto_findings"]["schema"]["fields"]]
    assert columns == [
        "id", "timestamp", "analysis_id", "file_path", "line_number", "column_number", "analyzer", "severity",
        "description", "recommendation", "code_snippet", "confidence", "status", "first_seen", "last_seen",
        "occurrence_count", "metadata",
    ]  # fmt: skip
    assert all(list(row) == columns for row in sent.values())
    assert "Xk29dkQz81mmPL" not in json.dumps(bigquery.tables)
    assert {row["type"] for row in bigquery.rows("hefesto_events")} >= {"analysis.completed", "alert.created"}
    (answer,) = bigquery.rows("hefesto_correlations")
    assert answer["id"] == told["correlation_id"]
    assert json.loads(answer["answer"])["alert_id"] == "one"


def test_a_changed_status_is_another_row_and_nothing_new_is_none(
    streaming: Service, bigquery: BigQueryStandIn
) -> None:
    streaming.write("a.py", CODE)
    _analyze(streaming)
    _drain(streaming)
    before = len(bigquery.rows("hefesto_findings"))
    finding = streaming.get("/findings", status="all")["findings"][0]["id"]

    assert _drain(streaming) == 0
    streaming.client.patch(f"/api/v1/findings/{finding}", json={"status": "acknowledged"})
    _drain(streaming)

    rows = bigquery.rows("hefesto_findings")
    assert len(rows) == before + 1
    assert (rows[-1]["id"], rows[-1]["status"]) == (finding, "acknowledged")


def test_what_a_kill_comes_between_is_sent_again_and_stands_once(
    streaming: Service, bigquery: BigQueryStandIn
) -> None:
    streaming.write("a.py", CODE)
    _analyze(streaming)

    class Dies(Exporter):
        def _send(self, *given: Any) -> tuple[int, int]:
            super()._send(*given)
            raise KeyboardInterrupt  # BigQuery has it, and nobody noted that

    with pytest.raises(KeyboardInterrupt):
        Dies(streaming.runtime, "the dead").drain()
    position = _cursor(streaming, exports.EVENTS).position
    sent = bigquery.requests
    assert bigquery.rows("hefesto_events")

    assert _drain(streaming) and bigquery.requests > sent  # the findings; the events are still leased
    assert _cursor(streaming, exports.EVENTS).position == position
    with streaming.runtime.db.write() as session:
        exports.release(session, "the dead")
    _drain(streaming)

    events = bigquery.rows("hefesto_events")
    assert len({row["id"] for row in events}) == len(events)
    assert not _drain(streaming)
    assert _cursor(streaming, exports.EVENTS).position > position


@pytest.mark.parametrize("status", [500, 429, 403, 404])
def test_while_bigquery_takes_nothing_all_waits_for_it_alone(
    streaming: Service, bigquery: BigQueryStandIn, status: int
) -> None:
    bigquery.status = status
    streaming.write("a.py", CODE)
    _analyze(streaming)  # nothing of this waits

    assert _drain(streaming) == 0
    held = _cursor(streaming)
    assert (held.failures, held.position) == (1, 0)
    assert held.rests_until is not None and held.rests_until > clock.now()
    assert str(status) in str(held.last_error)
    tried = bigquery.requests
    assert _drain(streaming) == 0 and bigquery.requests == tried  # it rests
    assert streaming.get("/status")["integrations"]["bigquery"] == "disconnected"

    bigquery.status = 200
    _awake(streaming)
    _drain(streaming)
    assert bigquery.rows("hefesto_findings")
    assert _cursor(streaming).failures == 0
    assert streaming.get("/status")["integrations"]["bigquery"] == "connected"


def test_a_table_that_somebody_dropped_is_made_again(streaming: Service, bigquery: BigQueryStandIn) -> None:
    streaming.write("a.py", CODE)
    _analyze(streaming)
    _drain(streaming)
    bigquery.tables.clear()
    streaming.write("b.py", CODE)
    _analyze(streaming)

    _drain(streaming)
    _awake(streaming)
    _drain(streaming)
    assert bigquery.rows("hefesto_findings")


def test_a_row_that_is_refused_does_not_stop_the_others(
    streaming: Service, bigquery: BigQueryStandIn
) -> None:
    streaming.write("a.py", CODE)
    _analyze(streaming)
    bigquery.refuses = lambda row: row.get("analyzer") == "security"
    _drain(streaming)
    some = _cursor(streaming)
    assert some.rows_refused >= 1 and some.rows_sent >= 1

    bigquery.refuses = lambda row: "analyzer" in row  # now all of them: that looks like a fault of the whole
    streaming.write("b.py", CODE)
    _analyze(streaming)
    for _ in range(GIVEN_UP):
        _drain(streaming)
        assert _cursor(streaming).position == some.position
        _awake(streaming)
    _drain(streaming)
    assert _cursor(streaming).position > some.position


def test_off_by_default_nothing_is_kept_or_said(idle: Service) -> None:
    assert idle.worker.exporter is None
    assert idle.get("/status")["integrations"]["bigquery"] == "disabled"
    assert idle.get("/config")["integrations"]["bigquery"]["enabled"] is False


def test_histories_are_complete_before_they_are_sent(
    make_service: Callable[..., Service], db_url: str, bigquery: BigQueryStandIn
) -> None:
    """On PostgreSQL a number may be given before another that is committed first."""
    service = _streaming(make_service, db_url, bigquery.url)
    db = service.runtime.db
    if not db.is_sqlite:
        elsewhere = sa.create_engine(db_url, poolclass=sa.NullPool)
        with elsewhere.begin() as slow:
            slow.exec_driver_sql("SELECT pg_current_xact_id()")
            service.write("a.py", CODE)
            _analyze(service)
            _drain(service)
            assert bigquery.rows("hefesto_findings") == []
    else:
        service.write("a.py", CODE)
        _analyze(service)
    until = time.monotonic() + 60
    while not bigquery.rows("hefesto_findings") and time.monotonic() < until:
        _drain(service)  # transactions of other databases of the server hold it up as well
    assert bigquery.rows("hefesto_findings")


def test_what_is_on_record_is_sent_when_somebody_asks_for_it(
    streaming: Service, bigquery: BigQueryStandIn
) -> None:
    streaming.write("a.py", CODE)
    _analyze(streaming)
    _drain(streaming)
    sent = len(bigquery.rows("hefesto_findings"))
    bigquery.tables["hefesto_findings"].clear()
    with streaming.runtime.db.write() as session:
        exports.rewind(session)
        assert exports.waiting(session)[exports.FINDINGS] == sent
    _drain(streaming)
    assert len(bigquery.rows("hefesto_findings")) == sent
    with streaming.runtime.db.read() as session:
        assert set(exports.waiting(session).values()) == {0}


@contextmanager
def _emulator(folder: Path, port: int) -> Iterator[str]:
    """Run the emulator, which keeps what it has in a folder."""
    argv = [EMULATOR, "serve", "--host", "127.0.0.1", "--port", str(port), "--grpc-port", "0"]
    with subprocess.Popen(
        [*argv, "--data-dir", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            _until_it_answers(url)
            yield url
        finally:
            process.kill()


def _until_it_answers(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/$discovery/rest", timeout=5):  # noqa: S310 - ours
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@pytest.mark.skipif(
    not EMULATOR,
    reason="no local-bigquery: it needs Python 3.13 and 500 MB of its own "
    "(pipx install local-bigquery, or HEFESTO_TEST_BIGQUERY=/path/to/local-bigquery)",
)
@pytest.mark.timeout(180)
def test_an_emulator_of_bigquery_that_is_killed_in_the_midst_has_all_in_the_end(
    make_service: Callable[..., Service], sqlite_url: str, tmp_path: Path
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    service = make_service(
        sqlite_url,
        HEFESTO_WAIT_SECONDS="0.05",
        HEFESTO_BIGQUERY_PROJECT="p",
        HEFESTO_BIGQUERY_DATASET="d",
        HEFESTO_BIGQUERY_LOCATION="EU",
        HEFESTO_BIGQUERY_URL=f"http://127.0.0.1:{port}",
    )
    _drain(service)
    with _emulator(tmp_path / "bq", port):
        service.write("a.py", CODE)
        _analyze(service)
        assert _drain(service)
    service.write("b.py", CODE)
    _analyze(service)
    assert _drain(service) == 0
    _awake(service)
    with _emulator(tmp_path / "bq", port) as url:
        assert _drain(service)
        ids = _ids(url)
    listed = service.get("/findings", status="all", limit=100)["findings"]
    assert sorted(ids) == sorted({one["id"] for one in listed})


def _ids(url: str) -> list[str]:
    asked = f"{url}/bigquery/v2/projects/p/datasets/d/tables/hefesto_findings/data?selectedFields=id"
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - ours
        return [row["f"][0]["v"] for row in json.load(answer).get("rows", [])]
