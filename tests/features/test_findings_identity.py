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
