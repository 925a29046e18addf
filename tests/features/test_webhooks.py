"""Webhooks through their routes: made, shown without their secret, changed, tried, and whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.features.webhooks import schemas
from hefesto_api.storage import resealing
from standardwebhooks.webhooks import Webhook
from tests.access import make_key
from tests.answers import data_of, error_of
from tests.features.receiver import PRIVATE, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

PLACE = "/api/v1/webhooks"
NOBODY = "01a1feeb-5e08-7042-8dde-7e4556de83f6"
URL = "https://hooks.example.com/in"


@pytest.fixture
def near(make_service: Callable[..., Service], sqlite_url: str) -> Service:
    """A service that may send to this machine."""
    return make_service(sqlite_url, HEFESTO_WEBHOOK_ALLOW_PRIVATE=PRIVATE)


def made(service: Service, url: str = URL, **fields: Any) -> dict[str, Any]:
    answer = service.client.post(PLACE, json={"name": "chat", "url": url, **fields})
    assert answer.status_code == 201, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    assert answer.headers["Location"] == f"{PLACE}/{told['id']}"
    return told


def without_secret(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "secret"}


def test_a_webhook_has_defaults_and_a_secret_that_is_shown_once(idle: Service) -> None:
    told = made(idle)
    assert schemas.MadeWebhookSchema().validate(told) == {}
    assert told["secret"].startswith("whsec_")
    assert (told["events"], told["format"], told["is_active"]) == ([], "standard", True)
    assert (told["health_check_interval_seconds"], told["health_status"]) == (300, "unknown")
    assert idle.get(f"/webhooks/{told['id']}") == without_secret(told)
    answers = [
        idle.client.get(PLACE),
        idle.client.get(f"{PLACE}/{told['id']}"),
        idle.client.get(f"{PLACE}/{told['id']}/health"),
        idle.client.patch(f"{PLACE}/{told['id']}", json={"name": "x"}),
        idle.client.get("/api/v1/audit-logs"),
    ]
    assert all(told["secret"] not in answer.get_data(as_text=True) for answer in answers)


def test_a_secret_is_nowhere_in_the_database_and_changes_keys_with_the_others(idle: Service) -> None:
    told = made(idle, format="pagerduty", routing_key="a-key-of-a-pager-0123")
    idle.client.post(f"{PLACE}/{told['id']}/rotate-secret")
    path = Path(str(idle.runtime.db.url.database))
    files = [path, path.with_name(f"{path.name}-wal")]
    stored = b"".join(each.read_bytes() for each in files if each.is_file())
    assert told["secret"].encode() not in stored
    assert b"a-key-of-a-pager-0123" not in stored
    outcome = resealing.run(idle.runtime.db, idle.runtime.vault)
    assert (outcome.unreadable, outcome.left) == ({}, {})


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"url": URL}, "name"),
        ({"name": "x"}, "url"),
        ({"name": "", "url": URL}, "name"),
        ({"name": "x", "url": "http://127.0.0.1/"}, "url"),
        ({"name": "x", "url": "http://0x7f.1/"}, "url"),
        ({"name": "x", "url": "http://169.254.169.254/latest"}, "url"),
        ({"name": "x", "url": "http://u:p@example.com/"}, "url"),
        ({"name": "x", "url": "file:///etc/passwd"}, "url"),
        ({"name": "x", "url": URL, "events": ["alert.lost"]}, "events"),
        ({"name": "x", "url": URL, "format": "teams"}, "format"),
        ({"name": "x", "url": URL, "format": "pagerduty"}, "routing_key"),
        ({"name": "x", "url": URL, "is_active": "yes"}, "is_active"),
        ({"name": "x", "url": URL, "health_check_interval_seconds": 1}, "health_check_interval_seconds"),
        ({"name": "x", "url": URL, "project": "no slug"}, "project"),
        (
            {
                "name": "x",
                "url": URL,
                "format": "pagerduty",
                "routing_key": "k",
                "events": ["finding.created"],
            },
            "events",
        ),
    ],
)
def test_what_does_not_fit_is_refused(idle: Service, wanted: dict[str, Any], field: str) -> None:
    answer = idle.client.post(PLACE, json=wanted)
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"].split(".")[0] == field


def test_a_webhook_is_changed_in_part_or_whole(idle: Service) -> None:
    told = made(idle, description="first", events=["alert.created"])
    place = f"{PLACE}/{told['id']}"
    changed = data_of(idle.client.patch(place, json={"events": ["alert.resolved"], "is_active": False}))
    assert (changed["events"], changed["description"]) == (["alert.resolved"], "first")
    assert changed["health_status"] == "disabled"
    whole = data_of(idle.client.put(place, json={"name": "new", "url": URL}))
    assert (whole["name"], whole["events"], whole["description"], whole["is_active"]) == ("new", [], "", True)
    assert idle.client.put(place, json={"name": "new"}).status_code == 422
    assert idle.client.patch(place, json={"url": "http://10.0.0.1/"}).status_code == 422


def test_a_change_holds_to_what_was_read(idle: Service) -> None:
    place = f"{PLACE}/{made(idle)['id']}"
    tag = idle.client.get(place).headers["ETag"]
    assert idle.client.patch(place, json={"name": "other"}).status_code == 200
    for method in ("patch", "delete"):
        answer = idle.client.open(place, method=method, json={}, headers={"If-Match": tag})
        assert answer.status_code == 412


def test_a_deleted_webhook_is_gone(idle: Service) -> None:
    place = f"{PLACE}/{made(idle)['id']}"
    assert idle.client.delete(place).status_code == 204
    assert idle.client.get(place).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("put", ""), ("patch", ""), ("delete", ""), ("get", "/health"), ("post", "/test"),
     ("post", "/rotate-secret"), ("get", "/deliveries")],
)  # fmt: skip
def test_an_unknown_webhook_is_not_found(idle: Service, method: str, path: str) -> None:
    body = {"name": "x", "url": URL} if method in {"put", "patch"} else {}
    answer = idle.client.open(f"{PLACE}/{NOBODY}{path}", method=method, json=body)
    assert error_of(answer, "RESOURCE_NOT_FOUND")["resource_type"] == "webhook"


def test_webhooks_are_listed_and_paged(idle: Service) -> None:
    for name in ("a", "b", "c"):
        made(idle, name=name, project="shop" if name == "b" else None)
    page = idle.get("/webhooks", limit=2)
    assert schemas.OutgoingWebhookListSchema().validate(page) == {}
    assert ([one["name"] for one in page["webhooks"]], page["total_count"]) == (["a", "b"], 3)
    rest = idle.get("/webhooks", limit=2, cursor=page["pagination"]["next_cursor"])
    assert [one["name"] for one in rest["webhooks"]] == ["c"]
    assert [one["name"] for one in idle.get("/webhooks", project="shop")["webhooks"]] == ["b"]


def test_a_test_is_sent_at_once_and_verifies(near: Service) -> None:
    with Receiver() as receiver:
        told = made(near, receiver.url)
        outcome = data_of(near.client.post(f"{PLACE}/{told['id']}/test"))
        assert schemas.WebhookTestSchema().validate(outcome) == {}
        assert (outcome["delivered"], outcome["status_code"]) == (True, 200)
        (heard,) = receiver.told(told["secret"])
        assert heard["type"] == "webhook.test"
        assert receiver.posts[0].headers["webhook-id"] == outcome["message_id"]
    health = near.get(f"/webhooks/{told['id']}/health")
    assert schemas.WebhookHealthSchema().validate(health) == {}
    assert (health["health_status"], health["success_rate"], health["attempts"]) == ("healthy", 1.0, 1)


def test_a_test_that_fails_says_why(near: Service) -> None:
    with Receiver(302) as receiver:
        told = made(near, receiver.url)
        outcome = data_of(near.client.post(f"{PLACE}/{told['id']}/test"))
    assert (outcome["delivered"], outcome["status_code"]) == (False, 302)
    assert "redirects" in outcome["error"]


def test_after_a_rotation_both_secrets_sign_until_the_overlap_ends(near: Service) -> None:
    with Receiver() as receiver:
        told = made(near, receiver.url)
        place = f"{PLACE}/{told['id']}"
        rotated = data_of(near.client.post(f"{place}/rotate-secret"))
        assert schemas.RotatedWebhookSchema().validate(rotated) == {}
        near.client.post(f"{place}/test")
        for secret in (told["secret"], rotated["secret"]):
            assert len(receiver.told(secret)) == 1
        at_once = data_of(near.client.post(f"{place}/rotate-secret", json={"grace_seconds": 0}))
        assert at_once["former_signs_until"] <= clock.rfc3339(clock.now())
        near.client.post(f"{place}/test")
        signatures = receiver.posts[-1].headers["webhook-signature"].split()
        assert len(signatures) == 1
        Webhook(at_once["secret"]).verify(receiver.posts[-1].body, receiver.posts[-1].headers)


def test_who_is_bound_to_projects_sees_the_webhooks_of_these_alone(idle: Service) -> None:
    bound = make_key(idle, "operator", projects=["shop"])
    admin = make_key(idle, "admin")

    def ask(headers: dict[str, str], method: str, path: str = "", **body: Any) -> Any:
        return idle.client.open(f"{PLACE}{path}", method=method, json=body or None, headers=headers)

    of_all = data_of(ask(admin, "post", name="all", url=URL))
    of_other = data_of(ask(admin, "post", name="other", url=URL, project="pay"))
    of_shop = data_of(ask(admin, "post", name="shop", url=URL, project="shop"))
    own = data_of(ask(bound, "post", name="own", url=URL))
    seen = data_of(idle.client.get(PLACE, headers=bound))
    assert [one["name"] for one in seen["webhooks"]] == ["shop", "own"]
    assert seen["total_count"] == 2
    for hidden in (of_all, of_other):
        for method in ("get", "delete"):
            assert ask(bound, method, f"/{hidden['id']}").status_code == 404
    assert ask(bound, "post", name="x", url=URL, project="pay").status_code == 404
    assert ask(bound, "patch", f"/{own['id']}", project="pay").status_code == 404
    assert ask(bound, "patch", f"/{of_shop['id']}", name="y").status_code == 200
