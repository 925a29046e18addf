"""The routes of analyses."""

from __future__ import annotations

import io
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.features.analysis import execution
from hefesto_api.features.analysis import service as waiting
from hefesto_api.features.analysis.run import Hooks, Interrupted
from hefesto_api.features.analysis.schemas import AnalysisListSchema, AnalysisSchema, BatchSchema
from hefesto_api.formats.line_hash import line_hashes as hashes
from hefesto_api.storage import analyses
from hefesto_api.worker import engine_of
from tests.answers import data_of, error_of
from tests.features.conftest import Service

if TYPE_CHECKING:
    pass

SHELL = "HEF-SEC-COMMAND-INJECTION"
CODE = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
UNKNOWN = "0198c0de-0000-7000-8000-000000000000"


def zipped(**files: str) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    packed.seek(0)
    return packed


def test_a_directory_is_analysed_with_paths_relative_to_its_root(service: Service) -> None:
    service.write("app/run.py", CODE)
    data = service.analyze(str(service.root / "app"))
    assert AnalysisSchema().validate(data) == {}
    assert data["path"] == str(service.root / "app")
    assert [(f["file"], f["line"], f["rule_id"], f["type"]) for f in data["findings"]] == [
        ("app/run.py", 5, SHELL, "command_injection")
    ]
    assert data["findings"][0]["cwe"] == [78]
    assert data["files_analyzed"] == 1
    assert data["lines_of_code"] == 3


def test_the_threshold_filters_the_answer_not_what_is_stored(service: Service) -> None:
    service.write("run.py", CODE)
    data = service.analyze(severity_threshold="critical")
    assert data["findings"] == []
    assert (data["summary"]["total_issues"], data["summary"]["below_threshold"]) == (0, 1)
    assert service.get("/findings", rule_id=SHELL)["total_count"] == 1
    again = service.get(f"/analyze/{data['analysis_id']}", severity_threshold="HIGH")
    assert again["summary"]["high"] == len(again["findings"]) == 1


def test_severity_is_an_alias_of_the_threshold(service: Service) -> None:
    service.write("run.py", CODE)
    answer = service.client.post("/api/v1/analyze", json={"path": ".", "severity": "CRITICAL"})
    assert data_of(answer)["findings"] == []


@pytest.mark.parametrize(
    ("name", "kind", "beginning"),
    [
        ("text", "text/plain", b""),
        ("html", "text/html", b"<!doctype html>"),
        ("sarif", "application/sarif+json", b'{"$schema"'),
    ],
)
def test_other_formats_are_bare_documents(service: Service, name: str, kind: str, beginning: bytes) -> None:
    service.write("run.py", CODE)
    answer = service.client.post("/api/v1/analyze", json={"path": ".", "format": name})
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert answer.data.startswith(beginning)
    assert SHELL.encode() in answer.data
    again = service.client.get(f"/api/v1/analyze/{answer.headers['X-Analysis-ID']}?format={name}")
    assert again.data == answer.data


def line_hashes(report: dict[str, Any]) -> list[str | None]:
    results = report["runs"][0]["results"]
    return [result["partialFingerprints"].get("primaryLocationLineHash") for result in results]


def test_sarif_carries_githubs_hash_of_the_line_while_the_file_is_as_it_was(service: Service) -> None:
    service.write("run.py", CODE)
    analysis_id = service.analyze()["analysis_id"]
    expected = [hashes(CODE, [5])[5]]
    places = (f"/api/v1/analyze/{analysis_id}?format=sarif", "/api/v1/findings/export?format=sarif")
    for place in places:
        assert line_hashes(service.client.get(place).get_json()) == expected
    service.write("run.py", f"# another line\n{CODE}")
    for place in places:
        assert line_hashes(service.client.get(place).get_json()) == [None]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere.py", "file_not_found"),
        ("../../etc/passwd", "outside_roots"),
        ("/etc/passwd", "outside_roots"),
        ("\u202efile.py", "file_not_found"),
        ("x" * 4000, "file_not_found"),
    ],
)
def test_a_path_that_cannot_be_read_is_refused_before_it_is_queued(
    idle: Service, path: str, reason: str
) -> None:
    answer = idle.client.post("/api/v1/analyze", json={"path": path, "project": "new"})
    assert answer.status_code == 400
    assert error_of(answer, "INVALID_FILE_PATH")["reason"] == reason
    assert idle.get("/analyses")["total_count"] == 0
    assert idle.get("/projects")["projects"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "path"),
        ({"path": ".", "files": [{"path": "a.py", "content": ""}]}, "path"),
        ({"path": 5}, "path"),
        ({"path": ""}, "path"),
        ({"files": []}, "files"),
        ({"files": [{"path": "a.py"}]}, "files.0.content"),
        ({"files": "a.py"}, "files"),
        ({"path": ".", "analyzers": ["style"]}, "analyzers.0"),
        ({"path": ".", "severity_threshold": "BAD"}, "severity_threshold"),
        ({"path": ".", "severity": 3}, "severity"),
        ({"path": ".", "format": "pdf"}, "format"),
        ({"path": ".", "async": "yes"}, "async"),
        ({"path": ".", "project": "../x"}, "project"),
        ({"path": ".", "project": "x\n"}, "project"),
        ({"path": ".", "exclude_patterns": "*.js"}, "exclude_patterns"),
    ],
)
def test_values_that_do_not_fit_are_named(idle: Service, body: dict[str, Any], field: str) -> None:
    answer = idle.client.post("/api/v1/analyze", json=body)
    assert answer.status_code == 422
    assert field in [error["field"] for error in error_of(answer, "VALIDATION_ERROR")["errors"]]


def test_null_is_the_same_as_not_given(service: Service) -> None:
    service.write("run.py", CODE)
    names = ("project", "files", "analyzers", "severity", "format", "exclude_patterns", "branch", "diff_base")
    answer = service.client.post("/api/v1/analyze", json={"path": ".", **dict.fromkeys(names)})
    assert data_of(answer)["project"] == "default"


def test_inline_names_that_lead_elsewhere_are_refused(idle: Service) -> None:
    files = [{"path": "../run.py", "content": CODE}]
    answer = idle.client.post("/api/v1/analyze", json={"files": files})
    assert error_of(answer, "INVALID_FILE_PATH")["reason"] == "outside_roots"


def test_hostile_text_comes_back_as_it_was(service: Service) -> None:
    name = "<script>\u202e'\";--\U0001f600.py"
    files = [{"path": name, "content": f"# {name}\n{CODE}"}]
    data = data_of(service.client.post("/api/v1/analyze", json={"files": files, "project": "odd"}))
    assert data["findings"][0]["file"] == name
    page = service.client.get(f"/api/v1/analyze/{data['analysis_id']}?format=html")
    assert b"<script>" not in page.data
    assert service.get(f"/findings/{name}")["findings"][0]["line_number"] == 6


def test_an_archive_is_analysed(service: Service) -> None:
    form = {
        "file": (zipped(app__run=CODE, app__b="x = 1\n"), "app.zip"),
        "severity": "high",
        "async": "false",
    }
    answer = service.client.post("/api/v1/analyze", data=form)
    data = data_of(answer)
    assert AnalysisSchema().validate(data) == {}
    assert (data["path"], data["project"], data["kind"]) == ("app.zip", None, "archive")
    assert [finding["file"] for finding in data["findings"]] == ["app/run.py"]


def test_an_archive_may_belong_to_a_project(service: Service) -> None:
    form = {"file": (zipped(run=CODE), "app.zip"), "project": "shop", "exclude_patterns": "x/, y/"}
    assert data_of(service.client.post("/api/v1/analyze", data=form))["project"] == "shop"
    assert service.get("/findings", project="shop")["total_count"] == 1


def test_an_upload_that_is_no_archive_is_the_clients_fault(service: Service) -> None:
    answer = service.client.post("/api/v1/analyze", data={"file": (io.BytesIO(b"hello"), "a.zip")})
    assert answer.status_code == 400
    analysis_id = error_of(answer, "MALFORMED_REQUEST")["analysis_id"]
    told = service.get(f"/analyze/{analysis_id}")
    assert (told["status"], told["error"]["code"]) == ("failed", "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "form", [{}, {"project": "x"}, {"file": "text"}, {"format": "pdf", "file": (io.BytesIO(b""), "a.zip")}]
)
def test_a_form_without_its_parts_is_refused(idle: Service, form: dict[str, Any]) -> None:
    answer = idle.client.post("/api/v1/analyze", data=form, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert error_of(answer, "VALIDATION_ERROR")["errors"]


def test_an_asynchronous_analysis_is_accepted_and_told_of(idle: Service) -> None:
    idle.write("run.py", CODE)
    answer = idle.client.post("/api/v1/analyze", json={"path": ".", "async": True})
    assert answer.status_code == 202
    accepted = data_of(answer)
    assert accepted["status"] == "queued"
    assert answer.headers["Location"] == f"/api/v1/analyze/{accepted['analysis_id']}"
    queued = data_of(idle.client.get(answer.headers["Location"]))
    assert (queued["status"], queued["progress"]) == ("queued", {"files_done": 0, "files_total": 0})
    assert AnalysisSchema().validate(queued) == {}
    idle.worker.drain()
    done = data_of(idle.client.get(answer.headers["Location"]))
    assert done["status"] == "completed"
    assert "progress" not in done


def test_an_analysis_that_takes_longer_is_accepted(idle: Service) -> None:
    idle.write("run.py", CODE)
    assert idle.client.post("/api/v1/analyze", json={"path": "."}).status_code == 202


def test_when_too_many_wait_the_next_is_accepted_at_once(service: Service) -> None:
    service.write("run.py", CODE)
    seats = service.runtime.seats
    taken = 0
    while seats.acquire(blocking=False):
        taken += 1
    assert service.client.post("/api/v1/analyze", json={"path": "."}).status_code == 202
    assert 0 < taken < service.runtime.settings.threads
    seats.release()
    assert service.client.post("/api/v1/analyze", json={"path": "."}).status_code == 200


def test_a_report_of_an_unfinished_analysis_is_a_conflict(idle: Service) -> None:
    idle.write("run.py", CODE)
    place = idle.client.post("/api/v1/analyze", json={"path": ".", "async": True}).headers["Location"]
    answer = idle.client.get(f"{place}?format=sarif")
    assert error_of(answer, "CONFLICT")["status"] == "queued"


def test_a_queued_analysis_is_cancelled_at_once(idle: Service) -> None:
    idle.write("run.py", CODE)
    place = idle.client.post("/api/v1/analyze", json={"path": ".", "async": True}).headers["Location"]
    assert data_of(idle.client.post(f"{place}/cancel"))["status"] == "cancelled"
    idle.worker.drain()
    assert data_of(idle.client.get(place))["status"] == "cancelled"
    assert idle.get("/findings", status="all")["total_count"] == 0
    assert error_of(idle.client.post(f"{place}/cancel"), "CONFLICT")["status"] == "cancelled"


def begun(service: Service) -> str:
    """Begin an analysis of 200 files and break it off after its first stage; return its address."""
    for number in range(200):
        service.write(f"run{number}.py", f"{CODE}# {number}\n")
    place = service.client.post("/api/v1/analyze", json={"path": ".", "async": True}).headers["Location"]
    stop = threading.Event()
    engine = engine_of(service.runtime.settings)
    hooks = Hooks(progress=lambda done, total: stop.set(), stop=stop)
    with pytest.raises(Interrupted):
        execution.execute(service.runtime.db, engine, place.rpartition("/")[2], hooks)
    engine.close()
    return place


def test_a_running_analysis_stops_before_its_next_stage(idle: Service) -> None:
    place = begun(idle)
    running = data_of(idle.client.post(f"{place}/cancel"))
    assert running["status"] == "running"
    assert running["progress"]["files_total"] == 200
    assert 0 < running["progress"]["files_done"] < 200
    idle.worker.drain()
    assert data_of(idle.client.get(place))["status"] == "cancelled"
    assert 0 < idle.get("/findings", rule_id=SHELL)["total_count"] < 200


def test_an_analysis_that_was_broken_off_leaves_nothing_twice(idle: Service) -> None:
    place = begun(idle)
    idle.worker.drain()
    done = data_of(idle.client.get(f"{place}?severity=low"))
    assert (done["status"], done["files_analyzed"]) == ("completed", 200)
    assert idle.get("/findings", rule_id=SHELL)["total_count"] == 200
    items = idle.get("/findings", rule_id=SHELL, limit=1000, fields="occurrence_count")["findings"]
    assert {item["occurrence_count"] for item in items} == {1}
    found = [finding for finding in done["findings"] if finding["rule_id"] == SHELL]
    assert len({finding["file"] for finding in found}) == len(found) == 200


def test_the_list_goes_from_new_to_old_by_cursor_and_by_offset(service: Service) -> None:
    service.write("run.py", CODE)
    made = [service.analyze(project="shop" if number % 2 else "mill")["analysis_id"] for number in range(5)]
    first = service.get("/analyses", limit=2)
    assert AnalysisListSchema().validate(first) == {}
    assert first["total_count"] == 5
    second = service.get("/analyses", limit=2, cursor=first["pagination"]["next_cursor"])
    third = service.get("/analyses", limit=2, offset=4)
    listed = [one["analysis_id"] for one in (*first["analyses"], *second["analyses"], *third["analyses"])]
    assert listed == made[::-1]
    assert third["pagination"]["has_more"] is False
    assert service.get("/analyses", project="shop")["total_count"] == 2
    assert service.get("/analyses", project="nobody")["analyses"] == []
    assert service.get("/analyses", status="failed")["total_count"] == 0
    picked = service.get("/analyses", fields="status,path", limit=1)["analyses"]
    assert picked == [{"status": "completed", "path": "."}]


@pytest.mark.parametrize("cursor", ["W10", "WzFd", "WyJhIiwiYiJd", "WzEsMl0"])
def test_a_cursor_of_another_list_is_refused(idle: Service, cursor: str) -> None:
    answer = idle.client.get(f"/api/v1/analyses?cursor={cursor}")
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == "cursor"


def test_a_batch_with_a_bad_path_fails_in_part(service: Service) -> None:
    service.write("run.py", CODE)
    service.write("more/run.py", CODE)
    paths = ["run.py", "nowhere.py", "more"]
    answer = service.client.post("/api/v1/analyze/batch", json={"paths": paths, "project": "shop"})
    assert answer.status_code == 202
    assert BatchSchema().validate(data_of(answer)) == {}
    for result in data_of(answer)["results"]:
        ended(service, result["analysis_id"])
    done = data_of(service.client.get(answer.headers["Location"]))
    assert (done["status"], done["completed"], done["failed"]) == ("partial_failure", 2, 1)
    assert [result["path"] for result in done["results"]] == paths
    assert [result["status"] for result in done["results"]] == ["success", "failed", "success"]
    assert done["results"][1]["error_code"] == "INVALID_FILE_PATH"
    assert service.get("/findings", rule_id=SHELL, project="shop")["total_count"] == 2


def ended(service: Service, analysis_id: str) -> None:
    """Wait until an analysis has ended."""
    assert waiting.wait(service.runtime.db, analysis_id, 30).status not in {"queued", "running"}


@pytest.mark.parametrize("paths", [[], ["a"] * 101, "a", [5], [""], None])
def test_a_batch_has_one_to_a_hundred_paths(idle: Service, paths: Any) -> None:
    answer = idle.client.post("/api/v1/analyze/batch", json={"paths": paths})
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"].startswith("paths")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"analyze/{UNKNOWN}"),
        ("POST", f"analyze/{UNKNOWN}/cancel"),
        ("GET", f"analyze/batch/{UNKNOWN}"),
    ],
)
def test_unknown_ids_are_not_found(idle: Service, method: str, path: str) -> None:
    answer = idle.client.open(f"/api/v1/{path}", method=method)
    assert error_of(answer, "RESOURCE_NOT_FOUND")["resource_id"] == UNKNOWN


def test_a_request_that_is_sent_twice_is_analysed_once(service: Service) -> None:
    service.write("run.py", CODE)
    answers = [
        service.client.post("/api/v1/analyze", json={"path": "."}, headers={"Idempotency-Key": "k1"})
        for _ in range(2)
    ]
    assert answers[0].data == answers[1].data
    assert service.get("/analyses")["total_count"] == 1


def test_an_analysis_that_failed_is_answered_with_its_error(service: Service) -> None:
    with service.runtime.db.write() as session:
        record = analyses.create(session, kind="path", path="x", status="queued")
    execution.fail(service.runtime.db, record.id, "Given up.")
    told = service.get(f"/analyze/{record.id}")
    assert (told["status"], told["error"]) == ("failed", {"code": "ANALYSIS_FAILED", "message": "Given up."})


def test_nothing_of_the_server_but_the_asked_path_is_told(service: Service) -> None:
    service.write("app/run.py", CODE)
    answer = service.client.post("/api/v1/analyze", json={"path": "app"})
    assert str(service.root).encode() not in answer.data
