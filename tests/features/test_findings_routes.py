"""The routes of findings: the list and its filters, one finding, decisions, exports."""

from __future__ import annotations

import csv
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hefesto_api.domain import clock
from hefesto_api.features.findings import triage
from hefesto_api.features.findings.schemas import (
    BulkTriagedSchema,
    ExportedSchema,
    FileFindingsSchema,
    FindingListSchema,
    FindingSchema,
    TriagedSchema,
)
from hefesto_api.storage import findings, incidents, outbox, projects
from tests.answers import data_of, error_of
from tests.storage.factories import THEN, finding_record

if TYPE_CHECKING:
    from hefesto_api.storage.findings import FindingRecord
    from tests.features.conftest import Service

UNKNOWN = "0198c0de-0000-7000-8000-000000000000"


def kept(service: Service, *each: dict[str, Any], project: str = "shop") -> list[FindingRecord]:
    """Put findings on record."""
    with service.runtime.db.write() as session:
        project_id = projects.ensure(session, project).id
        records = [
            finding_record(project_id, analysis_id=UNKNOWN, prints=PRINTS, **fields) for fields in each
        ]
        findings.insert(session, records)
    return records


PRINTS = b"\x97\x01\xa0\xa0\xa0\xa0\xa0\xa0"  # fingerprints that say nothing


def ids_of(data: dict[str, Any]) -> list[str]:
    return [one["id"] for one in data["findings"]]


def test_every_filter_narrows_the_list(idle: Service) -> None:
    odd = {
        "file_path": "lib/a%b_c.py",
        "analyzer": "complexity",
        "severity": "CRITICAL",
        "rule_id": "HEF-CPX-ODD",
        "tool": "Other",
        "cwe": [89],
        "description": "100%_sure",
        "function_name": "Odd.name",
        "last_seen": THEN + timedelta(days=3),
    }
    wanted, plain = kept(idle, odd, {})
    filters: dict[str, str] = {
        "file_path": "lib/a%b_c.py",
        "analyzer": "complexity,code_smells",
        "severity": "critical",
        "min_severity": "HIGH",
        "rule_id": "HEF-CPX-ODD",
        "tool": "Other",
        "cwe": "CWE-89",
        "q": "0%_S",
        "start_date": "2026-01-02",
    }
    for name, value in filters.items():
        assert ids_of(idle.get("/findings", **{name: value})) == [wanted.id], name
    assert ids_of(idle.get("/findings", file_path="lib/")) == [wanted.id]
    assert ids_of(idle.get("/findings", end_date="2026-01-01")) == [plain.id]
    assert ids_of(idle.get("/findings", **filters, project="shop")) == [wanted.id]
    assert ids_of(idle.get("/findings", project="nobody")) == []


def test_a_date_ends_with_its_day(idle: Service) -> None:
    (late,) = kept(idle, {"last_seen": THEN.replace(hour=23, minute=59, second=59)})
    assert ids_of(idle.get("/findings", end_date="2026-01-01")) == [late.id]
    assert ids_of(idle.get("/findings", end_date="2026-01-01T23:59:58Z")) == []
    assert ids_of(idle.get("/findings", start_date="2026-01-01")) == [late.id]


def test_only_open_findings_are_listed_unless_others_are_asked_for(idle: Service) -> None:
    statuses = ("open", "acknowledged", "resolved", "ignored", "wontfix")
    kept(idle, *({"status": status} for status in statuses))
    assert [one["status"] for one in idle.get("/findings")["findings"]] == ["open"]
    assert idle.get("/findings", status="all")["total_count"] == 5
    assert idle.get("/findings", status="ignored,wontfix")["total_count"] == 2


@pytest.mark.parametrize("sort", ["severity", "-severity", "file_path", "-last_seen", "confidence", None])
def test_pages_by_cursor_hold_every_finding_once(idle: Service, sort: str | None) -> None:
    severities = ("LOW", "HIGH", "MEDIUM", "CRITICAL", "LOW", "HIGH", "LOW")
    kept(idle, *({"severity": one, "file_path": f"{at % 3}.py"} for at, one in enumerate(severities)))
    query: dict[str, Any] = {"limit": 2} | ({"sort": sort} if sort else {})
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        page = idle.get("/findings", **query, **({"cursor": cursor} if cursor else {}))
        assert FindingListSchema().validate(page) == {}
        seen += ids_of(page)
        cursor = page["pagination"]["next_cursor"]
    assert cursor is None
    assert len(seen) == len(set(seen)) == 7
    whole = idle.get("/findings", **{**query, "limit": 1000})["findings"]
    assert [one["id"] for one in whole] == seen


def test_the_count_is_in_a_header_and_fields_can_be_picked(idle: Service) -> None:
    kept(idle, {}, {})
    answer = idle.client.get("/api/v1/findings?fields=id,line&limit=1&offset=1")
    assert answer.headers["X-Total-Count"] == "2"
    assert [set(one) for one in data_of(answer)["findings"]] == [{"id", "line"}]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("severity=BAD", "severity"),
        ("status=closed", "status"),
        ("analyzer=style", "analyzer"),
        ("cwe=x", "cwe"),
        ("sort=line", "sort"),
        ("fields=id,nothing", "fields"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("offset=-1", "offset"),
        ("start_date=yesterday", "start_date"),
        ("cursor=x", "cursor"),
        ("project=a&project=b", "project"),
    ],
)
def test_filters_that_do_not_fit_are_named(idle: Service, query: str, field: str) -> None:
    answer = idle.client.get(f"/api/v1/findings?{query}")
    assert answer.status_code == 422
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == field


def test_one_finding_is_told_with_all_that_is_known(any_service: Service) -> None:
    told = {"class_name": "A", "end_line": 3, "metadata": {"x": [1]}, "cwe": [95]}
    suppression = {"kind": "noqa", "line": 1, "justification": "Ours."}
    one, alike = kept(any_service, {**told, "suppression": suppression, "resolved_at": THEN}, {"line": 7})
    data = any_service.get(f"/findings/{one.id}")
    assert FindingSchema().validate(data) == {}
    assert (data["class_name"], data["end_line"], data["metadata"], data["cwe"]) == ("A", 3, {"x": [1]}, [95])
    assert data["suppression"] == suppression
    assert data["resolved_at"] == clock.rfc3339(THEN)
    assert data["incidents"] == data["history"] == []
    assert [other["id"] for other in data["related_findings"]] == [alike.id]
    patched(any_service, one.id, status="wontfix")
    assert [entry["action"] for entry in any_service.get(f"/findings/{one.id}")["history"]] == ["wontfix"]
    assert any_service.get(f"/findings/{one.id.upper()}")["id"] == one.id


@pytest.mark.parametrize("severity", ["LOW", "CRITICAL"])
def test_relatives_may_be_of_another_severity_and_file(any_service: Service, severity: str) -> None:
    odd = {"severity": severity, "file_path": "other.py", "line_text": "eval(asked)"}
    one, other, _ = kept(any_service, {"line_text": "eval(asked)"}, odd, {**odd, "status": "ignored"})
    related = any_service.get(f"/findings/{one.id}")["related_findings"]
    assert [relative["id"] for relative in related] == [other.id]


def test_relatives_are_of_the_same_rule_the_most_similar_first(idle: Service) -> None:
    line = "return eval(request.args['q'])"
    fields: list[dict[str, Any]] = [
        {"line_text": line, "function_name": "f"},
        {"line_text": "eval(x)", "function_name": "f", "line": 9},
        {"line_text": "other = eval", "function_name": "g", "line": 20},
        {"line_text": line.replace("'q'", "'p'"), "file_path": "b.py"},
        {"line_text": "nothing alike at all", "file_path": "c.py"},
        {"line_text": line, "rule_id": "HEF-SEC-OTHER"},
    ]
    records = kept(idle, *fields)
    related = idle.get(f"/findings/{records[0].id}")["related_findings"]
    assert [one["id"] for one in related] == [records[3].id, records[1].id, records[2].id]
    scores = [one["similarity_score"] for one in related]
    assert scores == sorted(scores, reverse=True)
    assert scores[1:] == [0.8, 0.6]


def test_relatives_are_at_most_25(idle: Service) -> None:
    records = kept(idle, *({"line": line} for line in range(1, 40)))
    assert len(idle.get(f"/findings/{records[0].id}")["related_findings"]) == 25


@pytest.mark.parametrize(
    "path",
    ["src/app.py", "a b/ü\U0001f600.py", "100%/x.py", "%2F.py", "x?y.py", "x#y.py", "a.py/b", "export.py"],
)
def test_the_findings_of_a_file_by_its_path(idle: Service, path: str) -> None:
    kept(idle, {"file_path": path, "severity": "HIGH", "status": "resolved"}, {"file_path": "z.py"})
    data = data_of(idle.client.get(f"/api/v1/findings/{quoted(path)}"))
    assert FileFindingsSchema().validate(data) == {}
    assert data["file_path"] == path
    assert [(one["issue_type"], one["line_number"], one["status"]) for one in data["findings"]] == [
        ("security", 1, "resolved")
    ]
    assert data_of(idle.client.get(f"/api/v1/findings/{quoted(path)}?severity=critical"))["findings"] == []
    assert data_of(idle.client.get(f"/api/v1/findings/{quoted(path)}?since=2026-01-02"))["findings"] == []


def quoted(path: str) -> str:
    return "".join(f"%{byte:02X}" if chr(byte) not in "/." else chr(byte) for byte in path.encode())


def test_a_slash_may_come_encoded_and_a_folder_ends_in_one(idle: Service) -> None:
    kept(idle, {"file_path": "src/a.py"}, {"file_path": "src/b.py"}, {"file_path": "srcs/c.py"})
    assert idle.get("/findings/src%2Fa.py")["total_count"] == 1
    assert idle.get("/findings/src/")["total_count"] == 2


def test_a_file_that_nobody_knows_has_no_findings(idle: Service) -> None:
    assert idle.get("/findings/nowhere.py") == {
        "file_path": "nowhere.py",
        "findings": [],
        "total_count": 0,
    }


def test_what_is_written_like_a_uuid_is_an_id(idle: Service) -> None:
    answer = idle.client.get(f"/api/v1/findings/{UNKNOWN}")
    assert error_of(answer, "RESOURCE_NOT_FOUND") == {"resource_type": "finding", "resource_id": UNKNOWN}
    assert idle.get(f"/findings/{UNKNOWN}.py")["findings"] == []


def patched(service: Service, finding_id: str, **wanted: Any) -> dict[str, Any]:
    answer = service.client.patch(f"/api/v1/findings/{finding_id}", json=wanted)
    assert answer.status_code == 200, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    assert TriagedSchema().validate(told) == {}
    return told


STATUSES = ("open", "acknowledged", "resolved", "ignored", "wontfix")


@pytest.mark.parametrize("former", STATUSES)
@pytest.mark.parametrize("wanted", ["acknowledged", "resolved", "ignored", "wontfix", "reopen"])
def test_any_status_may_follow_any(idle: Service, former: str, wanted: str) -> None:
    (one,) = kept(idle, {"status": former})
    status = "open" if wanted == "reopen" else wanted
    assert patched(idle, one.id, status=wanted)["status"] == status
    data = idle.get(f"/findings/{one.id}")
    assert (data["resolved_at"] is not None) == (status == "resolved" != former)
    changed = status != former
    assert len(data["history"]) == changed
    if changed:
        assert data["history"][0]["details"] == f"Set from {former} to {status}."
        assert data["history"][0]["user"] == data["updated_by"] == "anonymous"


def test_the_same_again_changes_nothing(idle: Service) -> None:
    (one,) = kept(idle, {})
    until = clock.rfc3339(clock.now() + timedelta(days=1))
    decision = {"status": "ignored", "reason": "test_code", "comment": "Só teste", "ignored_until": until}
    first = patched(idle, one.id, **decision)
    tag = idle.client.get(f"/api/v1/findings/{one.id}").headers["ETag"]
    assert patched(idle, one.id, **decision) == first
    assert patched(idle, one.id, status="ignored") == first
    assert idle.client.get(f"/api/v1/findings/{one.id}").headers["ETag"] == tag
    sentence = f"Set from open to ignored until {until} (test code): Só teste"
    assert [entry["details"] for entry in idle.get(f"/findings/{one.id}")["history"]] == [sentence]


def test_a_new_comment_or_reason_alone_is_kept(idle: Service) -> None:
    (one,) = kept(idle, {})
    patched(idle, one.id, status="ignored", reason="no_time")
    patched(idle, one.id, status="ignored", comment="Later.")
    patched(idle, one.id, status="ignored", reason="duplicate")
    data = idle.get(f"/findings/{one.id}")
    assert data["reason"] == "duplicate"
    assert [entry["action"] for entry in data["history"]] == ["ignored", "commented", "ignored"]
    assert patched(idle, one.id, status="reopen")["status"] == "open"
    assert idle.get(f"/findings/{one.id}")["reason"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "status"),
        ({"status": "closed"}, "status"),
        ({"status": 5}, "status"),
        ({"status": "ignored", "comment": "x" * 1001}, "comment"),
        ({"status": "ignored", "reason": "because"}, "reason"),
        ({"status": "ignored", "ignored_until": "soon"}, "ignored_until"),
        ({"status": "ignored", "ignored_until": "2020-01-01"}, "ignored_until"),
        ({"status": "resolved", "ignored_until": "2999-01-01"}, "ignored_until"),
        ({"status": "wontfix", "ignored_until": "incident"}, "ignored_until"),
    ],
)
def test_decisions_that_do_not_fit_are_named(idle: Service, body: dict[str, Any], field: str) -> None:
    (one,) = kept(idle, {})
    answer = idle.client.patch(f"/api/v1/findings/{one.id}", json=body)
    assert answer.status_code == 422
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == field


def test_a_decision_about_what_changed_since_is_refused(idle: Service) -> None:
    (one,) = kept(idle, {})
    place = f"/api/v1/findings/{one.id}"
    tag = idle.client.get(place).headers["ETag"]
    first = idle.client.patch(place, json={"status": "acknowledged"}, headers={"If-Match": tag})
    assert first.status_code == 200
    second = idle.client.patch(place, json={"status": "wontfix"}, headers={"If-Match": tag})
    assert second.status_code == 412
    assert idle.get(f"/findings/{one.id}")["status"] == "acknowledged"


def test_resolving_and_reopening_are_events(idle: Service) -> None:
    (one,) = kept(idle, {})
    for status in ("acknowledged", "resolved", "resolved", "reopen", "ignored", "reopen"):
        patched(idle, one.id, status=status)
    with idle.runtime.db.read() as session:
        events = outbox.after(session, 0)
    told = ["finding.resolved", "finding.reopened", "finding.reopened"]
    assert [event.type for event in events] == told
    assert events[0].data["findings"][0]["id"] == one.id
    assert events[0].project_id == one.project_id


def test_what_was_ignored_until_now_is_open_again(idle: Service) -> None:
    past = clock.now() - timedelta(seconds=1)
    later = clock.now() + timedelta(days=1)
    due, waiting = kept(
        idle, {"status": "ignored", "ignored_until": past}, {"status": "ignored", "ignored_until": later}
    )
    assert triage.wake(idle.runtime.db) == 1
    woken = idle.get(f"/findings/{due.id}")
    assert (woken["status"], woken["ignored_until"]) == ("open", None)
    assert [entry["action"] for entry in woken["history"]] == ["reopened"]
    assert idle.get(f"/findings/{waiting.id}")["status"] == "ignored"
    assert triage.wake(idle.runtime.db) == 0


def bulk(service: Service, **wanted: Any) -> dict[str, Any]:
    told: dict[str, Any] = data_of(service.client.patch("/api/v1/findings", json=wanted))
    assert BulkTriagedSchema().validate(told) == {}
    return told


def test_several_at_once_each_have_a_result(idle: Service) -> None:
    records = kept(idle, {}, {"status": "wontfix"})
    ids = [records[0].id, UNKNOWN, records[1].id, records[0].id]
    told = bulk(idle, ids=ids, status="wontfix", comment="No.")
    assert (told["updated"], told["unchanged"], told["failed"]) == (2, 1, 1)
    assert [one["id"] for one in told["results"]] == ids
    assert [one.get("changed") for one in told["results"]] == [True, None, True, False]
    assert told["results"][1]["error"]["code"] == "RESOURCE_NOT_FOUND"
    again = bulk(idle, ids=ids, status="wontfix", comment="No.")
    assert (again["updated"], again["unchanged"], again["failed"]) == (0, 3, 1)


def test_what_was_merged_fails_alone(idle: Service) -> None:
    stays, gone, other = kept(idle, {}, {}, {})
    answer = idle.client.post(f"/api/v1/findings/{gone.id}/merge", json={"into": stays.id})
    assert answer.status_code == 200
    told = bulk(idle, ids=[gone.id, other.id], status="acknowledged")
    assert (told["updated"], told["failed"]) == (1, 1)
    assert (told["results"][0]["success"], told["results"][0]["error"]["code"]) == (False, "CONFLICT")


def test_a_lost_race_fails_alone(any_service: Service) -> None:
    """Of many who decide about the same findings at once, each gets a result for each; none fails whole."""
    ids = [one.id for one in kept(any_service, *({} for _ in range(40)))]
    users = 4
    start = threading.Barrier(users)

    def decide(number: int) -> dict[str, Any]:
        start.wait()
        order = ids if number % 2 else ids[::-1]
        wanted = {"ids": order, "status": "acknowledged", "comment": f"By {number}."}
        answer = any_service.client.application.test_client().patch("/api/v1/findings", json=wanted)
        return {"status": answer.status_code, **answer.get_json()}

    with ThreadPoolExecutor(users) as pool:
        answers = list(pool.map(decide, range(users)))
    assert [one["status"] for one in answers] == [200] * users
    for one in answers:
        results = one["data"]["results"]
        assert len(results) == len(ids)
        assert {result["error"]["code"] for result in results if not result["success"]} <= {"CONFLICT"}
    done = sum(one["data"]["updated"] for one in answers)
    told = [any_service.get(f"/findings/{one}")["history"] for one in ids]
    assert sum(map(len, told)) == done


def test_ignored_until_an_incident(idle: Service) -> None:
    one, two = kept(idle, {}, {})
    patched(idle, one.id, status="ignored", ignored_until="incident", reason="no_time")
    bulk(idle, ids=[two.id], status="ignored", ignored_until="incident")
    assert triage.wake(idle.runtime.db) == 0
    for each in (one, two):
        told = idle.get(f"/findings/{each.id}")
        assert FindingSchema().validate(told) == {}
        assert (told["status"], told["ignored_until"]) == ("ignored", "incident")
    assert idle.get(f"/findings/{one.id}")["history"][-1]["details"] == (
        "Set from open to ignored until it appears in an incident (no time)."
    )
    same = bulk(idle, ids=[one.id], status="ignored", ignored_until="incident")
    assert same["unchanged"] == 1
    patched(idle, one.id, status="ignored", comment="Still.")
    assert idle.get(f"/findings/{one.id}")["ignored_until"] == "incident"
    patched(idle, one.id, status="ignored", ignored_until="2999-01-01")
    assert idle.get(f"/findings/{one.id}")["ignored_until"].startswith("2999-01-01")
    patched(idle, two.id, status="reopen")
    assert idle.get(f"/findings/{two.id}")["ignored_until"] is None


def test_an_incident_opens_what_was_ignored_until_one(idle: Service) -> None:
    (one,) = kept(idle, {})
    patched(idle, one.id, status="ignored", ignored_until="incident", comment="Not now.")
    with idle.runtime.db.write() as session:
        assert incidents.reopen(session, one.id, UNKNOWN, "Seen in an incident.")
    told = idle.get(f"/findings/{one.id}")
    assert (told["status"], told["reason"], told["ignored_until"]) == ("open", "incident", None)
    assert told["history"][-1]["details"].startswith(
        "Seen in an incident. It was ignored by anonymous since "
    )
    assert told["history"][-1]["details"].endswith(": Not now.")


def test_several_by_filter(idle: Service) -> None:
    kept(idle, *({"rule_id": "HEF-SEC-EVAL"} for _ in range(250)), {"rule_id": "HEF-SEC-OTHER"})
    told = bulk(idle, filter={"rule_id": "HEF-SEC-EVAL"}, status="resolved")
    assert (told["updated"], told["has_more"]) == (250, False)
    assert idle.get("/findings")["total_count"] == 1
    with idle.runtime.db.read() as session:
        events = outbox.after(session, 0)
    assert sum(event.data["count"] for event in events) == 250
    assert max(len(event.data["findings"]) for event in events) <= 100


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {}},
        {"ids": []},
        {"ids": ["x"]},
        {"ids": [UNKNOWN] * 1001},
        {"filter": {"cwe": "x"}},
        {"ids": [UNKNOWN], "filter": {"q": "x"}},
    ],
)
def test_several_are_named_in_exactly_one_way(idle: Service, body: dict[str, Any]) -> None:
    answer = idle.client.patch("/api/v1/findings", json={**body, "status": "resolved"})
    assert answer.status_code == 422


def exported(service: Service, kind: str, **query: str) -> Any:
    answer = service.client.get("/api/v1/findings/export", query_string={"format": kind, **query})
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    return answer


def test_exports_hold_every_finding_once_in_every_format(idle: Service) -> None:
    records = kept(idle, *({"file_path": f"{at % 40}.py", "line": at + 1} for at in range(1203)))
    kept(idle, {"file_path": "=cmd|'x'!A1.py", "description": "</script><odd>"}, project="other")
    ids = {record.id for record in records}
    data = data_of(exported(idle, "json", project="shop"))
    assert ExportedSchema().validate(data) == {}
    assert {one["id"] for one in data["findings"]} == ids
    rows = list(csv.DictReader(io.StringIO(exported(idle, "csv", project="shop").text)))
    assert {row["id"] for row in rows} == ids
    results = exported(idle, "sarif", project="shop").get_json()["runs"][0]["results"]
    assert {one["properties"]["id"] for one in results} == ids
    suites = ET.fromstring(exported(idle, "junit", project="shop").data)  # noqa: S314 - our own
    assert len(suites.findall(".//failure")) == int(suites.get("failures", "")) == 1203
    assert len(exported(idle, "codeclimate", project="shop").get_json()) == 1203
    page = exported(idle, "html", project="other").text
    assert "<odd>" not in page
    assert "&lt;odd&gt;" in page
    assert "'=cmd" in exported(idle, "csv", project="other").text


def test_json_lines_hold_a_finding_each_whatever_its_text(idle: Service) -> None:
    text = 'a\nb\r\u2028c"}\x00\ud800'
    kept(idle, {"description": text}, {"file_path": "b\n.py"}, project="shop")
    answer = exported(idle, "jsonl", project="shop")
    assert answer.content_type == "application/x-ndjson"
    assert answer.headers["Content-Disposition"].endswith('.jsonl"')
    *lines, rest = answer.data.split(b"\n")
    assert rest == b""
    same = data_of(exported(idle, "json", project="shop"))["findings"]
    assert [json.loads(line) for line in lines] == same
    assert len(same) == 2
    assert exported(idle, "jsonl", project="nothing-there").data == b""


def test_exports_take_the_lists_filters(idle: Service) -> None:
    kept(idle, {"severity": "HIGH"}, {"status": "ignored"})
    assert len(data_of(exported(idle, "json"))["findings"]) == 1
    assert len(data_of(exported(idle, "json", status="all"))["findings"]) == 2
    assert data_of(exported(idle, "json", min_severity="critical"))["findings"] == []
    answer = idle.client.get("/api/v1/findings/export?format=pdf")
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == "format"
