"""Enriching an alert: the code behind it, its findings, how sure it is; nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.storage import outbox
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

URL = "/api/v1/alerts/enrich"
CODE = """\
import pickle


def load(data):
    return pickle.loads(data)


def show(data):
    return load(data)["name"]
"""
TRACE = """\
Traceback (most recent call last):
  File "/opt/shop/store.py", line 9, in show
    return load(data)["name"]
KeyError: 'name'
"""
MISS: dict[str, Any] = {
    "enriched": False,
    "code_context": None,
    "hefesto_findings": [],
    "correlation_confidence": 0.0,
}


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, with a project that was analysed."""
    made = make_service(db_url)
    made.write("store.py", CODE)
    wanted = {"path": ".", "project": "shop", "async": True, "severity_threshold": "LOW"}
    made.client.post("/api/v1/analyze", json=wanted)
    made.worker.drain()
    return made


def enrich(service: Service, **alert: Any) -> Any:
    """Enrich an alert of the project and return the answer."""
    answer = service.client.post(URL, json={"alert_id": "E-1", "project": "shop", **alert})
    assert answer.status_code == 200, answer.get_json()
    return data_of(answer)


def test_a_place_is_shown_with_its_code_and_findings(shop: Service) -> None:
    told = enrich(shop, file_path="/opt/shop/store.py", line_number=5, error_message="bad pickle")
    assert (told["alert_id"], told["enriched"]) == ("E-1", True)
    code = told["code_context"]
    assert set(code) == {
        "file_path", "function_name", "line_number", "code_snippet", "complexity", "recent_changes",
    }  # fmt: skip
    assert (code["file_path"], code["function_name"], code["line_number"]) == ("store.py", "load", 5)
    assert "pickle.loads" in code["code_snippet"]
    found = {(one["issue_type"], one["line_number"]) for one in told["hefesto_findings"]}
    assert ("security", 5) in found
    assert all(one["suggestion"] and one["message"] for one in told["hefesto_findings"])


def test_a_trace_leads_to_the_innermost_place_in_the_project(shop: Service) -> None:
    told = enrich(shop, stack_trace=TRACE)
    code = told["code_context"]
    assert (code["file_path"], code["function_name"], code["line_number"]) == ("store.py", "show", 9)
    assert 0.0 < told["correlation_confidence"] <= 1.0


@pytest.mark.parametrize(
    "alert",
    [
        {"file_path": "nowhere.py", "line_number": 3},
        {"file_path": "store.py", "line_number": 999},
        {"stack_trace": "not a trace"},
        {"stack_trace": TRACE.replace("store.py", "elsewhere.py")},
        {"file_path": "store.py", "line_number": 5, "project": "unknown"},
        {"file_path": "../../etc/passwd", "line_number": 1},
    ],
)
def test_a_miss_is_no_error(shop: Service, alert: dict[str, Any]) -> None:
    assert enrich(shop, **alert) == {"alert_id": "E-1", **MISS}


def test_a_place_or_a_trace_is_needed(idle: Service) -> None:
    for alert in ({}, {"stack_trace": ""}, {"line_number": 3}, {"file_path": None}):
        answer = idle.client.post(URL, json={"alert_id": "E-1", **alert})
        assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == "file_path"
    answer = idle.client.post(URL, json={"file_path": "store.py"})
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == "alert_id"


def test_nothing_is_stored(shop: Service) -> None:
    db = shop.runtime.db
    with db.read() as session:
        before = outbox.last(session)
    enrich(shop, stack_trace=TRACE)
    enrich(shop, stack_trace=TRACE, project="brand-new")
    with db.read() as session:
        assert outbox.last(session) == before
    assert shop.get("/alerts")["total_count"] == 0
    assert shop.get("/iris/correlations")["total_count"] == 0
    assert "brand-new" not in {one["slug"] for one in shop.get("/projects")["projects"]}
