"""Why a finding is the same finding, told through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from hefesto_api.domain import ids
from hefesto_api.storage.findings import findings
from tests.answers import data_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

SHELL = "HEF-SEC-COMMAND-INJECTION"
CODE = "import os\n\n\ndef run(name):\n    first = 1\n    os.system('ls ' + name)\n    return first\n"


def test_a_finding_tells_what_it_was_known_again_by(any_service: Service) -> None:
    any_service.write("run.py", CODE)
    any_service.analyze()
    finding = any_service.finding(SHELL)
    any_service.write("run.py", CODE.replace("first = 1", "first = other()\n    second = 2"))
    any_service.analyze()
    told = any_service.get(f"/findings/{finding['id']}/identity")
    assert [event["action"] for event in told["story"]] == ["created", "recognized"]
    assert told["story"][1]["evidence"] == "near"
    assert (told["story"][1]["from_line"], told["story"][1]["to_line"], told["line"]) == (6, 7, 7)
    assert told["story"][1]["details"] == (
        "Known again by its text, its function and the lines on one side of it: line 6 is line 7 now."
    )
    assert told["function_name"] == "run"
    assert all(told["fingerprints"][name] for name in ("exact", "context", "symbol", "before", "after"))


def test_an_unknown_finding_has_no_identity(any_service: Service) -> None:
    answer = any_service.client.get(f"/api/v1/findings/{ids.new_id()}/identity")
    assert answer.status_code == 404
    assert answer.get_json()["error"]["code"] == "RESOURCE_NOT_FOUND"


def test_a_rule_that_is_called_otherwise_keeps_its_findings_and_what_was_decided(
    any_service: Service,
) -> None:
    any_service.write("run.py", CODE)
    any_service.analyze()
    finding = any_service.finding(SHELL)
    path = f"/api/v1/findings/{finding['id']}"
    decided = any_service.client.patch(path, json={"status": "wontfix", "comment": "ours"})
    assert data_of(decided)["status"] == "wontfix"
    with any_service.runtime.db.write() as session:
        session.execute(sa.update(findings).values(rule_id="HEF-FORMER-NAME"))
    any_service.write("run.py", f"import sys\n{CODE}")
    any_service.analyze()
    after = any_service.finding(SHELL)
    assert (after["id"], after["status"]) == (finding["id"], "wontfix")
    renamed = [entry["details"] for entry in after["history"] if entry["action"] == "rule_renamed"]
    assert renamed == [f"The rule HEF-FORMER-NAME is called {SHELL} now."]


def test_blocks_keep_their_findings_when_their_rule_is_called_otherwise(any_service: Service) -> None:
    block = "\n".join(f"    record_{at} = transform(order.field_{at}, factor, {at})" for at in range(12))
    for name in ("a", "b"):
        any_service.write(f"{name}.py", f"def {name}(order, factor):\n{block}\n    return order\n")
    any_service.analyze()
    before = any_service.get("/findings", rule_id="HEF-SMELL-DUPLICATED-BLOCK")["findings"]
    assert len(before) == 2
    with any_service.runtime.db.write() as session:
        former = sa.update(findings).where(findings.c.rule_id == "HEF-SMELL-DUPLICATED-BLOCK")
        session.execute(former.values(rule_id="HEF-SMELL-DUPLICATION"))
    any_service.write("a.py", f"import re\n\n\ndef a(order, factor):\n{block}\n    return order\n")
    any_service.analyze()
    after = any_service.get("/findings", rule_id="HEF-SMELL-DUPLICATED-BLOCK")["findings"]
    counts = [(one["id"], one["status"], one["occurrence_count"]) for one in after]
    assert sorted(counts) == sorted((one["id"], "open", 2) for one in before)
    assert any_service.get("/findings", rule_id="HEF-SMELL-DUPLICATION", status="all")["findings"] == []
