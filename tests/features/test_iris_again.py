"""A crash that happens again is answered from what is known by now, whatever was kept of the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hefesto_api.storage import alert_occurrences
from tests.features.crashes import analysed, correlate
from tests.features.test_iris_reopening import CODE, RULE, TRACE
from tests.features.test_iris_suspects import INNOCENT, Shop

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Shop:
    """A project with a history on each database in turn."""
    return Shop(make_service(db_url))


def hashes(answer: dict[str, Any]) -> list[str]:
    """Return the suspected commits of an answer."""
    return [one["commit_hash"] for one in answer["suspect_commits"]]


def without_ids(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer says of the crash."""
    return {name: value for name, value in answer.items() if name not in ("correlation_id", "alert_id")}


def test_the_same_crash_has_the_same_answer(shop: Shop) -> None:
    shop.deploy(shop.first, 1)
    shop.deploy(shop.later, 6)
    told = [without_ids(shop.correlate(alert_id=f"A-{number}")) for number in range(3)]
    assert told[0]["suspect_commits"]
    assert told[1] == told[0]
    assert told[2] == told[0]


def test_what_was_deployed_since_is_suspected(shop: Shop) -> None:
    shop.deploy(shop.first, 1)
    assert [hashes(shop.correlate(alert_id=one)) for one in "ab"] == [[shop.first], [shop.first]]
    shop.deploy(shop.later, 6)
    assert hashes(shop.correlate(alert_id="c"))[0] == shop.culprit
    shop.deploy(shop.first, 8)
    assert hashes(shop.correlate(alert_id="d")) == [shop.first]


def test_what_was_committed_since_is_told_of(shop: Shop) -> None:
    def undeployed(answer: dict[str, Any]) -> set[str]:
        return {
            one["function_name"]
            for one in answer["suspect_functions"]
            for each in one["evidence"]
            if each["feature"] == "changed by a commit that is not deployed"
        }

    shop.deploy(shop.later, 1)
    assert [undeployed(shop.correlate(alert_id=one)) for one in "ab"] == [set(), set()]
    twice = INNOCENT.replace("amount * rate", "2 * amount * rate")
    shop.deploy(shop.repository.commit("Twice", shop__prices=twice), 2, "staging")
    shop.service.worker.drain()
    assert undeployed(shop.correlate(alert_id="c")) == {"price_in"}


def test_a_finding_is_told_of_as_it_is_by_now(make_service: Callable[..., Service], db_url: str) -> None:
    service = make_service(db_url, HEFESTO_CORRELATION_THRESHOLD="1.0")  # nothing is opened again
    service.write("billing.py", CODE)
    service = analysed(service)
    listed = service.get("/findings", project="shop", status="all")["findings"]
    (finding,) = [one for one in listed if service.get(f"/findings/{one['id']}")["type"] == RULE]
    seen: list[list[str]] = []
    for status in ("", "", "ignored", "resolved", "open"):
        if status:
            wanted = {"status": status, "reason": "accepted_risk", "comment": "so be it"}
            assert service.client.patch(f"/api/v1/findings/{finding['id']}", json=wanted).status_code == 200
        told = correlate(service, f"A-{len(seen)}", stacktrace=TRACE)
        seen.append([one["status"] for one in told["matching_findings"]])
    assert seen == [["open"], ["open"], ["ignored"], [], ["open"]]


def test_without_a_stack_or_words_each_alert_stays_itself(
    make_service: Callable[..., Service], db_url: str
) -> None:
    service = make_service(db_url)
    told = [correlate(service, name, stacktrace=None) for name in ("disk", "queue")]
    assert told[0]["recorded_alert_id"] != told[1]["recorded_alert_id"]
    with service.runtime.db.read() as session:
        kept = session.execute(sa.select(alert_occurrences.COLUMN_OF["message"])).scalars().all()
    assert sorted(kept) == ["disk", "queue"]


def test_with_a_stack_neither_title_nor_id_parts_them(
    make_service: Callable[..., Service], db_url: str
) -> None:
    service = analysed(make_service(db_url))
    told = [correlate(service, f"A-{number}", title=f"Number {number}") for number in range(3)]
    told.append(correlate(service, "A-3", service_name="payments"))
    assert len({one["recorded_alert_id"] for one in told}) == 1
    (alert,) = service.get("/alerts", project="shop")["alerts"]
    assert alert["occurrence_count"] == 4
