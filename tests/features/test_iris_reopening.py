"""An ignored finding exploded: it opens again, and says who had put it aside, why and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.features.crashes import correlate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

CODE = """\
def total(order):
    return order["price"] * factor


def main(order):
    print(total(order))
"""
TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/billing.py", line 6, in main
    print(total(order))
  File "/srv/shop/billing.py", line 2, in total
    return order["price"] * factor
NameError: name 'factor' is not defined
"""
RULE = "undefined_name"


@pytest.fixture
def make_shop(make_service: Callable[..., Service], db_url: str) -> Callable[..., Service]:
    """Make a service on each database in turn, with a finding that is the cause of a crash."""

    def make(**settings: str) -> Service:
        service = make_service(db_url, **settings)
        service.write("billing.py", CODE)
        service.client.post("/api/v1/analyze", json={"path": ".", "project": "shop", "async": True})
        service.worker.drain()
        return service

    return make


def cause_of(service: Service) -> dict[str, Any]:
    """Return the finding that is the cause."""
    listed = service.get("/findings", project="shop", status="all")["findings"]
    details = [service.get(f"/findings/{one['id']}") for one in listed]
    (found,) = [one for one in details if one["type"] == RULE]
    return found  # type: ignore[no-any-return]


def put_aside(service: Service, finding: dict[str, Any], status: str) -> None:
    """Set a finding's status, with a reason."""
    wanted = {"status": status, "reason": "accepted_risk", "comment": "it is never called"}
    assert service.client.patch(f"/api/v1/findings/{finding['id']}", json=wanted).status_code == 200


def test_a_finding_whose_rule_fits_the_error_matches_and_tells_of_its_incidents(
    make_shop: Callable[..., Service],
) -> None:
    shop = make_shop()
    told = correlate(shop, stacktrace=TRACE)
    assert told["correlation_found"] is True
    match = told["matching_findings"][0]
    finding = cause_of(shop)
    assert (match["finding_id"], match["file_path"], match["line_number"]) == (finding["id"], "billing.py", 2)
    assert match["match_confidence"] >= 0.7
    assert match["match_reason"]
    assert match["evidence"]
    assert told["reopened_findings"] == []
    (incident,) = finding["incidents"]
    assert incident["correlation_id"] == told["correlation_id"]
    assert incident["alert_id"] == "A-1"


@pytest.mark.parametrize("status", ["ignored", "wontfix"])
def test_what_was_put_aside_opens_again_and_says_why(make_shop: Callable[..., Service], status: str) -> None:
    shop = make_shop()
    finding = cause_of(shop)
    put_aside(shop, finding, status)
    shop.client.patch("/api/v1/projects/shop", json={"revenue_per_user_usd": 10})
    told = correlate(shop, stacktrace=TRACE, affected_users=7)
    assert told["reopened_findings"] == [finding["id"]]
    action = told["recommended_actions"][0]
    assert all(word in action for word in ("billing.py:2", status, "accepted risk", "anonymous"))
    after = cause_of(shop)
    assert after["status"] == "open"
    story = after["history"][-1]
    assert story["action"] == "reopened"
    assert all(word in story["details"] for word in ("A-1", "NameError", "70.00 USD", "it is never called"))
    again = correlate(shop, "A-2", stacktrace=TRACE)
    assert again["reopened_findings"] == []
    assert len(cause_of(shop)["history"]) == len(after["history"])


def test_what_is_below_the_threshold_stays_as_it_is(make_shop: Callable[..., Service]) -> None:
    shop = make_shop(HEFESTO_CORRELATION_THRESHOLD="0.99")
    put_aside(shop, cause_of(shop), "ignored")
    told = correlate(shop, stacktrace=TRACE)
    assert told["reopened_findings"] == []
    assert cause_of(shop)["status"] == "ignored"
    shown = shop.get("/config")["integrations"]["iris"]
    assert shown["correlation_confidence_threshold"] == 0.99


def test_a_finding_whose_rule_has_nothing_to_do_with_the_error_does_not_match(
    make_shop: Callable[..., Service],
) -> None:
    shop = make_shop()
    trace = TRACE.replace("NameError: name 'factor' is not defined", "TimeoutError: timed out")
    told = correlate(shop, stacktrace=trace)
    assert cause_of(shop)["id"] not in {one["finding_id"] for one in told["matching_findings"]}


def test_a_rejected_finding_is_no_longer_an_incident_s(make_shop: Callable[..., Service]) -> None:
    shop = make_shop()
    told = correlate(shop, stacktrace=TRACE)
    finding = cause_of(shop)
    url = f"/api/v1/iris/correlations/{told['correlation_id']}/feedback"
    before = told["matching_findings"][0]["match_confidence"]
    for verdict, incidents in (("rejected", 0), ("confirmed", 1), ("rejected", 0)):
        wanted = {"verdict": verdict, "finding_id": finding["id"]}
        assert shop.client.post(url, json=wanted).status_code == 200
        assert len(cause_of(shop)["incidents"]) == incidents
    again = correlate(shop, "A-2", stacktrace=TRACE)["matching_findings"]
    found = {one["finding_id"]: one["match_confidence"] for one in again}
    assert 0.0 <= found.get(finding["id"], 0.0) < before
