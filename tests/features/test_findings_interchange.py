"""What another tool's report says comes out again as it went in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.answers import data_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

IMPORT = "/api/v1/findings/import?project=shop"


def place(line: int, message: str) -> dict[str, Any]:
    region = {"startLine": line, "startColumn": 2, "endLine": line, "endColumn": 8}
    artifact = {"uri": "src/a%20b.py", "uriBaseId": "%SRCROOT%"}
    return {
        "physicalLocation": {"artifactLocation": artifact, "region": region},
        "message": {"text": message},
    }


def report(**fields: Any) -> dict[str, Any]:
    location = place(7, "here")
    del location["message"]
    result = {"ruleId": "R1", "message": {"text": "Odd."}, "locations": [location], **fields}
    run = {
        "tool": {"driver": {"name": "Other", "rules": [{"id": "R1"}]}},
        "artifacts": [{"location": {"uri": "src/a%20b.py"}}],
        "invocations": [{"executionSuccessful": True}],
        "results": [result],
    }
    return {"version": "2.1.0", "runs": [run]}


def bring_in(service: Service, document: dict[str, Any]) -> None:
    assert service.client.post(IMPORT, json=document).status_code == 200


def exported(service: Service, **query: str) -> list[dict[str, Any]]:
    asked = {"format": "sarif", "project": "shop", "status": "all", **query}
    answer = service.client.get("/api/v1/findings/export", query_string=asked)
    results: list[dict[str, Any]] = answer.get_json()["runs"][0]["results"]
    return results


def test_flows_related_places_and_suppressions(any_service: Service) -> None:
    threads = [{"locations": [{"location": place(at, f"step {at}")}]} for at in (1, 2)]
    told: dict[str, Any] = {
        "codeFlows": [{"threadFlows": threads}, {"threadFlows": threads[:1]}],
        "relatedLocations": [place(30, "declared")],
        "suppressions": [
            {"kind": "external", "status": "underReview", "justification": "asked"},
            {"kind": "external", "status": "rejected", "justification": "no"},
        ],
        "baselineState": "updated",
    }
    bring_in(any_service, report(**told))
    (result,) = exported(any_service)
    assert {name: result.get(name) for name in told} == told
    kept = any_service.get(f"/findings/{result['properties']['id']}")["metadata"]
    assert [len(flow) for flow in kept["code_flows"]] == [1, 1, 1]


@pytest.mark.parametrize("again", [1, 2])
def test_a_finding_is_new_until_it_is_seen_again(service: Service, again: int) -> None:
    for _ in range(again):
        bring_in(service, report())
    assert [one["baselineState"] for one in exported(service)] == [{1: "new", 2: "unchanged"}[again]]


def test_what_is_gone_is_absent_and_is_not_taken_in_again(service: Service) -> None:
    bring_in(service, report())
    gone = report()
    gone["runs"][0]["results"] = []
    bring_in(service, gone)
    assert [one["baselineState"] for one in exported(service)] == ["absent"]
    answer = service.client.get("/api/v1/findings/export?format=sarif&project=shop&status=all")
    data = data_of(service.client.post("/api/v1/findings/import?project=copy", json=answer.get_json()))
    assert (data["new"], data["updated"], data["unchanged"]) == (0, 0, 0)
