"""What a scan may never do to a finding, and what every change of one leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.answers import data_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

SHELL = "HEF-SEC-COMMAND-INJECTION"
CODE = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
CLEAN = "import os\n\n\ndef run(name):\n    return os.listdir(name)\n"
IMPORT = "/api/v1/findings/import?project=shop"
LATER = "2999-01-01T00:00:00.000000Z"


@pytest.fixture
def service(any_service: Service) -> Service:
    """Every life is lived on each database."""
    return any_service


def triage(service: Service, finding: dict[str, Any], **wanted: Any) -> None:
    answer = service.client.patch(f"/api/v1/findings/{finding['id']}", json=wanted)
    assert answer.status_code == 200, answer.get_json()


def told(finding: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    return [(entry["action"], entry["user"], entry["details"]) for entry in finding["history"]]


def report(*lines: int, tool: str = "Bandit", path: str = "a.py", failed: bool = False) -> dict[str, Any]:
    """Return a report of one run that found B307 on some lines of a file and knows B102 too."""
    results = [
        {
            "ruleId": "B307",
            "message": {"text": "Use of eval"},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": line}}}
            ],
        }
        for line in lines
    ]
    run = {
        "tool": {"driver": {"name": tool, "rules": [{"id": "B307"}, {"id": "B102"}]}},
        "artifacts": [{"location": {"uri": path}}],
        "invocations": [{"executionSuccessful": not failed}],
        "results": results,
    }
    return {"version": "2.1.0", "runs": [run]}


def bring_in(service: Service, sent: dict[str, Any], query: str = "") -> tuple[int, int, int, int]:
    data = data_of(service.client.post(IMPORT + query, json=sent))
    return data["new"], data["updated"], data["unchanged"], data["resolved"]


def imported(service: Service, **query: str) -> list[dict[str, Any]]:
    listed = service.get("/findings", project="shop", **{"status": "all", **query})["findings"]
    return [service.get(f"/findings/{one['id']}") for one in sorted(listed, key=lambda one: one["line"])]


def test_every_change_says_who_when_and_why(service: Service) -> None:
    began = datetime.now(UTC)
    service.write("run.py", CODE)
    service.analyze()
    triage(service, service.finding(SHELL), status="acknowledged", comment="Ana looks at it.")
    service.write("run.py", CLEAN)
    service.analyze()
    service.write("run.py", CODE)
    service.analyze()
    triage(service, service.finding(SHELL), status="wontfix", reason="accepted_risk", comment="Only ours.")
    triage(service, service.finding(SHELL), status="reopen")
    finding = service.finding(SHELL)
    assert told(finding) == [
        ("created", None, "First seen in run.py, line 5."),
        ("acknowledged", "anonymous", "Set from open to acknowledged: Ana looks at it."),
        ("fixed", None, "Not found any more where it was looked for; it was acknowledged."),
        ("regressed", None, "Seen again after it was resolved."),
        ("wontfix", "anonymous", "Set from open to wontfix (accepted risk): Only ours."),
        ("reopened", "anonymous", "Set from wontfix to open."),
    ]
    times = [datetime.fromisoformat(entry["timestamp"]) for entry in finding["history"]]
    assert times == sorted(times)
    assert began - timedelta(seconds=1) < times[0]
    assert times[-1] <= datetime.now(UTC)


@pytest.mark.parametrize("until", [LATER, "incident"])
@pytest.mark.parametrize("edited", ["", "# one more line\n"])
def test_a_scan_leaves_every_field_that_a_person_set(service: Service, edited: str, until: str) -> None:
    service.write("run.py", CODE)
    service.analyze()
    decision = {"status": "ignored", "reason": "accepted_risk", "ignored_until": until, "comment": "Known."}
    triage(service, service.finding(SHELL), **decision)
    before = service.finding(SHELL)
    service.write("run.py", edited + CODE)
    service.analyze()
    after = service.finding(SHELL)
    kept = ("status", "reason", "ignored_until", "updated_at", "updated_by", "history")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (after["status"], after["reason"], after["ignored_until"]) == ("ignored", "accepted_risk", until)
    assert after["occurrence_count"] == 2


def test_an_import_leaves_every_field_that_a_person_set(service: Service) -> None:
    bring_in(service, report(3))
    decision = {"status": "ignored", "reason": "no_time", "ignored_until": LATER, "comment": "Soon."}
    triage(service, imported(service)[0], **decision)
    (before,) = imported(service)
    assert bring_in(service, report(7)) == (0, 1, 0, 0)
    (after,) = imported(service)
    kept = ("status", "reason", "ignored_until", "updated_at", "updated_by", "history")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (after["line"], after["occurrence_count"]) == (7, 2)


def test_one_tree_after_another_and_back_loses_no_comment(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    decision = {"status": "ignored", "reason": "accepted_risk", "ignored_until": LATER, "comment": "Known."}
    triage(service, service.finding(SHELL), **decision)
    known = service.finding(SHELL)
    for code in (CLEAN, CODE):
        service.write("run.py", code)
        service.analyze()
    back = service.finding(SHELL)
    assert (back["id"], back["status"]) == (known["id"], "open")
    assert [entry["action"] for entry in back["history"]] == ["created", "ignored", "fixed", "regressed"]
    assert back["history"][1] == known["history"][1]
    assert back["history"][1]["details"].endswith("(accepted risk): Known.")
    assert back["history"][2]["details"].endswith("; it was ignored (accepted risk).")
    # What is open is ignored until no time, and resolved at none.
    assert (back["reason"], back["ignored_until"], back["resolved_at"]) == (None, None, None)


def test_another_tree_with_other_files_and_back_loses_no_comment(service: Service) -> None:
    service.write("a/run.py", CODE)
    service.analyze()
    triage(service, service.finding(SHELL), status="acknowledged", comment="Mine.")
    (service.root / "a/run.py").rename(service.root / "kept.txt")
    service.write("b/other.py", "x = 1\n")
    service.analyze()
    assert service.finding(SHELL)["status"] == "resolved"
    (service.root / "b/other.py").unlink()
    (service.root / "kept.txt").rename(service.root / "a/run.py")
    service.analyze()
    back = service.finding(SHELL)
    assert [entry["action"] for entry in back["history"]] == ["created", "acknowledged", "fixed", "regressed"]
    assert back["history"][1]["details"] == "Set from open to acknowledged: Mine."


def test_a_branch_closes_and_opens_nothing_of_another(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze(branch="work")
    service.write("run.py", CLEAN)
    service.analyze()
    first = service.analyze()
    finding = service.finding(SHELL)
    assert (finding["status"], finding["branch"]) == ("open", "work")
    assert SHELL not in [one["rule_id"] for one in first["findings"]]
    assert finding["occurrence_count"] == 1
    service.analyze(branch="work")
    assert service.finding(SHELL)["status"] == "resolved"


def test_what_a_branch_fixed_is_not_seen_there_again(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    service.write("run.py", CLEAN)
    service.write("other.py", "x = 1\n")
    service.analyze(branch="work")
    service.write("other.py", "x = 2\n")
    again = service.analyze(branch="work")
    assert SHELL not in [one["rule_id"] for one in again["findings"]]
    assert service.finding(SHELL)["occurrence_count"] == 1


def test_what_a_branch_left_as_it_is_is_seen_there_again(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    for _ in range(2):
        answer = service.analyze(branch="work")
        assert SHELL in [one["rule_id"] for one in answer["findings"]]
    assert (service.finding(SHELL)["occurrence_count"], service.finding(SHELL)["branch"]) == (3, None)


def test_a_branch_of_an_import_closes_nothing_of_another(service: Service) -> None:
    bring_in(service, report(3), "&branch=work")
    assert bring_in(service, report()) == (0, 0, 0, 0)
    assert bring_in(service, report(), "&branch=work") == (0, 0, 0, 1)


def test_the_same_report_twice_brings_nothing_new(service: Service) -> None:
    assert bring_in(service, report(3, 9)) == (2, 0, 0, 0)
    first = imported(service)
    assert bring_in(service, report(3, 9)) == (0, 0, 2, 0)
    second = imported(service)
    assert [one["id"] for one in first] == [one["id"] for one in second]
    assert [one["occurrence_count"] for one in second] == [2, 2]
    assert [one["history"] for one in first] == [one["history"] for one in second]


@pytest.mark.parametrize("status", ["resolved", "ignored", "wontfix"])
def test_the_oldest_match_closed_by_hand_breeds_no_copies(service: Service, status: str) -> None:
    bring_in(service, report(3))
    bring_in(service, report(3))
    (oldest,) = imported(service)
    triage(service, oldest, status=status, comment="Done.")
    bring_in(service, report(3))
    bring_in(service, report(3))
    (only,) = imported(service)
    assert only["id"] == oldest["id"]
    # What a person says is fixed and is there comes back; what they chose to live with does not.
    assert only["status"] == ("open" if status == "resolved" else status)


def test_of_two_equal_matches_the_oldest_closed_by_hand_leaves_one_open(service: Service) -> None:
    bring_in(service, report(3, 9))
    upper, _ = imported(service)
    bring_in(service, report(9))
    triage(service, next(one for one in imported(service) if one["status"] == "open"), status="resolved")
    for _ in range(2):
        bring_in(service, report(9))
    statuses = sorted(one["status"] for one in imported(service))
    assert statuses == ["open", "resolved"]
    assert upper["id"] in {one["id"] for one in imported(service)}


def test_an_import_of_one_tool_never_closes_what_another_found(service: Service) -> None:
    bring_in(service, report(3))
    assert bring_in(service, report(tool="Semgrep")) == (0, 0, 0, 0)
    assert [one["status"] for one in imported(service)] == ["open"]


def test_an_import_never_closes_what_our_own_analysis_found(service: Service) -> None:
    service.write("a.py", CODE)
    service.analyze(project="shop")
    sent = report(path="a.py")
    sent["runs"][0]["tool"]["driver"]["rules"].append({"id": SHELL})
    assert bring_in(service, sent) == (0, 0, 0, 0)
    assert service.finding(SHELL, project="shop")["status"] == "open"


def test_a_tool_that_failed_closes_nothing(service: Service) -> None:
    bring_in(service, report(3))
    assert bring_in(service, report(failed=True)) == (0, 0, 0, 0)
    assert bring_in(service, report()) == (0, 0, 0, 1)


def test_a_partial_import_closes_nothing_outside_it(service: Service) -> None:
    bring_in(service, report(3))
    assert bring_in(service, report(4, path="b.py")) == (1, 0, 0, 0)
    without_rule = report()
    without_rule["runs"][0]["tool"]["driver"]["rules"] = [{"id": "B102"}]
    assert bring_in(service, without_rule) == (0, 0, 0, 0)
    assert {one["status"] for one in imported(service)} == {"open"}


def test_a_scan_of_one_file_closes_nothing_in_the_next(service: Service) -> None:
    service.write("one.py", CODE)
    service.write("two.py", CODE)
    service.analyze()
    service.write("one.py", CLEAN)
    service.write("two.py", CLEAN)
    service.analyze("one.py")
    listed = service.get("/findings", rule_id=SHELL, status="all")["findings"]
    assert {one["file_path"]: one["status"] for one in listed} == {"one.py": "resolved", "two.py": "open"}
