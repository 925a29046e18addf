"""Two hosts on one PostgreSQL and Redis: what one does the other tells; one goes, and nobody misses it."""

from __future__ import annotations

import http.client
import json
import signal
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.storage import migrate
from hefesto_api.storage.database import open_database
from tests.adapters.test_limits import Redis
from tests.databases import empty_database, server_answers
from tests.e2e.test_live import SECONDS, Server, heard, joined

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.timeout(300)]
LONG = "20"  # seconds that a host which is told to stop goes on answering


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers that share nothing but the database and Redis."""
    if not server_answers():
        pytest.skip("no PostgreSQL server answers")
    for name in ("redis", "one", "other"):
        (tmp_path / name).mkdir()
    with empty_database("postgresql", tmp_path, "hosts") as url, Redis(tmp_path / "redis") as redis:
        db = open_database(url)
        migrate.upgrade(db)
        settings = {"HEFESTO_DATABASE_URL": url, "HEFESTO_REDIS_URL": redis.url}
        settings["HEFESTO_DRAIN_SECONDS"] = LONG
        made = [
            Server(tmp_path / name, db, HEFESTO_RATE_LIMIT_FOLDER=str(tmp_path / name), **settings)
            for name in ("one", "other")
        ]
        yield made[0], made[1]
        for server in made:
            server.process.send_signal(signal.SIGQUIT)
        for server in made:
            server.process.wait(60)
        db.close()


def ask(
    client: http.client.HTTPConnection, method: str, path: str, body: Any = None
) -> tuple[int, str | None, Any]:
    """Return the status of an answer, whether it ends the connection, and its data."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    client.request(method, path, None if body is None else json.dumps(body), headers)
    answer = client.getresponse()
    content = json.loads(answer.read())
    return answer.status, answer.getheader("Connection"), content["data"]


def client_of(server: Server) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS))


def test_what_happens_at_one_is_told_at_the_other_and_one_may_go(hosts: tuple[Server, Server]) -> None:
    one, other = hosts
    with client_of(one) as client, joined(other.address()) as listener:
        assert heard(listener)["type"] == "snapshot"
        status, _, made = ask(client, "POST", "/api/v1/alerts", {"alert_id": "a1", "title": "It broke"})
        assert status == 201
        said = heard(listener)
        while said["type"] != "alert_new":
            said = heard(listener)
        assert said["data"]["id"] == made["id"]
    with client_of(one) as client:
        one.process.send_signal(signal.SIGTERM)
        while ask(client, "GET", "/readyz")[0] == 200:  # until the signal has come to who answers
            pass
        status, connection, found = ask(client, "GET", "/api/v1/alerts")
        assert (status, connection, found["total_count"]) == (200, "close", 1)
        one.process.send_signal(signal.SIGQUIT)
        one.process.wait(60)
    with client_of(other) as client:
        assert ask(client, "GET", "/api/v1/alerts")[2]["total_count"] == 1


def test_who_ends_answers_or_refuses_and_lets_nobody_wait(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/instance/hefesto.db")
    migrate.upgrade(db)
    server = Server(tmp_path, db)
    with client_of(server) as there:
        assert ask(there, "GET", "/livez")[0] == 200
        server.process.send_signal(signal.SIGTERM)
        with suppress(ConnectionError):  # gunicorn has them wait until who is there has gone
            while True:
                with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=4)) as late:
                    assert ask(late, "GET", "/livez")[0] == 200
    assert server.process.wait(60) == 0
    db.close()
