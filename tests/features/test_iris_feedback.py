"""Confirming and rejecting correlations changes later answers, in the right direction and within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.storage import learning, projects
from tests.answers import data_of, error_of
from tests.features.crashes import CODE, TRACE, analysed, correlate

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.domain.correlation import Learned
    from tests.features.conftest import Service


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, with a project that was analysed."""
    return analysed(make_service(db_url))


def judge(service: Service, correlation: dict[str, Any], verdict: str, **subject: Any) -> Any:
    """Give feedback and return the answer."""
    url = f"/api/v1/iris/correlations/{correlation['correlation_id']}/feedback"
    answer = service.client.post(url, json={"verdict": verdict, **subject})
    assert answer.status_code == 200, answer.get_json()
    return data_of(answer)


def share_of(correlation: dict[str, Any], function: str) -> float:
    """Return the probability of a function; 0 for one that is not suspected."""
    found = (one for one in correlation["suspect_functions"] if one["function_name"] == function)
    return float(next((one["probability"] for one in found), 0.0))


def learned(service: Service) -> Learned:
    """Return what was learned in the project."""
    with service.runtime.db.read() as session:
        return learning.learned(session, projects.get(session, "shop").id)


def total(lesson: Learned) -> int:
    """Count all that was learned in the project."""
    tables = (lesson.project_signals, lesson.project_rules)
    return sum(one.confirmed + one.rejected for table in tables for one in table.values())


def other_trace(number: int) -> str:
    """Return a crash of another cause in the same functions."""
    return TRACE.replace("TypeError", f"Custom{number}Error")


def test_confirming_raises_and_rejecting_lowers_the_same_function(shop: Service) -> None:
    before = correlate(shop)
    name = before["suspect_functions"][0]["function_name"]
    judge(shop, before, "confirmed", function=name)
    confirmed = correlate(shop, "B", stacktrace=other_trace(1))
    assert share_of(confirmed, name) > share_of(before, name)
    for number in range(2, 6):
        told = correlate(shop, f"C{number}", stacktrace=other_trace(number))
        judge(shop, told, "rejected", function=name)
    rejected = correlate(shop, "D", stacktrace=other_trace(9))
    assert share_of(rejected, name) < share_of(before, name)


def test_none_of_these_lowers_the_confidence(shop: Service) -> None:
    before = correlate(shop)
    judge(shop, before, "confirmed", none=True)
    after = correlate(shop, "B", stacktrace=other_trace(1))
    assert after["confidence_score"] < before["confidence_score"]


@pytest.mark.parametrize("verdict", ["confirmed", "rejected"])
def test_no_score_leaves_its_bounds_however_often_it_is_said(shop: Service, verdict: str) -> None:
    for number in range(25):
        told = correlate(shop, f"A{number}", stacktrace=other_trace(number))
        answer = judge(shop, told, verdict)
        if answer["error_after"] is not None:
            assert answer["error_after"] <= answer["error_before"] + 1e-9
    last = correlate(shop, "last", stacktrace=other_trace(99))
    shares = [one["probability"] for one in last["suspect_functions"]]
    assert all(0.0 <= share <= 1.0 for share in [*shares, last["confidence_score"]])
    assert sum(shares) <= 1.0 + 1e-3


def test_the_same_feedback_twice_counts_once(shop: Service) -> None:
    told = correlate(shop)
    first = judge(shop, told, "confirmed", function="name_of")
    counted = learned(shop)
    again = judge(shop, told, "confirmed", function="name_of", comment="again")
    assert (first["is_new"], again["is_new"]) == (True, False)
    assert learned(shop) == counted
    assert len(shop.get(f"/iris/correlations/{told['correlation_id']}")["feedback"]) == 1


def test_a_changed_mind_replaces_what_was_said(shop: Service) -> None:
    told = correlate(shop)
    judge(shop, told, "confirmed", function="name_of")
    judge(shop, told, "rejected", function="name_of", comment="no, it was not")
    (said,) = shop.get(f"/iris/correlations/{told['correlation_id']}")["feedback"]
    assert (said["verdict"], said["comment"]) == ("rejected", "no, it was not")
    assert said["subject"] == "function:pkg/names.py:name_of"
    confirmed = [one.confirmed for one in learned(shop).project_signals.values()]
    assert sum(confirmed) == 0


def test_one_function_can_be_to_blame(shop: Service) -> None:
    told = correlate(shop)
    judge(shop, told, "confirmed", function="main")
    judge(shop, told, "confirmed", function="name_of")
    subjects = {
        one["subject"] for one in shop.get(f"/iris/correlations/{told['correlation_id']}")["feedback"]
    }
    assert subjects == {"function:pkg/names.py:name_of"}
    judge(shop, told, "confirmed", none=True)
    (said,) = shop.get(f"/iris/correlations/{told['correlation_id']}")["feedback"]
    assert said["subject"] == "none"


def test_a_function_that_was_not_suspected_may_be_named(shop: Service) -> None:
    told = correlate(shop)
    answer = judge(shop, told, "confirmed", function="elsewhere", file_path="pkg/other.py")
    assert answer["subject"] == "function:pkg/other.py:elsewhere"


def test_what_was_said_is_replayed_after_the_tree_has_changed(shop: Service) -> None:
    judge(shop, correlate(shop), "confirmed", function="name_of")
    shop.write("pkg/names.py", CODE.replace("name_of", "title_of"))
    answer = judge(shop, correlate(shop, "B", stacktrace=other_trace(1)), "rejected", function="main")
    assert answer["replayed"] == 2
    assert answer["error_before"] is not None


def test_feedback_must_make_sense(shop: Service) -> None:
    told = correlate(shop)
    url = f"/api/v1/iris/correlations/{told['correlation_id']}/feedback"
    unknown = "0198c0de-0000-7000-8000-000000000000"
    for wanted in (
        {},
        {"verdict": "maybe"},
        {"verdict": "confirmed", "function": "main", "none": True},
        {"verdict": "confirmed", "finding_id": "x"},
    ):
        error_of(shop.client.post(url, json=wanted), "VALIDATION_ERROR")
    wanted = {"verdict": "confirmed", "finding_id": unknown}
    error_of(shop.client.post(url, json=wanted), "RESOURCE_NOT_FOUND")
    missing = shop.client.post(url.replace(told["correlation_id"], unknown), json={"verdict": "confirmed"})
    error_of(missing, "RESOURCE_NOT_FOUND")
    bare = data_of(shop.client.post("/api/v1/iris/correlate-alert", json={"alert_id": "bare"}))
    nothing = shop.client.post(
        url.replace(told["correlation_id"], bare["correlation_id"]), json={"verdict": "rejected"}
    )
    error_of(nothing, "VALIDATION_ERROR")
