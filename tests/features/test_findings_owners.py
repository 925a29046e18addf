"""Who owns what was found, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.findings.schemas import FindingSchema, PathOwnersSchema
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

SHELL = "HEF-SEC-COMMAND-INJECTION"
CODE = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"


def owners(service: Service, path: str, slug: str = "default") -> dict[str, Any]:
    answer = service.client.get(f"/api/v1/projects/{slug}/owners", query_string={"path": path})
    told: dict[str, Any] = data_of(answer)
    assert PathOwnersSchema().validate(told) == {}
    return told


def test_a_finding_names_the_owners_of_its_file(service: Service) -> None:
    service.write("run.py", CODE)
    service.write(".github/CODEOWNERS", "* @all\n*.py @org/python # ours\n")
    service.analyze()
    finding = service.finding(SHELL)
    assert FindingSchema().validate(finding) == {}
    assert finding["ownership"] == {
        "owners": ["@org/python"],
        "rule": "*.py",
        "line": 2,
        "file": ".github/CODEOWNERS",
        "explanation": "The last rule that matches is in line 2 of .github/CODEOWNERS.",
    }
    assert owners(service, "a.txt")["owners"] == ["@all"]
    place = f"/api/v1/findings/{finding['id']}"
    tag = service.client.get(place).headers["ETag"]
    decided = service.client.patch(place, json={"status": "wontfix"}, headers={"If-Match": tag})
    assert decided.status_code == 200


def test_a_folder_that_was_analysed_has_owners_of_its_own(service: Service) -> None:
    service.write("shop/run.py", CODE)
    service.write("shop/docs/CODEOWNERS", "/run.py @me\n")
    service.analyze("shop")
    told = service.finding(SHELL)["ownership"]
    assert (told["owners"], told["file"]) == (["@me"], "shop/docs/CODEOWNERS")


def test_why_nobody_owns_it_is_told(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    assert service.finding(SHELL)["ownership"] == {
        "owners": [],
        "rule": None,
        "line": None,
        "file": None,
        "explanation": "No CODEOWNERS file was found; looked for "
        ".github/CODEOWNERS, CODEOWNERS, .gitlab/CODEOWNERS, docs/CODEOWNERS.",
    }
    service.write("CODEOWNERS", "*.js @me\n*.py me\n")
    assert owners(service, "run.py")["explanation"] == (
        "No rule of CODEOWNERS matches. "
        "Line 2 is invalid: 'me' is no @user, @organisation/team or e-mail address."
    )


def test_neither_links_nor_files_of_any_size_are_read(service: Service) -> None:
    service.write("run.py", CODE)
    service.analyze()
    secret = service.root.parent / "secret"
    secret.write_text("* @secret\n")
    (service.root / "CODEOWNERS").symlink_to(secret)
    service.write("docs/CODEOWNERS", "# " + "x" * 3 * 1024 * 1024)
    told = owners(service, "run.py")
    assert told["owners"] == []
    assert "CODEOWNERS is a link or no regular file." in told["explanation"]
    assert "docs/CODEOWNERS is larger than 3145728 bytes." in told["explanation"]


def test_a_project_that_nobody_analysed_has_no_tree(idle: Service) -> None:
    idle.client.post("/api/v1/projects", json={"slug": "bare"})
    assert "Nothing says where" in owners(idle, "a.py", "bare")["explanation"]
    answer = idle.client.get("/api/v1/projects/none/owners?path=a.py")
    assert error_of(answer, "RESOURCE_NOT_FOUND")["resource_type"] == "project"
    assert idle.client.get("/api/v1/projects/bare/owners").status_code == 422
    assert data_of(idle.client.get("/api/v1/projects/bare/owners?path=..%2F..%2Fa"))["owners"] == []
