"""Hotspots: what is changed often, complex, and was to blame; with the scores worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import log1p, sqrt
from typing import TYPE_CHECKING, Any

import pytest
from flask import g
from hefesto_api.domain import clock, ids
from hefesto_api.domain.access import Principal
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.hunks import FileChange
from hefesto_api.domain.structure import Function
from hefesto_api.features.metrics.schemas import HotspotsSchema
from hefesto_api.storage import alerts, contents, correlations, history_writing, projects
from hefesto_api.storage.contents import FileRecord
from hefesto_api.storage.correlations import CorrelationRecord, Named
from hefesto_api.storage.history_writing import NewCommit, Numbers
from msgspec.structs import replace
from tests.answers import error_of
from tests.storage.factories import content, finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.storage.base import Session
    from tests.features.conftest import Service

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
Told = tuple[int, list[FileChange], int]  # days ago, what was changed, how many parents


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be the 2nd of March."""
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def anywhere(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each of the databases."""
    return make_service(db_url)


def changed(*paths: str) -> list[FileChange]:
    return [FileChange(path, "modified") for path in paths]


def commit(session: Session, project_id: str, *told: Told, beneath: str = "") -> None:
    """Index commits, the oldest first."""
    record = history_writing.ensure(session, project_id, root="/r", place="", inside="", beneath=beneath)
    made = [
        NewCommit(
            at, f"{at:040x}", tuple(range(at - 1, at - 1 - parents, -1)), NOW - days * DAY, "a", "b", "c",
            tuple(changes),
        )
        for at, (days, changes, parents) in enumerate(told, 1)
    ]  # fmt: skip
    history_writing.write(session, record, made[::-1], Numbers(session, record.id))
    history_writing.advance(session, record, "f" * 40, made[::-1], floor=0, cut=None)


def file(
    session: Session, project_id: str, path: str, *cognitive: int, lines: int = 100, branch: str = ""
) -> None:
    """Put a file on record whose functions are so complex."""
    made = tuple(
        Function(f"f{at}", f"f{at}", None, at * 10 + 1, at * 10 + 9, 1, hard, 1, 0, 9)
        for at, hard in enumerate(cognitive)
    )
    new = replace(content(0), sha256=ids.new_id(), functions=made, lines_of_code=lines)
    (content_id,) = contents.store(session, "e1", [new]).values()
    contents.save_files(session, project_id, branch, [FileRecord(path, content_id, 1, 1, 1, 1, "a", NOW)])


def alert(
    session: Session, project_id: str, name: str, *blamed: Named, days: int = 0, matched: str | None = None
) -> CorrelationRecord:
    """Record an alert that was traced to functions, and to a finding."""
    told = IncomingAlert(alert_id=name, source="native", timestamp=NOW - days * DAY)
    alert_id = alerts.record(session, project_id, told, name, now=NOW - days * DAY).alert_id
    made = CorrelationRecord(
        id=ids.new_id(), project_id=project_id, alert_id=alert_id, created_at=NOW, error_type="KeyError",
        commit_hash=None, confidence_score=0.5, correlation_found=False, model_version="1", answer=b"{}",
        inputs=correlations.packed(b"{}"),
    )  # fmt: skip
    correlations.record(
        session, made, functions=blamed, findings=[(matched, 0.7)] if matched is not None else []
    )
    return made


def listed(service: Service, **query: Any) -> dict[str, dict[str, Any]]:
    return {one["file_path"]: one for one in service.get("/metrics/hotspots", **query)["files"]}


def test_what_is_changed_complex_and_to_blame_is_hot(anywhere: Service) -> None:
    with anywhere.runtime.db.write() as session:
        shop = projects.create(session, "shop").id
        for path, *hard in (("hot.py", 3, 12, 12), ("calm.py", 30), ("plain.py",), ("blamed.py", 1)):
            file(session, shop, path, *hard, lines=200 if path == "calm.py" else 100)
        commit(
            session, shop,
            (200, changed("calm.py"), 0),
            (5, changed("hot.py", "plain.py"), 1),
            (4, changed("hot.py"), 1),
            (3, changed("gone.py"), 1),
            (2, changed("hot.py", "calm.py", "plain.py"), 2),  # a merge repeats what its branches did
            (1, changed("hot.py"), 1),
        )  # fmt: skip
        known = finding(session, shop, file_path="blamed.py", severity="HIGH")
        alert(session, shop, "one", Named("blamed.py", "f0", 0.9), Named("hot.py", "f1", 0.4))
        alert(session, shop, "two", Named("nowhere.py", "f", 0.9), matched=known.id)
        alert(session, shop, "old", Named("calm.py", "f0", 0.9), days=100)
    told = anywhere.get("/metrics/hotspots")
    assert HotspotsSchema().validate(told) == {}
    assert told["since"] == "2025-12-03"
    assert all(part["known"] for part in told["parts"].values())
    files = {one["file_path"]: one for one in told["files"]}
    # Two incidents of three: 25 of the way to 100 are left, of 100 since it was never changed.
    assert list(files) == ["hot.py", "blamed.py", "calm.py", "plain.py"]
    hot = 100 * sqrt(1 * log1p(27) / log1p(30))
    assert files["hot.py"]["score"] == pytest.approx(hot, abs=0.05)
    assert files["blamed.py"]["score"] == 75.0
    assert (files["calm.py"]["score"], files["plain.py"]["score"]) == (0.0, 0.0)
    assert (files["hot.py"]["commits"], files["hot.py"]["last_changed"]) == (3, "2026-03-01T12:00:00.000000Z")
    assert (files["calm.py"]["commits"], files["calm.py"]["last_changed"]) == (0, None)
    assert files["hot.py"]["complexity"] == 27
    assert files["hot.py"]["most_complex"] == {"function_name": "f1", "line": 11, "complexity": 12}
    assert files["plain.py"]["most_complex"] is None
    assert [files[name]["incidents"] for name in files] == [0, 2, 0, 0]
    assert files["blamed.py"]["findings"] == {"total": 1, "critical": 0, "high": 1, "medium": 0, "low": 0}


def test_a_year_sees_what_a_quarter_does_not(idle: Service) -> None:
    with idle.runtime.db.write() as session:
        shop = projects.create(session, "shop").id
        file(session, shop, "cart.py", 5)
        commit(session, shop, (200, changed("cart.py"), 0), (1, changed("else.py"), 1))
        alert(session, shop, "old", Named("cart.py", "f0", 0.9), days=100)
    assert [listed(idle)["cart.py"][name] for name in ("commits", "incidents")] == [0, 0]
    assert [listed(idle, days=365)["cart.py"][name] for name in ("commits", "incidents")] == [1, 1]


def test_what_was_renamed_keeps_its_past(anywhere: Service) -> None:
    moved = [FileChange("new.py", "added", "old.py"), FileChange("old.py", "deleted", "new.py")]
    again = [FileChange("a.py", "added", "b.py"), FileChange("b.py", "deleted", "a.py")]
    with anywhere.runtime.db.write() as session:
        shop = projects.create(session, "shop").id
        for path in ("lib/new.py", "lib/a.py", "lib/b.py"):
            file(session, shop, path, 5)
        commit(
            session, shop,
            (9, changed("old.py", "b.py"), 0), (8, changed("old.py"), 1), (7, moved, 1),
            (6, changed("new.py"), 1), (5, again, 1), (4, [FileChange("b.py", "added")], 1),
            beneath="lib/",
        )  # fmt: skip
    files = listed(anywhere)
    assert files["lib/new.py"]["commits"] == 4
    # A name that was given anew is another file: what it did before stays with it.
    assert (files["lib/a.py"]["commits"], files["lib/b.py"]["commits"]) == (1, 3)


def test_people_have_the_last_word_about_blame(idle: Service) -> None:
    with idle.runtime.db.write() as session:
        shop = projects.create(session, "shop").id
        file(session, shop, "right.py", 5)
        file(session, shop, "wrong.py", 5)
        right, wrong = Named("right.py", "f0", 0.1), Named("wrong.py", "f0", 0.9)
        made = alert(session, shop, "one", right, wrong)
        correlations.judge(session, made, right, confirmed=True)
        correlations.judge(session, made, wrong, confirmed=False)
    files = listed(idle)
    assert (files["right.py"]["incidents"], files["wrong.py"]["incidents"]) == (1, 0)


def test_without_history_nothing_is_hot_and_the_answer_says_why(idle: Service) -> None:
    with idle.runtime.db.write() as session:
        shop = projects.create(session, "shop").id
        file(session, shop, "hard.py", 40)
        file(session, shop, "easy.py", 1)
    told = idle.get("/metrics/hotspots")
    assert [(one["file_path"], one["commits"]) for one in told["files"]] == [
        ("hard.py", None),
        ("easy.py", None),
    ]
    assert told["files"][0]["score"] == 50.0
    known = {name: part["known"] for name, part in told["parts"].items()}
    assert known == {"complexity": True, "churn": False, "incidents": False}
    assert "git" in told["parts"]["churn"]["reason"]
    assert "alert" in told["parts"]["incidents"]["reason"]


def test_where_nothing_is_there_is_nothing(idle: Service) -> None:
    told = idle.get("/metrics/hotspots", project="none")
    assert HotspotsSchema().validate(told) == {}
    assert told["files"] == []
    assert not any(part["known"] for part in told["parts"].values())


def test_the_default_branch_counts_and_as_many_files_as_are_asked_for(idle: Service) -> None:
    with idle.runtime.db.write() as session:
        shop = projects.create(session, "shop", default_branch="main").id
        file(session, shop, "in_main.py", 5, branch="main")
        file(session, shop, "small.py", 1, lines=10, branch="main")
        file(session, shop, "elsewhere.py", 50, lines=9_000, branch="feature")
    assert list(listed(idle)) == ["in_main.py", "small.py"]
    assert list(listed(idle, limit=1)) == ["in_main.py"]


def test_who_is_bound_to_a_project_hears_of_no_other(idle: Service) -> None:
    with idle.runtime.db.write() as session:
        for slug in ("ours", "theirs"):
            file(session, projects.create(session, slug).id, f"{slug}.py", 5)
    bound = Principal("u", "u", frozenset({"read:metrics"}), frozenset({"ours"}))
    app = idle.client.application
    app.before_request_funcs.setdefault(None, []).append(lambda: setattr(g, "principal", bound))
    assert list(listed(idle)) == ["ours.py"]
    assert listed(idle, project="theirs") == {}


@pytest.mark.parametrize("query", ["days=0", "days=366", "limit=0", "limit=1001", "limit=x", "other=1"])
def test_queries_that_do_not_fit_are_refused(idle: Service, query: str) -> None:
    error_of(idle.client.get(f"/api/v1/metrics/hotspots?{query}"), "VALIDATION_ERROR")
