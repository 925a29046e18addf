"""From the outbox to the receivers: nothing missed, nothing lost, in order, and none waits for another."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.features.webhooks import schemas
from hefesto_api.features.webhooks.dispatching import Dispatcher
from hefesto_api.storage import deliveries, outbox, projects, upkeep, webhooks
from tests.answers import data_of, error_of
from tests.features.receiver import PRIVATE, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

PLACE = "/api/v1/webhooks"


@pytest.fixture
def near(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, that may send to this machine; tests dispatch by hand."""
    return make_service(db_url, HEFESTO_WEBHOOK_ALLOW_PRIVATE=PRIVATE, HEFESTO_PUBLIC_URL="https://h.example")


def made(service: Service, url: str, **fields: Any) -> dict[str, Any]:
    told: dict[str, Any] = data_of(service.client.post(PLACE, json={"name": "one", "url": url, **fields}))
    return told


def happen(service: Service, kind: str, *, project: str | None = None, **data: Any) -> str:
    """Have something happen, as the services write it."""
    with service.runtime.db.write() as session:
        project_id = None if project is None else projects.ensure(session, project).id
        return outbox.append(session, kind, data, project_id=project_id)


def dispatch(service: Service) -> None:
    while service.worker.dispatcher.drain():
        pass


def listed(service: Service, webhook: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get(f"/webhooks/{webhook['id']}/deliveries", **query)["deliveries"]
    return found


def time_passes(service: Service, webhook: dict[str, Any]) -> None:
    """Make what waits for a later attempt due now."""
    long_ago = clock.now() - timedelta(days=1)
    queue = deliveries.alert_delivery_queue
    with service.runtime.db.write() as session:
        session.execute(queue.update().where(queue.c.status == "pending").values(next_attempt_at=long_ago))
        webhooks.change(session, webhook["id"], rests_until=None, next_check_at=long_ago)


def test_an_alert_is_told_verified_and_with_a_link(near: Service) -> None:
    with Receiver() as receiver:
        webhook = made(near, receiver.url)
        alert = {"alert_id": "a-1", "project": "shop", "title": "down", "severity": "HIGH"}
        alert_id = data_of(near.client.post("/api/v1/alerts", json=alert))["id"]
        dispatch(near)
        (told,) = [one for one in receiver.told(webhook["secret"]) if one["type"] == "alert.created"]
        assert set(told) == {"type", "timestamp", "data"}
        assert (told["data"]["id"], told["data"]["project"]) == (alert_id, "shop")
        assert told["data"]["url"] == f"https://h.example/api/v1/alerts/{alert_id}"
    (delivery,) = [one for one in listed(near, webhook) if one["event_type"] == "alert.created"]
    assert schemas.DeliverySchema().validate(delivery) == {}
    assert (delivery["status"], delivery["attempts"], delivery["status_code"]) == ("delivered", 1, 200)
    assert [one["is_success"] for one in delivery["attempt_log"]] == [True]
    assert {one.headers["webhook-id"] for one in receiver.posts} >= {delivery["id"]}


def test_each_is_told_of_what_it_asked_for_since_it_was_made(near: Service) -> None:
    happen(near, "finding.created", n="before")
    with Receiver() as all_of_it, Receiver() as some, Receiver() as of_shop:
        hooks = [
            made(near, all_of_it.url),
            made(near, some.url, events=["alert.resolved"]),
            made(near, of_shop.url, project="shop"),
        ]
        happen(near, "finding.created", n="one", project="pay")
        happen(near, "alert.resolved", n="two", project="shop", id="x")
        happen(near, "finding.merged", n="nobody's")
        dispatch(near)
        heard = [
            [one["data"]["n"] for one in receiver.told(hook["secret"]) if "n" in one["data"]]
            for receiver, hook in zip((all_of_it, some, of_shop), hooks, strict=True)
        ]
    assert heard == [["one", "two"], ["two"], ["two"]]


def test_an_event_is_taken_once_by_however_many(near: Service) -> None:
    with Receiver() as receiver:
        webhook = made(near, receiver.url)
        for number in range(30):
            happen(near, "finding.created", n=number)
        others = [Dispatcher(near.runtime, f"worker-{number}") for number in range(4)]
        threads = [threading.Thread(target=other.drain) for other in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        dispatch(near)
        told = [one["data"]["n"] for one in receiver.told(webhook["secret"]) if "n" in one["data"]]
    assert told == list(range(30))


def test_what_fails_is_tried_again_with_the_same_id_and_then_dead_until_replayed(near: Service) -> None:
    with Receiver(500) as receiver:
        webhook = made(near, receiver.url)
        happen(near, "finding.created", n=1)
        for _ in range(10):
            dispatch(near)
            time_passes(near, webhook)
        dispatch(near)
        (dead,) = listed(near, webhook, status="dead")
        assert (dead["attempts"], len(dead["attempt_log"]), dead["next_attempt_at"]) == (10, 10, None)
        assert dead["error"] == "It answered 500."
        mine = [one for one in receiver.posts if one.headers["webhook-id"] == dead["id"]]
        assert len(mine) == 10
        assert len({one.body for one in mine}) == 1
        receiver.statuses = [204]
        answer = near.client.post(f"{PLACE}/deliveries/{dead['id']}/redeliver")
        assert (answer.status_code, data_of(answer)["status"]) == (202, "pending")
        time_passes(near, webhook)
        dispatch(near)
    (replayed,) = listed(near, webhook, status="delivered", event_type="finding.created")
    assert (replayed["id"], replayed["attempts"]) == (dead["id"], 1)


def test_the_second_attempt_is_some_seconds_later(near: Service) -> None:
    with Receiver(500) as receiver:
        webhook = made(near, receiver.url)
        happen(near, "finding.created", n=1)
        dispatch(near)
        (waiting,) = listed(near, webhook, status="pending")
        assert len(receiver.posts) == 1
    gap = datetime.fromisoformat(waiting["next_attempt_at"]) - datetime.fromisoformat(
        waiting["last_attempt_at"]
    )
    assert timedelta(seconds=4.5) <= gap <= timedelta(seconds=5.5)


def test_a_receiver_that_asks_for_time_gets_it(near: Service) -> None:
    with Receiver(503, headers={"Retry-After": "600"}) as receiver:
        webhook = made(near, receiver.url)
        happen(near, "finding.created", n=1)
        happen(near, "finding.created", n=2)
        dispatch(near)
        assert len(receiver.posts) == 1
        first = listed(near, webhook, status="pending")[-1]
    gap = datetime.fromisoformat(first["next_attempt_at"]) - datetime.fromisoformat(first["last_attempt_at"])
    assert timedelta(seconds=599) < gap < timedelta(seconds=601)


def test_who_says_that_it_is_gone_is_told_nothing_more(near: Service) -> None:
    with Receiver(410) as receiver, Receiver() as other:
        webhook, watcher = made(near, receiver.url), made(near, other.url, events=["webhook.status_changed"])
        happen(near, "finding.created", n=1)
        happen(near, "finding.created", n=2)
        dispatch(near)
        happen(near, "finding.created", n=3)
        dispatch(near)
        assert len(receiver.posts) == 1
        changes = [one["data"] for one in other.told(watcher["secret"])]
    assert [(one["id"], one["health_status"]) for one in changes if one["id"] == webhook["id"]][-1] == (
        webhook["id"],
        "disabled",
    )
    told = near.get(f"/webhooks/{webhook['id']}")
    assert (told["is_active"], told["health_status"]) == (False, "disabled")
    assert "410" in told["disabled_reason"]
    dead = listed(near, webhook, status="dead")
    assert len(dead) == 2
    answer = near.client.post(f"{PLACE}/deliveries/{dead[0]['id']}/redeliver")
    error_of(answer, "CONFLICT")
    assert (
        near.client.get("/api/v1/audit-logs?action=webhook.disabled").get_json()["data"]["total_count"] == 1
    )


def test_what_is_of_one_alert_arrives_in_order_though_something_fails(near: Service) -> None:
    with Receiver(500, 200) as receiver:
        webhook = made(near, receiver.url)
        for verb in ("created", "acknowledged", "resolved"):
            happen(near, f"alert.{verb}", id="a")
        happen(near, "alert.created", id="b")
        dispatch(near)
        assert [(one["type"], one["data"]["id"]) for one in receiver.told(webhook["secret"])] == [
            ("alert.created", "a"),
            ("alert.created", "b"),
        ]
        time_passes(near, webhook)
        dispatch(near)
        verbs = [one["type"] for one in receiver.told(webhook["secret"]) if one["data"]["id"] == "a"]
    assert verbs == ["alert.created", "alert.created", "alert.acknowledged", "alert.resolved"]


def test_nobody_waits_for_one_that_hangs(near: Service) -> None:
    """The one that hangs answers only after the other was told."""
    let_go = threading.Event()
    with Receiver() as good, Receiver() as bad:
        bad.before = let_go.wait
        good_hook = made(near, good.url)
        for _ in range(3):
            made(near, bad.url)
        near.work()
        happen(near, "finding.created", n=1)
        good.wait_for_posts(1)
        let_go.set()
        assert [one["data"]["n"] for one in good.told(good_hook["secret"])[:1]] == [1]


def test_what_a_dead_worker_held_is_sent_by_another(near: Service) -> None:
    with Receiver() as receiver:
        webhook = made(near, receiver.url)
        happen(near, "finding.created", n=1)
        near.worker.dispatcher.take_in()
        with near.runtime.db.write() as session:
            held = webhooks.lease(session, webhook["id"], "somebody", clock.now() + timedelta(hours=1))
            assert held is not None
        assert near.worker.dispatcher.drain() == 0
        with near.runtime.db.write() as session:
            webhooks.release(session, "somebody")
        dispatch(near)
        assert len(receiver.posts) == 1
        with near.runtime.db.write() as session:
            assert not webhooks.keep(session, held, clock.now())  # who was taken for dead writes nothing


def test_health_goes_down_and_up_and_others_are_told(near: Service) -> None:
    with Receiver(500) as receiver, Receiver() as other:
        webhook = made(near, receiver.url)
        watcher = made(near, other.url, events=["webhook.status_changed"])
        for number in range(5):
            happen(near, "finding.created", n=number)
        dispatch(near)
        health = near.get(f"/webhooks/{webhook['id']}/health")
        assert (health["health_status"], health["consecutive_failures"]) == ("failing", 5)
        receiver.statuses = [200]
        happen(near, "finding.created", n="again")
        time_passes(near, webhook)
        dispatch(near)
        told = [one["data"] for one in other.told(watcher["secret"])]
        assert "webhook.status_changed" not in {
            json.loads(one.body)["type"] for one in receiver.posts if webhook["id"].encode() in one.body
        }
    of_it = [(one["former_status"], one["health_status"]) for one in told if one["id"] == webhook["id"]]
    assert of_it[-2:] == [("degraded", "failing"), ("failing", "degraded")]
    health = near.get(f"/webhooks/{webhook['id']}/health")
    assert (health["consecutive_failures"], health["health_status"]) == (0, "degraded")


@pytest.mark.parametrize(("status", "named"), [(200, "healthy"), (405, "healthy"), (500, "degraded")])
def test_probes_ask_on_schedule_whether_it_is_alive(near: Service, status: int, named: str) -> None:
    with Receiver(status) as receiver:
        webhook = made(near, receiver.url, health_check_interval_seconds=60)
        dispatch(near)
        dispatch(near)
        assert [one.method for one in receiver.heard] == ["HEAD"]
    health = near.get(f"/webhooks/{webhook['id']}/health")
    assert (health["health_status"], health["attempts"]) == (named, 1)
    left = datetime.fromisoformat(health["next_check_at"]) - clock.now()
    assert timedelta(seconds=30) < left <= timedelta(seconds=60)


def test_a_secret_that_cannot_be_read_costs_no_attempt(near: Service) -> None:
    with Receiver() as receiver:
        webhook, other = [made(near, receiver.url, events=["finding.created"]) for _ in range(2)]
        with near.runtime.db.write() as session:
            foreign = webhooks.get(session, other["id"]).secret
            webhooks.change(session, webhook["id"], secret=foreign)
        happen(near, "finding.created", n=1)
        dispatch(near)
        (waiting,) = listed(near, webhook, status="pending")
        assert (waiting["attempts"], len(receiver.posts)) == (0, 1)


def test_slack_and_pagerduty_are_told_in_their_words(near: Service) -> None:
    with Receiver() as chat, Receiver() as pager:
        made(near, chat.url, format="slack")
        made(near, pager.url, format="pagerduty", routing_key="the key")
        happen(
            near,
            "alert.created",
            id="a",
            project="shop",
            severity="HIGH",
            message="<!channel> & so",
            status="x",
        )
        happen(near, "alert.resolved", id="a", project="shop")
        happen(near, "finding.created", count=2)
        dispatch(near)
        first = json.loads(chat.posts[0].body)
        assert "&lt;!channel&gt; &amp; so" in first["text"]
        assert "<!channel>" not in chat.posts[0].body.decode()
        assert len(chat.posts) >= 3
        pages = [json.loads(one.body) for one in pager.posts]
        assert [one["event_action"] for one in pages] == ["trigger", "resolve"]
        assert {one["dedup_key"] for one in pages} == {"a"}
        assert {one["routing_key"] for one in pages} == {"the key"}
        assert (pages[0]["payload"]["severity"], pages[0]["payload"]["source"]) == ("error", "shop")
        assert "webhook-signature" not in pager.posts[0].headers


def test_what_happened_before_a_long_stop_is_still_told(near: Service) -> None:
    with Receiver() as receiver:
        webhook = made(near, receiver.url, events=["finding.created"])
        happen(near, "finding.created", n=1)
        long_ago = clock.now() - timedelta(days=30)
        with near.runtime.db.write() as session:
            webhooks.change(session, webhook["id"], created_at=long_ago)
            session.execute(outbox.outbox.update().values(created_at=long_ago))
        upkeep.run(near.runtime.db)
        dispatch(near)
        assert len(receiver.told(webhook["secret"])) == 1
        upkeep.run(near.runtime.db)
        with near.runtime.db.read() as session:
            assert "finding.created" not in {event.type for event in outbox.after(session, 0)}


def test_health_lists_attempts_and_all_dead_letters_are_sent_anew(near: Service) -> None:
    with Receiver(500) as receiver:
        webhook = made(near, receiver.url, events=["finding.created"])
        other = made(near, receiver.url, is_active=False)
        for number in range(3):
            happen(near, "finding.created", count=number)
        for _ in range(10):
            dispatch(near)
            time_passes(near, webhook)
        dispatch(near)
        page = near.get("/webhooks/health")
        assert [one["id"] for one in page["health"]] == [webhook["id"], other["id"]]
        told = page["health"][0]
        assert schemas.WebhookHealthSchema().validate(told) == {}
        assert told == near.get(f"/webhooks/{webhook['id']}/health")
        assert (told["dead_letters"], told["deliveries_waiting"], told["next_attempt_at"]) == (3, 0, None)
        assert {one["kind"] for one in told["attempt_log"]} == {"delivery", "probe"}
        assert [one["at"] for one in told["attempt_log"]] == sorted(one["at"] for one in told["attempt_log"])
        receiver.statuses[:] = [200]
        answer = near.client.post(f"{PLACE}/{webhook['id']}/redeliver")
        assert (answer.status_code, data_of(answer)) == (202, {"redelivered": 3})
        again = near.client.post(
            f"{PLACE}/{webhook['id']}/redeliver", headers={"X-Request-ID": "nothing-dead"}
        )
        assert (again.status_code, data_of(again)) == (202, {"redelivered": 0})
        assert near.get("/audit-logs", action="webhook.replayed")["total_count"] == 1
        assert near.get("/audit-logs", request_id="nothing-dead")["audit_logs"] == []
        waiting = near.get(f"/webhooks/{webhook['id']}/health")
        assert (waiting["dead_letters"], waiting["deliveries_waiting"]) == (0, 3)
        assert waiting["next_attempt_at"] is not None
        time_passes(near, webhook)
        dispatch(near)
    assert {one["status"] for one in listed(near, webhook)} == {"delivered"}
    error_of(near.client.post(f"{PLACE}/{other['id']}/redeliver"), "CONFLICT")
