"""Importing what other tools found."""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.features.analysis.schemas import AnalysisSchema, ImportedSchema
from hefesto_api.storage import outbox
from tests.answers import data_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

PLACE = "/api/v1/findings/import?project=shop"
Result = tuple[str, str, int, str]
THREE: list[Result] = [
    ("B307", "a.py", 3, "Use of eval"),
    ("B102", "a.py", 9, "Use of exec"),
    ("B307", "b.py", 1, "Use of eval"),
]
CODE = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"


@pytest.fixture
def service(any_service: Service) -> Service:
    """Imports behave the same on each database."""
    return any_service


def run(results: list[Result], tool: str = "Bandit", **members: Any) -> dict[str, Any]:
    return {
        "tool": {"driver": {"name": tool, "rules": [{"id": "B307"}, {"id": "B102"}]}},
        "results": [
            {
                "ruleId": rule,
                "message": {"text": text},
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": path},
                            "region": {"startLine": line},
                        }
                    }
                ],
            }
            for rule, path, line, text in results
        ],
        **members,
    }


def report(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"version": "2.1.0", "runs": list(runs)}


def imported(service: Service, *runs: dict[str, Any]) -> dict[str, int]:
    data = data_of(service.client.post(PLACE, json=report(*runs)))
    assert ImportedSchema().validate(data) == {}
    return {name: data[name] for name in ("new", "updated", "unchanged", "resolved")}


def counts(new: int = 0, updated: int = 0, unchanged: int = 0, resolved: int = 0) -> dict[str, int]:
    return {"new": new, "updated": updated, "unchanged": unchanged, "resolved": resolved}


def statuses(service: Service) -> dict[tuple[str, str], str]:
    listed = service.get("/findings", project="shop", status="all")["findings"]
    return {(one["rule_id"], one["file_path"]): one["status"] for one in listed}


def test_the_same_report_twice_changes_nothing(service: Service) -> None:
    assert imported(service, run(THREE)) == counts(new=3)
    assert imported(service, run(THREE)) == counts(unchanged=3)
    listed = service.get("/findings", project="shop")["findings"]
    assert {one["tool"] for one in listed} == {"Bandit"}
    assert {one["analyzer"] for one in listed} == {"security"}
    assert {one["occurrence_count"] for one in listed} == {2}


def test_what_moved_or_is_told_otherwise_is_updated(service: Service) -> None:
    imported(service, run(THREE))
    moved = [("B307", "a.py", 5, "Use of eval"), *THREE[1:]]
    assert imported(service, run(moved)) == counts(updated=1, unchanged=2)


def test_another_sighting_counts_whether_or_not_anything_changed(service: Service) -> None:
    imported(service, run(THREE))
    first = service.finding("B102")
    imported(service, run(THREE))
    second = service.finding("B102")
    assert second["occurrence_count"] == first["occurrence_count"] + 1
    assert second["last_seen"] > first["last_seen"]
    differing = {name for name in first if first[name] != second[name]}
    assert differing == {"occurrence_count", "last_seen", "timestamp", "analysis_id"}


@pytest.mark.parametrize(
    ("field", "members", "told"),
    [
        ("code_snippet", {"snippet": {"text": "exec(it)"}}, "exec(it)"),
        ("end_line", {"endLine": 11}, 11),
        ("column", {"startColumn": 5}, 5),
    ],
)
def test_whatever_is_told_otherwise_is_on_record(
    service: Service, field: str, members: dict[str, Any], told: object
) -> None:
    former, otherwise = run(THREE), run(THREE)
    otherwise["results"][1]["locations"][0]["physicalLocation"]["region"] |= members
    for one in (former, otherwise):
        one["results"][1]["partialFingerprints"] = {"hash": "1"}
    imported(service, former)
    imported(service, otherwise)
    assert service.finding("B102")[field] == told


def test_what_has_no_column_of_its_own_is_on_record_as_it_was_last_told(service: Service) -> None:
    for state in ("new", "unchanged", None):
        one = run(THREE)
        one["results"][1] |= {"baselineState": state} if state else {}
        imported(service, one)
        assert service.finding("B102")["metadata"].get("baseline_state") == state


def test_only_files_and_rules_of_the_run_are_closed(service: Service) -> None:
    imported(service, run(THREE))
    assert imported(service, run(THREE[:1])) == counts(unchanged=1, resolved=1)
    assert statuses(service) == {
        ("B307", "a.py"): "open",
        ("B102", "a.py"): "resolved",
        ("B307", "b.py"): "open",
    }
    narrow = run(THREE[:1])
    narrow["tool"]["driver"]["rules"] = [{"id": "B307"}]
    assert imported(service, run(THREE)) == counts(updated=1, unchanged=2)
    assert imported(service, narrow) == counts(unchanged=1)


def test_a_file_among_the_artifacts_was_looked_at(service: Service) -> None:
    imported(service, run(THREE))
    artifacts = [{"location": {"uri": "b.py"}}, {"location": {"uri": "a.py"}, "roles": ["directory"]}]
    assert imported(service, run([], artifacts=artifacts)) == counts(resolved=1)
    assert statuses(service)["B307", "b.py"] == "resolved"


def test_a_run_that_failed_closes_nothing(service: Service) -> None:
    imported(service, run(THREE))
    failed = run(THREE[:1], invocations=[{"executionSuccessful": False}])
    assert imported(service, failed) == counts(unchanged=1)


def test_another_tool_closes_nothing_of_this_one(service: Service) -> None:
    imported(service, run(THREE))
    assert imported(service, run(THREE[:1], tool="Other")) == counts(new=1)
    assert set(statuses(service).values()) == {"open"}


def test_what_is_ours_is_not_touched_by_a_report_in_our_name(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze(project="shop")
    ours = service.get("/findings", project="shop")["findings"]
    false = run([("B307", "run.py", 1, "x")], tool="hefesto")
    false["tool"]["driver"]["rules"] = [{"id": one["rule_id"]} for one in ours]
    assert imported(service, false) == counts(new=1)
    assert len(service.get("/findings", project="shop", tool="hefesto")["findings"]) == len(ours)


def test_our_own_analysis_closes_nothing_that_was_imported(service: Service) -> None:
    service.write("a.py", "x = 1\n")
    imported(service, run(THREE))
    service.analyze(project="shop")
    (service.root / "a.py").unlink()
    service.write("c.py", "y = 1\n")
    service.analyze(project="shop")
    assert set(statuses(service).values()) == {"open"}


def test_what_a_person_decided_survives_an_import(service: Service) -> None:
    imported(service, run(THREE))
    finding = service.finding("B102", project="shop")
    service.client.patch(f"/api/v1/findings/{finding['id']}", json={"status": "wontfix"})
    imported(service, run([(rule, path, line + 4, text) for rule, path, line, text in THREE]))
    assert service.finding("B102", project="shop")["status"] == "wontfix"


def test_a_tools_own_fingerprints_tell_its_findings_apart(service: Service) -> None:
    first = run([("B307", "a.py", 3, "Use of eval"), ("B307", "a.py", 9, "Use of eval")])
    for result, mark in zip(first["results"], ("x:1", "y:1"), strict=True):
        result["partialFingerprints"] = {"primaryLocationLineHash": mark}
    imported(service, first)
    upper, lower = sorted(service.get("/findings", project="shop")["findings"], key=lambda one: one["line"])
    first["results"] = first["results"][1:]
    assert imported(service, first) == counts(unchanged=1, resolved=1)
    assert service.get(f"/findings/{upper['id']}")["status"] == "resolved"
    assert service.get(f"/findings/{lower['id']}")["status"] == "open"


def test_what_the_tool_suppressed_is_ignored(service: Service) -> None:
    suppressed = run(THREE[:1])
    suppressed["results"][0]["suppressions"] = [{"kind": "external", "justification": "agreed"}]
    imported(service, suppressed)
    assert statuses(service) == {("B307", "a.py"): "ignored"}


def test_an_import_is_an_analysis_with_events(service: Service) -> None:
    data = data_of(service.client.post(PLACE + "&branch=work&commit_hash=abc", json=report(run(THREE))))
    told = service.get(f"/analyze/{data['analysis_id']}", severity_threshold="LOW")
    assert AnalysisSchema().validate(told) == {}
    assert (told["kind"], told["tool"], told["status"]) == ("import", "Bandit", "completed")
    assert (told["branch"], told["commit_hash"], told["files_analyzed"]) == ("work", "abc", 2)
    assert len(told["findings"]) == told["summary"]["total_issues"] == 3
    with service.runtime.db.read() as session:
        assert {event.type for event in outbox.after(session, 0)} >= {"finding.created", "analysis.completed"}


def sent(service: Service, content: bytes, kind: str, **headers: str) -> Any:
    return service.client.post(PLACE, data=content, content_type=kind, headers=headers)


def test_a_report_comes_plain_packed_as_a_form_or_as_github_takes_it(service: Service) -> None:
    plain = json.dumps(report(run(THREE))).encode()
    packed = gzip.compress(plain)
    form = {"commit_sha": "f" * 40, "ref": "refs/heads/main", "sarif": base64.b64encode(packed).decode()}
    answers = [
        sent(service, plain, "application/json"),
        sent(service, b"\xef\xbb\xbf" + plain, "application/sarif+json"),
        sent(service, packed, "application/gzip"),
        sent(service, packed, "application/json", **{"Content-Encoding": "gzip"}),
        service.client.post(PLACE, json=form),
        service.client.post(PLACE, data={"file": (io.BytesIO(packed), "x.sarif.gz")}),
    ]
    assert [data_of(answer)["new"] for answer in answers] == [3, 0, 0, 0, 0, 0]
    assert [data_of(answer)["unchanged"] for answer in answers] == [0, 3, 3, 3, 3, 3]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\x1f\x8bbroken", "application/gzip", 400),
        (gzip.compress(b"{}", mtime=0)[:-9], "application/gzip", 400),
        (b'{"x":' + b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"version": "2.0.0", "runs": []}', "application/json", 422),
        (b'{"version": "2.1.0"}', "application/json", 422),
        (b'{"sarif": "?"}', "application/json", 422),
        (b'{"sarif": 5}', "application/json", 422),
        (b"{}", "text/plain", 415),
    ],
)
def test_what_is_no_report_is_refused(idle: Service, content: bytes, kind: str, status: int) -> None:
    answer = sent(idle, content, kind)
    assert answer.status_code == status, answer.get_json()
    assert idle.get("/analyses")["total_count"] == 0


def test_a_bomb_is_refused(make_small: Service) -> None:
    bomb = gzip.compress(b'{"version": "2.1.0", "runs": [], "x": "' + b" " * 3_000_000 + b'"}')
    assert sent(make_small, bomb, "application/gzip").status_code == 413
    encoded = base64.b64encode(bomb).decode()
    assert make_small.client.post(PLACE, json={"sarif": encoded}).status_code == 413


@pytest.fixture
def make_small(make_service: Any, sqlite_url: str) -> Service:
    """A service that takes but a megabyte."""
    made: Service = make_service(sqlite_url, HEFESTO_MAX_UPLOAD_MB="1")
    return made


def test_results_without_a_usable_place_are_refused_by_themselves(idle: Service) -> None:
    odd = run([*THREE, ("B307", "../../etc/passwd", 1, "x"), ("B307", "https://x/y", 1, "x")])
    data = data_of(idle.client.post(PLACE, json=report(odd)))
    assert (data["new"], data["refused"]) == (3, 2)
    assert data["refused_results"][0]["pointer"] == "runs[0].results[3]"


def test_hostile_text_is_taken_as_text(idle: Service) -> None:
    name = "<script>'\";--\u202e\U0001f600.py"
    rule = "x" * 5000
    results = [(rule, name, 2**31 - 1, "\u202e<b>" * 3000), ("B307", "%FF.py", 1, "\x07")]
    data = data_of(idle.client.post(PLACE, json=report(run(results))))
    assert data["new"] == 2
    listed = idle.get("/findings", project="shop")["findings"]
    assert {one["file_path"] for one in listed} == {name, "\\udcff.py"}
    assert max(len(one["rule_id"]) for one in listed) == 300


def test_half_a_character_is_refused_or_taken_as_text(idle: Service) -> None:
    odd = json.dumps(report(run([("B307", "a.py", 1, "HALF")]))).replace("HALF", "\\ud800")
    assert sent(idle, odd.encode(), "application/json").status_code in {200, 400}


def test_many_results_are_written_in_stages(idle: Service) -> None:
    results = [("B307", f"{number % 300}.py", number, f"eval {number}") for number in range(1, 3001)]
    data = data_of(idle.client.post(PLACE, json=report(run(results))))
    assert data["new"] == 3000
    assert idle.get("/findings", project="shop", rule_id="B307")["total_count"] == 3000


def test_githubs_form_may_escape_its_base64_and_be_large(idle: Service) -> None:
    results = [("B307", f"{number % 300}.py", number, f"eval {number * 7919}") for number in range(1, 9001)]
    packed = gzip.compress(json.dumps(report(run(results))).encode(), 0)
    encoded = base64.b64encode(packed).decode()
    assert len(encoded) > 1_000_000
    form = json.dumps({"sarif": encoded, "commit_sha": "abc"})
    assert "+" in encoded
    assert "/" in encoded
    for text in (form.replace("/", "\\/").replace("+", "\\u002B"), form):
        data = data_of(sent(idle, text.encode(), "application/json"))
        assert data["new"] + data["unchanged"] == 9000
    assert idle.get("/findings", project="shop")["total_count"] == 9000


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda encoded: encoded[:-1],
        lambda encoded: "=" + encoded,
        lambda encoded: encoded[:40] + "=" * 4 + encoded[40:],
        lambda encoded: encoded + "\\n",
    ],
)
def test_base64_that_is_none_is_refused(idle: Service, spoilt: Any) -> None:
    encoded = base64.b64encode(gzip.compress(json.dumps(report(run(THREE))).encode())).decode()
    text = '{"sarif": "' + spoilt(encoded) + '"}'
    assert sent(idle, text.encode(), "application/json").status_code == 422
    assert idle.get("/analyses")["total_count"] == 0


def test_a_flaw_in_the_last_result_leaves_nothing_behind(idle: Service) -> None:
    odd = run(THREE)
    odd["results"][-1]["ruleIndex"] = "x"
    answer = idle.client.post(PLACE, json=report(odd))
    assert answer.status_code == 422
    assert "runs[0].results[2].ruleIndex" in answer.get_data(as_text=True)
    assert idle.get("/analyses")["total_count"] == 0


def test_what_the_run_says_of_itself_may_come_behind_its_results(service: Service) -> None:
    imported(service, run(THREE))
    first = run(THREE[:1], artifacts=[{"location": {"uri": "b.py"}}])
    backwards = dict(reversed(first.items()))
    assert list(backwards)[-1] == "tool"
    assert imported(service, backwards) == counts(unchanged=1, resolved=2)
