"""Kept answers: never old, given to nobody who may not see them, counted and refused as others are."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from flask.testing import FlaskClient
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters.cache import Answers, Asked, Made, name_of
from hefesto_api.adapters.cache.entry import Entry
from hefesto_api.app import create_app
from hefesto_api.domain.identity import Fingerprints
from hefesto_api.runtime import Runtime
from hefesto_api.storage import projects
from hefesto_api.storage.findings import pack_prints
from hefesto_api.storage.generations import Moment
from hefesto_api.web import compression
from tests import memory
from tests.access import SECRET_KEY, make_key
from tests.adapters.test_limits import Redis
from tests.answers import data_of
from tests.storage.factories import finding

PLAIN = {"identity": bytes, "gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstd.decompress}
API = "/api/v1"


@pytest.fixture
def held(client: FlaskClient) -> Runtime:
    """What the application of the client holds."""
    found: Runtime = client.application.extensions["hefesto"]
    return found


def project(client: FlaskClient, slug: str = "shop", **more: Any) -> None:
    assert client.post(f"{API}/projects", json={"slug": slug, "name": "first", **more}).status_code == 201


def test_an_answer_is_made_once_and_has_the_time_of_now(client: FlaskClient, held: Runtime) -> None:
    project(client)
    first, second, third = (client.get(f"{API}/projects/shop") for _ in range(3))
    assert data_of(first) == data_of(second) == data_of(third)
    assert first.headers["ETag"] == third.headers["ETag"]
    assert first.get_json()["timestamp"] < second.get_json()["timestamp"] < third.get_json()["timestamp"]
    assert (held.answers.made, held.answers.local.hits) == (1, 2)


def test_the_short_way_answers_as_the_long_one(client: FlaskClient) -> None:
    project(client)
    made, *_, short = (client.get(f"{API}/projects?limit=5") for _ in range(3))
    differing = {"Date", "X-Request-ID", "X-Trace-ID", "RateLimit"}
    assert {name: value for name, value in made.headers if name not in differing} == {
        name: value for name, value in short.headers if name not in differing
    }
    assert short.headers["X-Request-ID"] != made.headers["X-Request-ID"]


def test_nothing_is_older_than_a_change(client: FlaskClient) -> None:
    project(client)
    for number in range(3):
        assert data_of(client.get(f"{API}/projects/shop"))["name"] == (
            "first" if not number else str(number - 1)
        )
        client.patch(f"{API}/projects/shop", json={"name": str(number)})
        assert data_of(client.get(f"{API}/projects/shop"))["name"] == str(number)


def test_what_another_process_changes_is_seen(client: FlaskClient, held: Runtime) -> None:
    project(client)
    other = runtimes.build(held.settings)
    client.get(f"{API}/projects/shop")
    create_app(runtime=other).test_client().patch(f"{API}/projects/shop", json={"name": "of another"})
    other.close()
    assert data_of(client.get(f"{API}/projects/shop"))["name"] == "of another"


def test_a_change_of_one_project_leaves_what_is_kept_of_others(client: FlaskClient, held: Runtime) -> None:
    alerts = [f"{API}/alerts?project={slug}" for slug in ("shop", "bank")]
    for slug in ("shop", "bank"):
        project(client, slug)
        client.post(f"{API}/alerts", json={"alert_id": slug, "title": slug, "project": slug})
    for path in alerts:
        client.get(path)
    made = held.answers.made
    client.post(f"{API}/alerts", json={"alert_id": "next", "title": "other", "project": "shop"})
    assert [data_of(client.get(path))["total_count"] for path in alerts] == [2, 1]
    assert held.answers.made == made + 1


def test_a_decision_leaves_the_details_of_findings_of_other_projects(
    client: FlaskClient, held: Runtime
) -> None:
    prints = pack_prints(Fingerprints(1, *("0123456789abcdef",) * 6))
    with held.db.write() as session:
        places = [projects.create(session, slug).id for slug in ("shop", "other")]
        ids = [finding(session, place, prints=prints).id for place in places]
    for one in ids:
        client.get(f"{API}/findings/{one}")
    made = held.answers.made
    assert client.patch(f"{API}/findings/{ids[0]}", json={"status": "resolved"}).status_code == 200
    assert data_of(client.get(f"{API}/findings/{ids[1]}"))["status"] == "open"
    assert held.answers.made == made
    assert data_of(client.get(f"{API}/findings/{ids[0]}"))["status"] == "resolved"
    assert held.answers.made == made + 1


def test_what_was_made_before_a_change_is_not_kept_as_if_after_it(client: FlaskClient, held: Runtime) -> None:
    """The generation counts that was looked at before an answer was begun."""
    project(client)
    asked = Asked(("path", "", None), name_of("path", "", None))

    def make(moment: Any) -> Made[None]:
        client.patch(f"{API}/projects/shop", json={"name": "meanwhile"})
        return Made(None, entry(asked, moment, b"{}"))

    held.answers.answer(asked, make)
    assert held.answers.good(asked.key, held.answers.look()) is None


def entry(asked: Asked, moment: Any, data: bytes) -> Entry:
    tags = (("projects", ""),)
    return Entry(asked.name, tags, moment.head, time.time(), "tag", (), data, moment.restarts)


def test_older_data_that_are_brought_back_make_nothing_good() -> None:
    one = Entry("a#", (("alerts", ""),), 10, 0.0, "tag", (), b"{}")
    assert one.is_good(Moment(head=12, latest={"alerts": 9}))
    assert not one.is_good(Moment(head=12, latest={"alerts": 11}))
    assert not one.is_good(Moment(head=12, latest={"*": 11}))
    assert not one.is_good(Moment(head=5, restarts=1))


def test_the_same_is_made_once_for_all_who_ask_at_once() -> None:
    answers = Answers(lambda: Moment(head=1), Uncounted, size=10, ttl=60)
    asked = Asked(("key",), "key#")
    begun, made = threading.Event(), []

    def make(moment: Any) -> Made[str]:
        begun.set()
        while answers.flights.waited < 3:
            pass
        made.append(1)
        return Made("made", entry(asked, moment, b"{}"))

    threads = [threading.Thread(target=answers.answer, args=(asked, make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def kept_as(name: str, moment: Any) -> Made[str]:
    return Made("", entry(Asked((name,), f"{name}#"), moment, b"{}"))


class Uncounted:
    """Counts nothing."""

    def count_cache(self, tier: str, *, hit: bool) -> None: ...
    def count_evictions(self, tier: str, entries: int = 1) -> None: ...
    def hold_entries(self, tier: str, entries: int) -> None: ...


def test_processes_of_a_host_make_the_same_once(tmp_path: Path) -> None:
    two = [
        Answers(lambda: Moment(head=1), Uncounted, size=10, ttl=1e9, folder=lambda: tmp_path)
        for _ in range(2)
    ]
    asked = Asked(("key",), "key#", several=True)
    for answers in two:
        found = answers.answer(asked, lambda moment: Made("made", entry(asked, moment, b'{"a":1}')))
        assert found.entry is not None
        assert found.entry.data == b'{"a":1}'
    assert [answers.made for answers in two] == [1, 0]


def test_what_is_used_least_goes_first_and_all_goes_in_time() -> None:
    seconds = [0.0]
    answers = Answers(lambda: Moment(head=1), Uncounted, size=2, ttl=60)
    answers.local._seconds = lambda: seconds[0]
    for name in "abac":
        answers.answer(Asked((name,), f"{name}#"), partial(kept_as, name))
    assert [answers.local.get((name,)) is not None for name in "abc"] == [True, False, True]
    seconds[0] = 61.0
    assert answers.local.get(("a",)) is None
    answers.answer(Asked(("d",), "d#"), partial(kept_as, "d"))
    assert (len(answers.local), answers.local.bytes) == (1, answers.local.get(("d",)).size)  # type: ignore[union-attr]


def test_who_sees_other_projects_gets_another_answer(make_app: Callable[..., Any], tmp_path: Path) -> None:
    environ = {"HEFESTO_AUTH": "required", "HEFESTO_SECRET_KEY": SECRET_KEY, "HEFESTO_RATE_LIMITS": "off"}
    app = make_app(all_settings.load(environ, tmp_path))
    held, client = app.extensions["hefesto"], app.test_client()
    admin = make_key(held, "admin")
    for slug in ("shop", "bank"):
        client.post(f"{API}/projects", json={"slug": slug, "name": slug}, headers=admin)
    bound = make_key(held, "viewer", projects=["shop"])
    unscoped = make_key(held, scopes=["read:alerts"])
    for _ in range(3):
        assert data_of(client.get(f"{API}/projects", headers=admin))["total_count"] == 2
        assert data_of(client.get(f"{API}/projects", headers=bound))["total_count"] == 1
        assert client.get(f"{API}/projects/bank", headers=bound).status_code == 404
        assert client.get(f"{API}/projects", headers=unscoped).status_code == 403
        assert client.get(f"{API}/projects").status_code == 401
        assert client.get(f"{API}/projects", headers={"Authorization": "Bearer hef_no"}).status_code == 401


def test_a_kept_answer_counts_against_the_limits(make_app: Callable[..., Any], tmp_path: Path) -> None:
    environ = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMIT_PRO": "2/4/100/100",
    }
    app = make_app(all_settings.load(environ, tmp_path))
    client, key = app.test_client(), make_key(app.extensions["hefesto"], "viewer", tier="pro")
    answers = [client.get(f"{API}/projects", headers=key) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers[:4]] == ["3", "2", "1", "0"]


@memory.needs_glibc
def test_a_kept_answer_takes_no_more_memory_than_it_is_long(client: FlaskClient) -> None:
    for number in range(30):
        project(client, f"shop-{number}")
    data_of(client.get(f"{API}/projects"))
    (kept,) = client.application.extensions["hefesto"].answers.local._kept.values()
    assert memory.taken(kept.data) < 1.1 * len(kept.data)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "identity"])
def test_kept_answers_leave_in_each_coding(client: FlaskClient, coding: str) -> None:
    for number in range(30):
        project(client, f"shop-{number}")
    plain = data_of(client.get(f"{API}/projects"))
    for _ in range(2):
        answer = client.get(f"{API}/projects", headers={"Accept-Encoding": coding})
        assert answer.headers.get("Content-Encoding", "identity") == coding
        body = PLAIN[coding](answer.data)
        assert body.startswith(b'{"success":true')
        assert body.endswith(b'Z"}')
        assert len(body) > len(answer.data) or coding == "identity"
        assert str(plain["total_count"]).encode() in body


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", "identity"), ("gzip", "gzip"), ("gzip, deflate, br", "br"), ("gzip, deflate, br, zstd", "zstd"),
        ("br;q=0.5, gzip;q=0.9", "gzip"), ("gzip;q=0", "identity"), ("identity", "identity"), ("*", "zstd"),
    ],
)  # fmt: skip
def test_the_client_decides_on_the_coding(accepted: str, coding: str) -> None:
    assert compression.chosen(accepted) == coding


def test_who_has_it_is_told_so(client: FlaskClient) -> None:
    project(client)
    tag = client.get(f"{API}/projects/shop").headers["ETag"]
    for _ in range(2):
        answer = client.get(f"{API}/projects/shop", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.data) == (304, b"")
    client.patch(f"{API}/projects/shop", json={"name": "second"})
    assert client.get(f"{API}/projects/shop", headers={"If-None-Match": tag}).status_code == 200


def test_without_room_nothing_is_kept(make_app: Callable[..., Any], tmp_path: Path) -> None:
    app = make_app(all_settings.load({"HEFESTO_CACHE_SIZE": "0"}, tmp_path))
    client = app.test_client()
    assert client.get(f"{API}/projects").status_code == client.get(f"{API}/projects").status_code == 200
    assert app.extensions["hefesto"].answers.made == 0


@pytest.mark.redis
def test_hosts_share_through_redis_whose_death_costs_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    moment = Moment(head=1)
    asked = Asked(("key",), "/a?b=1#")

    def host() -> Answers:
        return Answers(lambda: moment, Uncounted, size=10, ttl=60, redis_url=redis.url)

    def ask(answers: Answers) -> int:
        answers.answer(asked, lambda now: Made("", entry(asked, now, b"{}")))
        return answers.made

    with Redis(tmp_path_factory.mktemp("r")) as redis:
        assert [ask(host()) for _ in range(2)] == [1, 0]
        assert host().forget(["/a*"]) == 1
        assert ask(host()) == 1
        moment = Moment(head=2, latest={"projects": 2})
        assert [ask(host()) for _ in range(2)] == [1, 0]
        redis.kill()
        alone = host()
        assert [ask(alone), ask(alone)] == [1, 1]
        assert alone.shared is not None
        assert alone.shared.check() is None
        redis.start()
        while alone.shared.check() is None:
            pass
        assert [ask(host()) for _ in range(2)] == [1, 0]
