"""Projects are found by slug, changed by who saw them as they are."""

import pytest
from hefesto_api.domain.errors import NotFound, PreconditionFailed
from hefesto_api.storage import projects
from hefesto_api.storage.database import Database


def test_ensuring_makes_a_project_once(db: Database) -> None:
    with db.write() as session:
        made = projects.ensure(session, "shop")
        assert projects.ensure(session, "shop") == made
        assert made.name == "shop"


def test_changes_are_kept_and_raise_the_revision(db: Database) -> None:
    mappings = [{"from": "/app", "to": "src"}]
    with db.write() as session:
        made = projects.create(session, "shop")
        changed = projects.change(session, made, name="Shop", path_mappings=mappings)
        assert projects.get(session, "shop") == projects.by_id(session, made.id) == changed
    assert (changed.name, changed.path_mappings, changed.revision) == ("Shop", mappings, 2)


def test_who_saw_an_older_revision_changes_nothing(db: Database) -> None:
    with db.write() as session:
        made = projects.create(session, "shop")
        projects.change(session, made, name="mine")
    with pytest.raises(PreconditionFailed), db.write() as session:
        projects.change(session, made, name="yours")


def test_pages_are_by_slug(db: Database) -> None:
    with db.write() as session:
        for slug in ("b", "a", "c"):
            projects.create(session, slug)
        items, total = projects.page(session, limit=2, offset=1)
    assert ([one.slug for one in items], total) == (["b", "c"], 3)


def test_what_is_not_there(db: Database) -> None:
    with db.write() as session:
        assert projects.find(session, "x") is None
        for deed in (projects.get, projects.by_id, projects.delete):
            with pytest.raises(NotFound):
                deed(session, "x")
