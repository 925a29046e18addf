"""The life of a finding: found, seen again, moved, suppressed, fixed, back; and what must not close it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.answers import data_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

SHELL = "HEF-SEC-COMMAND-INJECTION"
EVAL = "HEF-SEC-CODE-EXECUTION"
CODE = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
CLEAN = "import os\n\n\ndef run(name):\n    return os.listdir(name)\n"
SUPPRESSED = CODE.replace("+ name)", "+ name)  # noqa: S605")


@pytest.fixture
def service(any_service: Service) -> Service:
    """Every life is lived on each database."""
    return any_service


def actions(finding: dict[str, Any]) -> list[str]:
    return [entry["action"] for entry in finding["history"]]


def triage(service: Service, finding: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    answer = service.client.patch(f"/api/v1/findings/{finding['id']}", json=wanted)
    assert answer.status_code == 200, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    return told


def test_a_finding_is_the_same_when_it_is_seen_again(service: Service) -> None:
    service.write("run.py", CODE)
    first = service.analyze()
    before = service.finding(SHELL)
    service.analyze()
    after = service.finding(SHELL)
    assert before["id"] == after["id"] == next(f["id"] for f in first["findings"] if f["rule_id"] == SHELL)
    assert (before["occurrence_count"], after["occurrence_count"]) == (1, 2)
    assert after["last_seen"] > before["last_seen"]
    assert after["first_seen"] == before["first_seen"]
    assert actions(after) == ["created"]


def test_a_finding_keeps_its_id_when_lines_move_or_the_function_is_indented(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    before = service.finding(SHELL)
    body = "".join(f"    {line}\n" for line in CODE.split("\n\n\n")[1].splitlines())
    service.write("run.py", f"import os\n\nVALUE = 1\n\n\nclass Runner:\n{body}")
    service.analyze()
    after = service.finding(SHELL)
    assert (before["line"], after["line"]) == (5, 8)
    assert after["id"] == before["id"]
    assert after["class_name"] == "Runner"


def test_a_finding_follows_its_file(service: Service) -> None:
    service.write("old/run.py", CODE)
    service.analyze()
    before = service.finding(SHELL)
    (service.root / "new").mkdir()
    (service.root / "old/run.py").rename(service.root / "new/run.py")
    service.analyze()
    after = service.finding(SHELL)
    assert (after["id"], after["file_path"], after["status"]) == (before["id"], "new/run.py", "open")


def test_a_comment_in_the_source_suppresses_and_its_removal_opens(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    service.write("run.py", SUPPRESSED)
    answer = service.analyze()
    ignored = service.finding(SHELL)
    assert (ignored["status"], ignored["reason"]) == ("ignored", "suppressed_in_source")
    assert ignored["suppression"]["kind"] == "noqa"
    assert SHELL not in [finding["rule_id"] for finding in answer["findings"]]
    assert answer["summary"]["suppressed"] == 1
    service.write("run.py", CODE)
    service.analyze()
    back = service.finding(SHELL)
    assert (back["status"], back["suppression"]) == ("open", None)
    assert actions(back) == ["created", "suppressed", "unsuppressed"]


@pytest.mark.parametrize("reason", ["accepted_risk", None])
def test_what_a_person_ignores_stays_ignored_when_the_comment_goes(
    service: Service, reason: str | None
) -> None:
    service.write("run.py", SUPPRESSED)
    service.analyze()
    triage(service, service.finding(SHELL), status="ignored", reason=reason)
    service.write("run.py", CODE)
    service.analyze()
    kept = service.finding(SHELL)
    assert (kept["status"], kept["reason"]) == ("ignored", reason)


def test_a_finding_is_fixed_and_comes_back(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    service.write("run.py", CLEAN)
    service.analyze()
    fixed = service.finding(SHELL)
    assert fixed["status"] == "resolved"
    assert fixed["resolved_at"] is not None
    assert service.get("/findings")["total_count"] == 0
    service.write("run.py", CODE)
    service.analyze()
    back = service.finding(SHELL)
    assert (back["id"], back["status"], back["resolved_at"]) == (fixed["id"], "open", None)
    assert actions(back) == ["created", "fixed", "regressed"]


@pytest.mark.parametrize("status", ["acknowledged", "ignored", "wontfix"])
def test_a_scan_changes_nothing_that_a_person_set(service: Service, status: str) -> None:
    service.write("run.py", CODE)
    service.analyze()
    triage(service, service.finding(SHELL), status=status, comment="ours")
    service.write("run.py", f"# moved\n{CODE}")
    service.analyze()
    after = service.finding(SHELL)
    assert (after["status"], after["updated_by"], after["line"]) == (status, "anonymous", 6)
    assert after["occurrence_count"] == 2
    assert actions(after) == ["created", status]


def test_what_a_person_resolved_and_is_there_comes_back(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    triage(service, service.finding(SHELL), status="resolved")
    service.analyze()
    assert actions(service.finding(SHELL)) == ["created", "resolved", "regressed"]


def test_a_deleted_file_takes_its_findings_along(service: Service) -> None:
    service.write("run.py", CODE)
    service.write("other.py", "x = 1\n")
    service.analyze()
    (service.root / "run.py").unlink()
    service.analyze()
    assert service.finding(SHELL)["status"] == "resolved"
    assert "gone" in service.finding(SHELL)["history"][-1]["details"]


def test_an_analysis_of_a_part_closes_nothing_outside(service: Service) -> None:
    service.write("one/run.py", CODE)
    service.write("two/run.py", "eval(input())\n")
    service.analyze()
    service.write("one/run.py", CLEAN)
    service.analyze("two")
    assert service.finding(SHELL)["status"] == "open"
    service.analyze("one")
    assert service.finding(SHELL)["status"] == "resolved"
    assert service.finding(EVAL)["status"] == "open"


def test_what_is_excluded_is_not_closed(service: Service) -> None:
    service.write("one/run.py", CODE)
    service.write("two/run.py", "x = 1\n")
    service.analyze()
    service.analyze(exclude_patterns=["one/"])
    assert service.finding(SHELL)["status"] == "open"


def test_other_analyzers_close_nothing_of_security(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    service.write("run.py", CLEAN)
    answer = service.analyze(analyzers=["complexity", "code_smells"])
    assert {finding["analyzer"] for finding in answer["findings"]} <= {"complexity", "code_smells"}
    assert service.finding(SHELL)["status"] == "open"


def test_behind_a_syntax_error_nothing_is_closed(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    service.write("run.py", "def broken(:\n    pass\n")
    answer = service.analyze()
    assert [skipped["path"] for skipped in answer["files_skipped"]] == ["run.py"]
    assert "syntax error" in answer["files_skipped"][0]["reason"]
    assert service.finding(SHELL)["status"] == "open"


def test_two_equal_lines_are_two_findings_and_one_of_them_can_be_fixed(service: Service) -> None:
    twice = CODE + "    os.system('ls ' + name)\n"
    service.write("run.py", twice)
    service.analyze()
    both = service.get("/findings", rule_id=SHELL)["findings"]
    assert len({finding["id"] for finding in both}) == 2
    service.write("run.py", CODE)
    service.analyze()
    assert service.get("/findings", rule_id=SHELL)["total_count"] == 1
    assert service.get("/findings", rule_id=SHELL, status="resolved")["total_count"] == 1


def test_the_same_text_in_another_file_is_another_finding(service: Service) -> None:
    service.write("one.py", CODE)
    service.write("two.py", CODE)
    service.analyze()
    found = service.get("/findings", rule_id=SHELL)["findings"]
    assert {finding["file_path"] for finding in found} == {"one.py", "two.py"}
    relatives = service.get(f"/findings/{found[0]['id']}")["related_findings"]
    assert [(one["id"], one["similarity_score"]) for one in relatives] == [(found[1]["id"], 1.0)]


def test_inline_files_without_a_project_enter_no_list(service: Service) -> None:
    files = [{"path": "run.py", "content": CODE}]
    answer = data_of(service.client.post("/api/v1/analyze", json={"files": files}))
    assert [finding["rule_id"] for finding in answer["findings"]] == [SHELL]
    assert answer["project"] is None
    assert service.get("/findings", status="all")["total_count"] == 0
    again = service.get(f"/analyze/{answer['analysis_id']}")
    assert again["findings"] == answer["findings"]


def test_inline_files_with_a_project_enter_its_list(service: Service) -> None:
    files = [{"path": "run.py", "content": CODE}]
    service.client.post("/api/v1/analyze", json={"files": files, "project": "shop"})
    assert service.finding(SHELL, project="shop")["file_path"] == "run.py"
    assert service.get("/findings", project="default")["total_count"] == 0
