"""The pages of deployments and webhooks in a browser, over the whole service and a receiver."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from tests.e2e.looking import CART, MARKS, alert, look
from tests.e2e.test_service import Served, until
from tests.features.receiver import PRIVATE, Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = MARKS
OCCURRENCES = 3
MESSAGES = 3  # of two deployments and an alert


class World:
    """What was deployed, who is told of it, and where that one is."""

    def __init__(self, served: Served, deployment: str, webhook: str, receiver: str) -> None:
        self.served, self.deployment, self.webhook, self.receiver = served, deployment, webhook, receiver

    def look(self, check: str, **given: Any) -> None:
        """Run a check of these pages."""
        about = {"deployment": self.deployment, "webhook": self.webhook, "receiver": self.receiver}
        look(self.served, check, "outgoing", **about, **given)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The service with two deployments, a new alert, and a receiver that has said that it is gone."""
    served = Served(tmp_path_factory.mktemp("outgoing"), HEFESTO_WEBHOOK_ALLOW_PRIVATE=PRIVATE)
    (served.root / "cart.py").write_text(CART)
    served.start()
    with Receiver(503, headers={"Retry-After": "3600"}) as receiver:
        try:
            yield _made(served, receiver)
        finally:
            served.end(signal.SIGKILL)


def _made(served: Served, receiver: Receiver) -> World:
    served.call("POST", "/api/v1/projects", {"slug": "shop", "root_path": str(served.root)})
    assert (
        served.call("POST", "/api/v1/analyze", {"path": ".", "project": "shop", "severity_threshold": "LOW"})[
            0
        ]
        == 200
    )
    wanted = {"name": "gone", "url": receiver.url, "events": ["alert.created", "deployment.created"]}
    webhook = served.call("POST", "/api/v1/webhooks", wanted)[1]["id"]
    earlier = {"deployed_at": (clock.now() - timedelta(hours=5)).isoformat()}
    deployed = [
        served.call("POST", "/api/v1/deployments", {"project": "shop", **marker})[1]["id"]
        for marker in ({"release": "4.1", **earlier}, {"release": "4.2"})
    ]
    for number in range(OCCURRENCES):
        served.call("POST", "/api/v1/alerts", alert(f"known-{number}", "KeyError: 'customer'"))
    place = f"/api/v1/webhooks/{webhook}"
    until(served, f"{place}/health", _rests)
    receiver.statuses[:] = [410]
    for is_active in (False, True):  # made active again it is asked at once
        served.call("PATCH", place, {"is_active": is_active})
    until(served, f"{place}/health", lambda told: told["dead_letters"] == MESSAGES)
    receiver.statuses[:] = [200]
    served.call("PATCH", place, {"is_active": True})
    until(served, "/api/v1/alerts", lambda told: told["alerts"][0]["correlation_id"])
    return World(served, deployed[1], webhook, receiver.url)


def _rests(told: dict[str, Any]) -> bool:
    """Tell whether all is there to be told, and the receiver asked to be left alone for an hour."""
    tried = any(one["kind"] == "delivery" for one in told["attempt_log"])
    return tried and bool(told["deliveries_waiting"] == MESSAGES)


def test_every_page_shows_its_data_without_a_complaint_or_a_barrier(world: World) -> None:
    world.look("pages")


def test_who_looks_at_a_deployment_finds_what_it_broke(world: World) -> None:
    world.look("deployment", error_type="KeyError", suspect="price", occurrences=OCCURRENCES)


def test_a_webhook_is_made_tried_changed_and_deleted(world: World) -> None:
    world.look("webhook")


def test_dead_letters_are_sent_anew(world: World) -> None:
    world.look("replay")


def test_a_change_of_health_is_seen_without_asking(world: World) -> None:
    wanted = {"name": "waking", "url": world.receiver, "events": ["anomaly.detected"], "is_active": False}
    made = world.served.call("POST", "/api/v1/webhooks", wanted)[1]
    world.look("live", name="waking", id=made["id"])
