"""The feed of live connections: what is said of what is written, to whom, and for how long."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import credentials
from hefesto_api.features.live import sight
from hefesto_api.storage import outbox, projects
from hefesto_api.web import authentication
from hefesto_api.web.live import channels
from hefesto_api.web.live.channels import EventStream
from hefesto_api.web.live.feed import MOST_MISSED, Feed
from hefesto_api.web.live.hub import Hub, Rooms
from tests.access import make_key, make_user, required_service, session_of  # noqa: F401 - fixture
from tests.answers import data_of, error_of
from tests.databases import db_kind, db_template, db_url  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.features.conftest import Service


class Studio:
    """A hub and a feed on a service's database, which look when they are told to."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.now = 100.0
        kinds = service.client.application.extensions[authentication._KINDS]
        self.hub = Hub(Rooms(100, 0), lambda: self.now, self._left)
        self.feed = Feed(service.runtime, kinds, self.hub, sight, lambda: self.now)
        self._ends: list[socket.socket] = []

    def _left(self, channel: channels.Channel) -> None:
        self.feed.left(channel)

    def listen(self, token: str, *, after: int | None = None, project: str | None = None) -> Listener:
        """Listen with a credential, by Server-Sent Events, which are easily read."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._ends.append(theirs)
        channel = EventStream(after=after, project=project)
        self.hub.rooms.enter(())
        self.hub.add(channel, ours)
        self.feed.ask_in(channel, token)
        self.look()
        return Listener(self, channel, theirs)

    def look(self, seconds: float = 1.0) -> None:
        """Let time pass and have both look."""
        self.now += seconds
        for _ in range(3):
            self.feed.look()
            self.hub.turn(0)

    def end(self) -> None:
        """Close everything."""
        for one in self._ends:
            one.close()
        self.hub.start()
        self.hub.close()


class Listener:
    """Who listens, and what he heard."""

    def __init__(self, studio: Studio, channel: EventStream, sock: socket.socket) -> None:
        self._studio = studio
        self._sock = sock
        self.channel = channel

    def heard(self) -> list[dict[str, Any]]:
        """Return what has come since the last time."""
        self._studio.look()
        got = b""
        try:
            while piece := self._sock.recv(1 << 20):
                got += piece
        except BlockingIOError:
            pass
        return [json.loads(line[6:]) for line in got.decode().split("\n") if line.startswith("data: ")]

    def kinds(self) -> list[str]:
        """Return the types of what has come, or the code of the end."""
        return [one.get("type") or str(one["code"]) for one in self.heard()]


@pytest.fixture
def studio(required_service: Service) -> Iterator[Studio]:  # noqa: F811
    """A studio on a service that asks for credentials."""
    made = Studio(required_service)
    yield made
    made.end()


def token_of(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


def tell(service: Service, kind: str, project: str | None = None, **data: Any) -> int:
    """Write an event, and return its number."""
    with service.runtime.db.write(witnessed=False) as session:
        project_id = None if project is None else projects.ensure(session, project).id
        outbox.append(session, kind, data, project_id=project_id)
        return outbox.last(session)


@pytest.fixture
def anywhere(make_service: Callable[..., Service], db_url: str) -> Iterator[Studio]:  # noqa: F811
    """A studio on each of the databases."""
    made = Studio(make_service(db_url, HEFESTO_AUTH="required"))
    yield made
    made.end()


def test_newcomers_get_a_snapshot_and_then_what_happens(anywhere: Studio) -> None:
    studio = anywhere
    listener = studio.listen(token_of(make_key(studio.service, "viewer")))
    (first,) = listener.heard()
    assert (first["type"], set(first["data"])) == (
        "snapshot",
        {"alerts", "deployments", "findings", "analyses"},
    )
    number = tell(studio.service, "alert.created", "shop", id="a1")
    told, moved = listener.heard()
    assert (told["type"], told["id"]) == ("alert_new", str(number))
    assert told["data"]["event"] == "alert.created"
    assert (told["data"]["id"], told["data"]["project"]) == ("a1", "shop")
    assert (moved["type"], moved["data"]["project"]) == ("metrics_update", "shop")
    assert moved["data"]["caused_by"] == ["alert.created"]


@pytest.mark.parametrize(
    ("kind", "role", "said"),
    [
        ("alert.acknowledged", "viewer", "alert_updated"),
        ("alert.resolved", "viewer", "alert_updated"),
        ("analysis.completed", "viewer", "analysis_progress"),
        ("anomaly.detected", "viewer", "anomaly_detected"),
        ("webhook.status_changed", "operator", "webhook_status_changed"),
    ],
)
def test_each_event_has_its_word(studio: Studio, kind: str, role: str, said: str) -> None:
    listener = studio.listen(token_of(make_key(studio.service, role)))
    listener.heard()
    tell(studio.service, kind, None, id="x")
    assert listener.kinds() == [said]


def test_nobody_hears_of_other_projects_or_without_the_scope(studio: Studio) -> None:
    tell(studio.service, "deployment.created", "ours")
    tell(studio.service, "deployment.created", "theirs")
    bound = studio.listen(token_of(make_key(studio.service, "viewer", projects=["ours"])))
    deaf = studio.listen(token_of(make_key(studio.service, scopes=["read:metrics"])))
    (first,) = deaf.heard()
    assert first["data"] == {}
    bound.heard()
    tell(studio.service, "alert.created", "theirs", id="a secret")
    tell(studio.service, "webhook.status_changed", None, id="another")
    tell(studio.service, "alert.created", "ours", id="mine")
    heard = bound.heard()
    assert [one["type"] for one in heard] == ["alert_new", "metrics_update"]
    assert {one["data"]["project"] for one in heard} == {"ours"}
    assert set(deaf.kinds()) == {"metrics_update"}


def test_who_comes_back_hears_what_he_missed(anywhere: Studio) -> None:
    studio = anywhere
    token = token_of(make_key(studio.service, "viewer"))
    before = tell(studio.service, "alert.created", "shop", id="a")
    for name in "bc":
        tell(studio.service, "alert.created", "shop", id=name)
    heard = studio.listen(token, after=before).heard()
    alerts = [one["data"]["id"] for one in heard if one["type"] == "alert_new"]
    assert (alerts, heard[0]["type"], heard[2]["type"]) == (["b", "c"], "alert_new", "heartbeat")
    assert studio.listen(token, after=before + 2).kinds()[0] == "heartbeat"


@pytest.mark.parametrize("gap", ["purged", "too many", "the future"])
def test_who_was_away_too_long_gets_a_snapshot(studio: Studio, gap: str) -> None:
    token = token_of(make_key(studio.service, "viewer"))
    before = tell(studio.service, "alert.created", "shop", id="a")
    with studio.service.runtime.db.write(witnessed=False) as session:
        if gap == "too many":
            for _ in range(MOST_MISSED + 2):
                outbox.append(session, "alert.created", {"id": "x"})
        if gap == "purged":
            session.execute(outbox.outbox.delete())
            outbox.append(session, "alert.created", {"id": "b"})
    after = before + 1000 if gap == "the future" else before
    assert studio.listen(token, after=after).kinds()[0] == "snapshot"


def test_whoever_is_taken_back_is_sent_away_within_a_second(studio: Studio) -> None:
    kept, revoked = make_key(studio.service, "viewer"), make_key(studio.service, "viewer", name="two")
    user = make_user(studio.service)
    logged_in = studio.listen(token_of(session_of(studio.service, user)))
    listeners = [studio.listen(token_of(one)) for one in (kept, revoked)]
    assert all(one.kinds() == ["snapshot"] for one in (*listeners, logged_in))
    db = studio.service.runtime.db
    with db.write() as session:
        session.exec_driver_sql("UPDATE api_keys SET is_active = false WHERE name = 'two'")
    assert [one.kinds() for one in (*listeners, logged_in)] == [[], ["4401"], []]
    with db.write() as session:
        session.exec_driver_sql("UPDATE users SET is_active = false")
    assert logged_in.kinds() == ["4401"]


@pytest.mark.parametrize("shown", ["", "nonsense", "hef_nonsense", "heft_nonsense", "é", "x" * 5000])
def test_who_shows_nothing_good_is_sent_away(studio: Studio, shown: str) -> None:
    assert studio.listen(shown).kinds() == ["4401"]


def test_who_may_not_listen_is_told_so(studio: Studio) -> None:
    assert studio.listen(token_of(make_key(studio.service))).kinds() == ["4403"]


def test_a_ticket_is_good_once(studio: Studio) -> None:
    headers = make_key(studio.service, "viewer")
    ticket = data_of(studio.service.client.post("/api/v1/auth/ws-ticket", headers=headers))["ticket"]
    assert ticket.startswith(credentials.TICKET)
    assert studio.listen(ticket).kinds() == ["snapshot"]
    assert studio.listen(ticket).kinds() == ["4401"]


def test_keys_that_must_sign_come_with_a_ticket(studio: Studio) -> None:
    headers = make_key(studio.service, "viewer", require_signature=True)
    (end,) = studio.listen(token_of(headers)).heard()
    assert (end["code"], "ticket" in end["reason"]) == (4401, True)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/ws/dashboard", {}, 426),
        ("/ws/dashboard", {}, 426),
        ("/api/v1/events/stream", {}, 503),
    ],
)
def test_servers_that_keep_nothing_open_say_so(
    idle: Service, path: str, headers: dict[str, str], status: int
) -> None:
    answer = idle.client.get(path, headers=headers)
    assert answer.status_code == status
    error_of(answer, "MALFORMED_REQUEST" if status == 426 else "SERVICE_UNAVAILABLE")


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 503),
        ({"Sec-WebSocket-Version": "8"}, 400),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Connection": "close"}, 400),
        ({"Origin": "http://localhost:9999"}, 503),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-WebSocket-Protocol": "a b"}, 400),
    ],
)
def test_handshakes_are_looked_at(idle: Service, changed: dict[str, str], status: int) -> None:
    answer = idle.client.get("ws://localhost/ws/dashboard", headers={**HANDSHAKE, **changed})
    assert answer.status_code == status, answer.get_data(as_text=True)


def test_pages_of_others_may_not_listen_to_events(idle: Service) -> None:
    answer = idle.client.get("/api/v1/events/stream", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_events_are_asked_for_with_a_token_in_the_address(
    required_service: Service,  # noqa: F811
) -> None:
    client = required_service.client
    token = token_of(make_key(required_service, "viewer"))
    weak = token_of(make_key(required_service, scopes=["read:alerts"]))
    asked: list[tuple[Callable[[], Any], int]] = [
        (lambda: client.get("/api/v1/events/stream"), 401),
        (lambda: client.get("/api/v1/events/stream?token=nonsense"), 401),
        (lambda: client.get(f"/api/v1/events/stream?token={weak}"), 403),
        (lambda: client.get(f"/api/v1/events/stream?token={token}"), 503),
    ]
    for ask, status in asked:
        assert ask().status_code == status
