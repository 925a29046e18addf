"""What people say of which findings are one holds for every later scan: analysis, import, branch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import ids
from hefesto_api.storage import outbox
from tests.answers import data_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

SHELL = "HEF-SEC-COMMAND-INJECTION"
ONE = "import os\n\n\ndef one(name):\n    os.system('ls ' + name)\n"
OTHER = (
    "import os\n\n\ndef other(path, mode):\n    print(mode)\n    os.system(f'cat {path}')\n    return mode\n"
)
BOTH = ONE + OTHER.removeprefix("import os\n")
FORMER = "import os\n\n\ndef run(name):\n    first()\n    os.system('ls ' + name)\n    last()\n"
# The same statement in the same function, with other lines around it.
TAKEN = FORMER.replace("first()", "begin(name)\n    go(name)").replace("last()", "end(name)\n    stop(name)")


@pytest.fixture
def service(any_service: Service) -> Service:
    """Every life is lived on each database."""
    return any_service


def post(service: Service, path: str, **body: Any) -> Any:
    return service.client.post(f"/api/v1/findings/{path}", json=body)


def listed(service: Service, **query: str) -> list[dict[str, Any]]:
    """Return the findings of the rule by line, of every status."""
    found = service.get("/findings", rule_id=SHELL, **{"status": "all", **query})["findings"]
    return sorted(found, key=lambda one: (one["line"], one["id"]))


def open_ones(service: Service) -> list[tuple[str, int]]:
    return [(one["id"], one["line"]) for one in listed(service, status="open")]


def scan(service: Service, code: str, **wanted: Any) -> None:
    service.write("run.py", code)
    service.analyze(**wanted)


def lost_and_found(service: Service) -> tuple[str, str]:
    """Put a finding aside, rewrite its function, and return its id and that of the new one."""
    scan(service, ONE)
    (former,) = listed(service)
    decision = {"status": "wontfix", "reason": "accepted_risk", "comment": "Only ours."}
    service.client.patch(f"/api/v1/findings/{former['id']}", json=decision)
    scan(service, OTHER)
    (new,) = listed(service, status="open")
    assert service.get(f"/findings/{former['id']}")["status"] == "resolved"
    return former["id"], new["id"]


def test_what_was_lost_by_a_rewrite_comes_back_with_its_decision(service: Service) -> None:
    former, new = lost_and_found(service)
    answer = data_of(post(service, f"{new}/merge", into=former, comment="Rewritten."))
    assert (answer["id"], answer["line"], answer["function_name"]) == (former, 6, "other")
    assert [(one["id"], one["place"], one["user"]) for one in answer["merged"]] == [
        (new, "taken", "anonymous")
    ]
    merged, kept = service.get(f"/findings/{new}"), service.get(f"/findings/{former}")
    assert (kept["status"], kept["reason"], kept["line"]) == ("wontfix", "accepted_risk", 6)
    assert (merged["status"], merged["reason"]) == ("resolved", "duplicate")
    assert [entry["action"] for entry in merged["history"]] == ["created", "merged"]
    assert [entry["action"] for entry in kept["history"]] == ["created", "wontfix", "fixed", "merged"]
    assert kept["history"][-1]["details"] == f"Finding {new} was merged into it: Rewritten."
    assert service.get(f"/findings/{new}/identity")["merged_into"] == former
    for code in (OTHER, f"import sys\n{OTHER}", ONE, OTHER):
        scan(service, code)
    assert len(listed(service)) == 2
    assert service.get(f"/findings/{former}")["line"] == 6
    assert service.get(f"/findings/{new}")["status"] == "resolved"


def test_two_places_of_one_finding_are_one_in_every_scan(service: Service) -> None:
    scan(service, BOTH)
    stays, gone = (one["id"] for one in listed(service))
    answer = data_of(post(service, f"{gone}/merge", into=stays))
    assert [one["place"] for one in answer["merged"]] == ["both"]
    assert open_ones(service) == [(stays, 5)]
    scan(service, BOTH)
    assert open_ones(service) == [(stays, 5)]
    scan(service, f"import sys\n{BOTH}")
    assert open_ones(service) == [(stays, 6)]
    scan(service, OTHER)  # its own place is gone, that of the other is not
    assert open_ones(service) == [(stays, 6)]
    story = service.get(f"/findings/{stays}/identity")
    assert story["story"][-1]["evidence"] == "merged"
    assert [one["place"] for one in story["merged"]] == ["taken"]
    scan(service, "import os\n")
    assert service.get(f"/findings/{stays}")["status"] == "resolved"
    scan(service, OTHER)
    assert open_ones(service) == [(stays, 6)]
    assert len(listed(service)) == 2


def test_a_scan_closes_nothing_that_stands_at_a_merged_place_alone(service: Service) -> None:
    scan(service, BOTH)
    stays, gone = (one["id"] for one in listed(service))
    post(service, f"{gone}/merge", into=stays)
    scan(service, ONE)
    assert open_ones(service) == [(stays, 5)]
    assert [one["place"] for one in service.get(f"/findings/{stays}/identity")["merged"]] == ["own"]
    scan(service, BOTH)
    assert open_ones(service) == [(stays, 5)]
    assert [one["place"] for one in service.get(f"/findings/{stays}/identity")["merged"]] == ["both"]


def test_merged_findings_stay_merged_when_their_file_is_renamed_and_on_branches(service: Service) -> None:
    scan(service, BOTH)
    stays, gone = (one["id"] for one in listed(service))
    post(service, f"{gone}/merge", into=stays)
    scan(service, f"import sys\n{BOTH}", branch="side")
    assert open_ones(service) == [(stays, 6)]
    (service.root / "run.py").rename(service.root / "named.py")
    (service.root / "named.py").write_text(BOTH)
    service.analyze()
    assert open_ones(service) == [(stays, 5)]
    assert {one["file_path"] for one in listed(service)} == {"named.py"}
    assert len(listed(service)) == 2


def test_a_merge_is_undone_and_never_comes_back_by_itself(service: Service) -> None:
    former, new = lost_and_found(service)
    post(service, f"{new}/merge", into=former)
    scan(service, f"import sys\n{OTHER}")
    answer = post(service, f"{former}/split", finding=new, comment="They are two.")
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/findings/{new}"
    assert data_of(answer)["parted"] == {"id": new, "status": "open", "line": 7}
    for code in (f"import sys\n{OTHER}", OTHER):
        scan(service, code)
        assert service.get(f"/findings/{former}")["status"] == "resolved"
        assert [one for one, _ in open_ones(service)] == [new]
    assert [one["id"] for one in service.get(f"/findings/{former}/identity")["parted_from"]] == [new]
    assert [one["id"] for one in service.get(f"/findings/{new}/identity")["parted_from"]] == [former]
    scan(service, ONE)
    assert service.get(f"/findings/{former}")["status"] == "open"
    assert service.get(f"/findings/{new}")["status"] == "resolved"


def test_what_a_finding_was_wrongly_taken_for_becomes_one_of_its_own(service: Service) -> None:
    scan(service, FORMER)
    (held,) = listed(service)
    service.client.patch(f"/api/v1/findings/{held['id']}", json={"status": "acknowledged"})
    scan(service, TAKEN)
    (same,) = listed(service)
    assert (same["id"], same["line"]) == (held["id"], 7)
    story = service.get(f"/findings/{held['id']}/identity")["story"]
    assert [(event["action"], event["evidence"]) for event in story][1:] == [("recognized", "symbol")]
    answer = data_of(post(service, f"{held['id']}/split", event=story[1]["event"]))
    parted = service.get(f"/findings/{answer['parted']['id']}")
    assert (parted["status"], parted["line"], parted["first_seen"]) == ("open", 7, story[1]["timestamp"])
    assert parted["history"][0]["details"].startswith(f"Parted from finding {held['id']}")
    assert service.get(f"/findings/{held['id']}")["status"] == "acknowledged"
    with service.runtime.db.read() as session:
        events = [one for one in outbox.after(session, 0) if one.type == "finding.created"]
    assert events[-1].data["findings"][0]["id"] == parted["id"]
    service.analyze()  # nothing changed but what a person said
    assert service.get(f"/findings/{held['id']}")["status"] == "resolved"
    assert open_ones(service) == [(parted["id"], 7)]
    scan(service, FORMER)
    assert open_ones(service) == [(held["id"], 6)]
    scan(service, TAKEN)
    assert open_ones(service) == [(parted["id"], 7)]
    # Evidence that tells the two not apart makes neither the other: it is a third.
    scan(
        service, FORMER.replace("first()", "x = 1\n    y = 2").replace("last()", "z = 3\n    print(x, y, z)")
    )
    (third,) = (one for one, _ in open_ones(service))
    assert third not in (held["id"], parted["id"])


def test_a_parting_is_undone_by_a_merge(service: Service) -> None:
    scan(service, FORMER)
    (held,) = listed(service)
    scan(service, TAKEN)
    parted = data_of(post(service, f"{held['id']}/split"))["parted"]["id"]
    answer = data_of(post(service, f"{parted}/merge", into=held["id"]))
    assert answer["parted_from"] == []
    for code in (TAKEN, FORMER, TAKEN):
        scan(service, code)
        assert [one for one, _ in open_ones(service)] == [held["id"]]
    assert len(listed(service)) == 2


def result(line: int, text: str) -> dict[str, Any]:
    region = {"startLine": line, "snippet": {"text": text}}
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": region}}
    return {"ruleId": "B307", "message": {"text": "Use of eval"}, "locations": [place]}


def bring_in(service: Service, *results: dict[str, Any]) -> tuple[int, int, int, int]:
    run = {
        "tool": {"driver": {"name": "Bandit", "rules": [{"id": "B307"}]}},
        "artifacts": [{"location": {"uri": "a.py"}}],
        "invocations": [{"executionSuccessful": True}],
        "results": list(results),
    }
    sent = {"version": "2.1.0", "runs": [run]}
    data = data_of(service.client.post("/api/v1/findings/import?project=shop", json=sent))
    return data["new"], data["updated"], data["unchanged"], data["resolved"]


def test_imports_keep_what_was_merged_and_parted(service: Service) -> None:
    here, there = result(3, "eval(first_thing)"), result(9, "eval(other_thing)")
    assert bring_in(service, here, there) == (2, 0, 0, 0)
    found = service.get("/findings", project="shop", sort="last_seen")["findings"]
    stays, gone = (one["id"] for one in sorted(found, key=lambda one: one["line"]))
    post(service, f"{gone}/merge", into=stays)
    assert bring_in(service, here, there) == (0, 0, 1, 0)
    assert bring_in(service, there) == (0, 1, 0, 0)
    assert service.get(f"/findings/{stays}")["line"] == 9
    assert data_of(post(service, f"{stays}/split", finding=gone))["parted"]["status"] == "open"
    assert bring_in(service, there) == (0, 0, 1, 1)
    assert service.get(f"/findings/{stays}")["status"] == "resolved"
    assert bring_in(service, here, there) == (0, 1, 1, 0)
    assert service.get(f"/findings/{stays}")["status"] == "open"


def test_what_cannot_be_one_or_two_is_a_conflict(service: Service) -> None:
    service.write("run.py", BOTH)
    service.write("more.py", OTHER)
    service.analyze()
    elsewhere = listed(service, file_path="more.py")[0]["id"]
    one, two = (each["id"] for each in listed(service, file_path="run.py"))
    bring_in(service, result(3, "eval(first_thing)"))
    foreign = service.get("/findings", project="shop")["findings"][0]["id"]
    for other, told in ((elsewhere, "different files"), (foreign, "different projects"), (one, "itself")):
        answer = post(service, f"{one}/merge", into=other)
        assert answer.status_code == 409
        assert told in answer.get_json()["error"]["message"]
    assert post(service, f"{one}/split").status_code == 409
    assert post(service, f"{one}/split", finding=two).status_code == 409
    assert post(service, f"{one}/split", event=1).status_code == 422
    assert post(service, f"{one}/split", event=1, finding=two).status_code == 422
    assert post(service, f"{one}/merge", into=ids.new_id()).status_code == 404
    assert post(service, f"{one}/merge").status_code == 422
    assert post(service, f"{ids.new_id()}/split").status_code == 404
    assert post(service, f"{two}/merge", into=one).status_code == 200
    for path, body in (
        (f"{two}/merge", {"into": one}),
        (f"{one}/merge", {"into": two}),
        (f"{two}/split", {}),
    ):
        answer = post(service, path, **body)
        assert answer.status_code == 409
        assert answer.get_json()["error"]["details"]["merged_into"] == one
    answer = service.client.patch(f"/api/v1/findings/{two}", json={"status": "reopen"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "CONFLICT")


def test_a_split_that_is_sent_twice_is_done_once(service: Service) -> None:
    scan(service, FORMER)
    scan(service, TAKEN)
    (held,) = listed(service)
    path = f"/api/v1/findings/{held['id']}/split"
    answers = [
        service.client.post(path, json={}, headers={"Idempotency-Key": "once"}).get_json() for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert len(listed(service)) == 2
