"""The routes of projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.features.projects.schemas import ProjectListSchema, ProjectSchema
from hefesto_api.storage import analyses, jobs, projects
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

CODE = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
PLACE = "/api/v1/projects"


def made(service: Service, slug: str = "shop", **fields: Any) -> dict[str, Any]:
    answer = service.client.post(PLACE, json={"slug": slug, **fields})
    assert answer.status_code == 201, answer.get_json()
    assert answer.headers["Location"] == f"{PLACE}/{slug}"
    told: dict[str, Any] = data_of(answer)
    return told


def test_a_project_is_kept_with_all_that_it_is_told(idle: Service) -> None:
    given: dict[str, Any] = {
        "name": "Shop \U0001f6d2",
        "root_path": str(idle.root),
        "repository_url": "https://git.example/shop.git",
        "default_branch": "trunk",
        "service_names": ["shop-web", "shop-worker"],
        "path_mappings": [{"from": "/srv/app", "to": "src"}],
        "revenue_per_user_usd": 1.5,
    }
    told = made(idle, **given)
    assert ProjectSchema().validate(told) == {}
    assert {name: told[name] for name in given} == given
    assert idle.get("/projects/shop") == told


def test_a_project_needs_but_a_slug(idle: Service) -> None:
    told = made(idle, "p-1_x.y")
    assert (told["name"], told["root_path"], told["service_names"]) == ("p-1_x.y", None, [])


def test_a_slug_is_taken_once(idle: Service) -> None:
    made(idle)
    answer = idle.client.post(PLACE, json={"slug": "shop"})
    assert answer.status_code == 409
    assert error_of(answer, "CONFLICT")["slug"] == "shop"


def test_a_creation_that_is_sent_twice_is_done_once(idle: Service) -> None:
    headers = {"Idempotency-Key": "one"}
    answers = [idle.client.post(PLACE, json={"slug": "shop"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "slug"),
        ({"slug": ""}, "slug"),
        ({"slug": "-a"}, "slug"),
        ({"slug": "a/b"}, "slug"),
        ({"slug": "a\n"}, "slug"),
        ({"slug": "ü"}, "slug"),
        ({"slug": "a" * 101}, "slug"),
        ({"slug": "a", "name": 5}, "name"),
        ({"slug": "a", "repository_url": "javascript:alert(1)"}, "repository_url"),
        ({"slug": "a", "repository_url": "https://user:secret@git.example/x"}, "repository_url"),
        ({"slug": "a", "service_names": ["x", "x"]}, "service_names"),
        ({"slug": "a", "path_mappings": [{"from": "/x"}]}, "path_mappings.0.to"),
        ({"slug": "a", "revenue_per_user_usd": -1}, "revenue_per_user_usd"),
        ({"slug": "a", "revenue_per_user_usd": "1"}, "revenue_per_user_usd"),
    ],
)
def test_values_that_do_not_fit_are_named(idle: Service, body: dict[str, Any], field: str) -> None:
    answer = idle.client.post(PLACE, json=body)
    assert answer.status_code == 422
    assert field in [error["field"] for error in error_of(answer, "VALIDATION_ERROR")["errors"]]
    assert idle.get("/projects")["total_count"] == 0


@pytest.mark.parametrize("path", ["/etc", "..", "../..", "nowhere", "file.py"])
def test_a_root_is_a_folder_within_what_may_be_analysed(idle: Service, path: str) -> None:
    idle.write("file.py", "x = 1\n")
    answer = idle.client.post(PLACE, json={"slug": "shop", "root_path": path})
    assert answer.status_code == 400
    assert error_of(answer, "INVALID_FILE_PATH")["path"] == path


def test_a_change_keeps_what_it_does_not_name(idle: Service) -> None:
    made(idle, name="Shop", default_branch="trunk")
    told = data_of(idle.client.patch(f"{PLACE}/shop", json={"default_branch": None, "slug": "other"}))
    assert (told["slug"], told["name"], told["default_branch"]) == ("shop", "Shop", None)


def test_a_change_or_deletion_of_what_changed_since_is_refused(idle: Service) -> None:
    made(idle)
    tag = idle.client.get(f"{PLACE}/shop").headers["ETag"]
    headers = {"If-Match": tag}
    assert idle.client.patch(f"{PLACE}/shop", json={"name": "A"}, headers=headers).status_code == 200
    assert idle.client.patch(f"{PLACE}/shop", json={"name": "B"}, headers=headers).status_code == 412
    assert idle.client.delete(f"{PLACE}/shop", headers=headers).status_code == 412
    assert idle.get("/projects/shop")["name"] == "A"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_slug_is_not_found(idle: Service, method: str) -> None:
    answer = idle.client.open(f"{PLACE}/nobody", method=method, json={})
    assert error_of(answer, "RESOURCE_NOT_FOUND") == {"resource_type": "project", "resource_id": "nobody"}


def test_the_list_is_in_the_order_of_slugs_by_cursor_and_by_offset(idle: Service) -> None:
    for slug in ("c", "a", "e", "b", "d"):
        made(idle, slug)
    first = idle.get("/projects", limit=2)
    assert ProjectListSchema().validate(first) == {}
    second = idle.get("/projects", limit=2, cursor=first["pagination"]["next_cursor"])
    third = idle.get("/projects", limit=2, offset=4)
    listed = [one["slug"] for page in (first, second, third) for one in page["projects"]]
    assert listed == ["a", "b", "c", "d", "e"]
    backwards = idle.get("/projects", sort="-slug", fields="slug")["projects"]
    assert [one["slug"] for one in backwards] == listed[::-1]


def test_paths_of_a_project_are_relative_to_its_root(service: Service) -> None:
    service.write("shop/run.py", CODE)
    made(service, root_path=str(service.root / "shop"))
    data = service.analyze("run.py", project="shop")
    assert {finding["file"] for finding in data["findings"]} == {"run.py"}


def test_a_project_goes_with_all_that_belongs_to_it_and_no_more(any_service: Service) -> None:
    service = any_service
    service.write("run.py", CODE)
    gone = service.analyze(project="shop")
    stays = service.analyze(project="mill")
    finding = service.get("/findings", project="shop")["findings"][0]
    assert service.client.delete(f"{PLACE}/shop").status_code == 204
    assert service.client.get(f"{PLACE}/shop").status_code == 404
    assert service.client.get(f"/api/v1/analyze/{gone['analysis_id']}").status_code == 404
    assert service.client.get(f"/api/v1/findings/{finding['id']}").status_code == 404
    assert service.get(f"/analyze/{stays['analysis_id']}")["findings"]
    assert service.get("/findings", project="mill")["total_count"] > 0


def test_the_jobs_of_a_deleted_project_are_cancelled(idle: Service) -> None:
    idle.write("run.py", CODE)
    idle.client.post("/api/v1/analyze", json={"path": ".", "project": "shop", "async": True})
    idle.client.post("/api/v1/analyze", json={"path": ".", "project": "mill", "async": True})
    idle.client.delete(f"{PLACE}/shop")
    with idle.runtime.db.read() as session:
        assert jobs.counts(session) == {"cancelled": 1, "queued": 1}
    assert idle.worker.drain() == 2  # and the index of its words
    with idle.runtime.db.read() as session:
        mill = projects.get(session, "mill")
        assert [one.project_id for one in analyses.page(session, limit=10)] == [mill.id]
