"""The past of lines and commits: what git says is what the index says, whatever happened in between."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hefesto_api.features.iris import indexing, past
from hefesto_api.features.iris.indexing import Hooks
from hefesto_api.storage import history, projects
from tests.repositories import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

CART = "".join(f"line {number}\n" for number in range(1, 21))


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


def project_at(db: Database, root: Path, slug: str = "shop") -> ProjectRecord:
    with db.write() as session:
        return projects.create(session, slug, root_path=str(root))


def indexed(db: Database, shop: Repository, commit: str | None = None) -> str:
    """Index a repository for a project of its own (made if it is not there) and return the project's id."""
    with db.read() as session:
        known = projects.find(session, "shop")
    project = known or project_at(db, shop.folder)
    assert indexing.index(db, project.id, commit, [shop.folder.parent])
    return project.id


def changed(db: Database, project_id: str, path: str, start: int, end: int, at: str) -> list[str]:
    with db.read() as session:
        found = past.function_changes(session, project_id, path, start, end, at, 1000)
    return [one.commit.hash for one in found]


def edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def test_only_the_commits_that_touched_the_lines_are_named(db: Database, shop: Repository) -> None:
    first = shop.commit("Open", cart_py=CART)
    third = shop.commit("Third", cart_py=(text := edited(CART, "line 3\n", "line three\n")))
    other = shop.commit("Nine", cart_py=(text := edited(text, "line 9\n", "line nine\n")))
    above = shop.commit("Above", cart_py=(text := "import os\n\n" + text))
    project_id = indexed(db, shop)
    assert changed(db, project_id, "cart.py", 4, 6, above) == [third, first]
    assert changed(db, project_id, "cart.py", 11, 11, above) == [other, first]
    assert changed(db, project_id, "cart.py", 1, 2, above) == [above]
    assert changed(db, project_id, "cart.py", 3, 4, third) == [third, first]
    assert changed(db, project_id, "none.py", 1, 2, above) == []
    assert changed(db, project_id, "cart.py", 1, 2, "f" * 40) == []


def test_a_change_says_who_when_and_where_the_lines_were(db: Database, shop: Repository) -> None:
    shop.commit("Open", cart_py=CART)
    hash_ = shop.commit("Third\n\nWith a reason.", cart_py=edited(CART, "line 3\n", "line 3\nline 3a\n"))
    head = shop.commit("Above", cart_py="import os\n" + (shop.folder / "cart.py").read_text())
    project_id = indexed(db, shop)
    with db.read() as session:
        found = past.function_changes(session, project_id, "cart.py", 4, 5, head[:10], 1)
    (one,) = found
    assert (one.commit.hash, one.commit.author, one.commit.email) == (hash_, "Ana Pérez", "ana@shop.example")
    assert (one.commit.message, one.kind) == ("Third", "modified")
    assert (one.path, one.start_line, one.end_line) == ("cart.py", 3, 4)


def test_renames_are_followed(db: Database, shop: Repository) -> None:
    first = shop.commit("Open", cart_py=CART)
    second = shop.commit("Third", cart_py=edited(CART, "line 3\n", "line three\n"))
    shop.git("mv", "cart.py", "basket.py")
    shop.commit("Rename")
    project_id = indexed(db, shop)
    with db.read() as session:
        found = past.function_changes(session, project_id, "basket.py", 1, 5, shop.head())
    assert [(one.commit.hash, one.path) for one in found] == [(second, "cart.py"), (first, "cart.py")]


def test_a_commit_too_large_to_look_into_ends_the_search(db: Database, shop: Repository) -> None:
    shop.commit("Open", data_py="x = 1\n" * 300_000)
    grown = shop.commit("Grow", data_py="x = 2\n" + "x = 1\n" * 300_000)
    project_id = indexed(db, shop)
    with db.read() as session:
        found = past.function_changes(session, project_id, "data.py", 5, 6, grown)
    assert [(one.commit.hash, one.kind) for one in found] == [(grown, "unknown")]


class Wild:
    """A history that chance writes: edits, branches, merges and renames. No line is ever written twice."""

    def __init__(self, shop: Repository, seed: int) -> None:
        self.shop = shop
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._written = 0
        self.name = "src/app_0.py"
        self.shop.write(self.name, "".join(self._line() for _ in range(30)))
        self.shop.write("README.md", "Hello\n")
        self.commits = [self.shop.commit("0")]

    def grow(self, steps: int) -> None:
        for step in range(steps):
            action = self._chance.random()
            if action < 0.25:
                self._branch_and_merge(step)
            elif action < 0.35:
                self._rename(step)
            elif action < 0.45:
                self.shop.write("README.md", f"Hello {step}\n")
                self.commits.append(self.shop.commit(f"{step}"))
            else:
                self._edit(0, 1_000)

    def _line(self) -> str:
        self._written += 1
        return f"value_{self._written} = compute({self._written * 7919})\n"

    def _lines(self) -> list[str]:
        return (self.shop.folder / self.name).read_text().splitlines(keepends=True)

    def _edit(self, low: int, high: int) -> None:
        lines = self._lines()
        for _ in range(self._chance.randint(1, 3)):
            at = self._chance.randint(low, max(min(high, len(lines) - 1), low))
            gone = self._chance.randint(0, 2)
            lines[at : at + gone] = [self._line() for _ in range(self._chance.randint(0 if gone else 1, 3))]
        self.shop.write(self.name, "".join(lines))
        self.commits.append(self.shop.commit("edit"))

    def _rename(self, step: int) -> None:
        new = f"src/app_{step + 1}.py"
        self.shop.git("mv", self.name, new)
        self.name = new
        self.commits.append(self.shop.commit("rename"))

    def _branch_and_merge(self, step: int) -> None:
        """Edit the upper half in a branch and the lower half beside it, so that the two agree."""
        half = len(self._lines()) // 2
        self.shop.branch(f"side-{step}")
        for _ in range(self._chance.randint(1, 3)):
            self._edit(0, half // 2)
        self.shop.checkout("main")
        for _ in range(self._chance.randint(0, 2)):
            lines = self._lines()
            self._edit(half + 4, len(lines))
        self.commits.append(self.shop.merge(f"side-{step}"))


@pytest.mark.parametrize("seed", range(3))
def test_the_past_of_lines_is_what_git_says(db: Database, shop: Repository, seed: int) -> None:
    wild = Wild(shop, seed)
    wild.grow(22)
    project_id = indexed(db, shop)
    count = len((shop.folder / wild.name).read_text().splitlines())
    chance = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(8):
        start = chance.randint(1, count)
        end = min(count, start + chance.choice([0, 0, 2, 8]))
        assert changed(db, project_id, wild.name, start, end, shop.head()) == shop.line_log(
            wild.name, start, end
        ), (start, end)


@pytest.mark.parametrize("seed", range(3))
def test_a_line_is_found_again_in_any_other_commit(db: Database, shop: Repository, seed: int) -> None:
    wild = Wild(shop, seed)
    wild.grow(18)
    project_id = indexed(db, shop)
    texts = {
        commit: {
            path: shop.git("show", f"{commit}:{path}").splitlines()
            for path in shop.git("ls-tree", "-r", "--name-only", commit).split()
            if path.endswith(".py")
        }
        for commit in wild.commits
    }
    chance = random.Random(seed)  # noqa: S311 - no secret
    with db.read() as session:
        for _ in range(60):
            old, new = chance.choice(wild.commits), chance.choice(wild.commits)
            ((path, lines),) = texts[old].items()
            at = chance.randrange(len(lines))
            ((new_path, new_lines),) = texts[new].items()
            expected = (new_path, new_lines.index(lines[at]) + 1) if lines[at] in new_lines else None
            assert past.map_line(session, project_id, path, at + 1, old, new) == expected, (old, new, at)


@pytest.mark.parametrize("seed", range(2))
def test_what_a_commit_contains_is_what_git_says(db: Database, shop: Repository, seed: int) -> None:
    wild = Wild(shop, seed)
    wild.grow(20)
    project_id = indexed(db, shop)
    chance = random.Random(seed)  # noqa: S311 - no secret
    with db.read() as session:
        for _ in range(30):
            old, new = chance.choice(wild.commits), chance.choice(wild.commits)
            only = shop.git("rev-list", new, f"^{old}").split()
            told = past.between(session, project_id, old, new)
            assert told is not None
            assert {one.hash for one in told} == set(only)
            contained = old in shop.git("rev-list", new).split()
            assert past.is_contained(session, project_id, old, new) is contained


def test_commits_nobody_knows_are_neither_contained_nor_not(db: Database, shop: Repository) -> None:
    head = shop.commit("Open", cart_py=CART)
    project_id = indexed(db, shop)
    with db.read() as session:
        for unknown in ("f" * 40, "main", "", "zz", head[:4]):
            assert past.is_contained(session, project_id, unknown, head) is None
            assert past.is_contained(session, project_id, head, unknown) is None
            assert past.between(session, project_id, unknown, head) is None
            assert past.map_line(session, project_id, "cart.py", 1, unknown, head) is None
            assert past.commit_of(session, project_id, unknown) is None
        assert past.is_contained(session, project_id, head[:7], head) is True


def test_what_is_new_is_added_to_what_is_there(db: Database, shop: Repository) -> None:
    first = shop.commit("Open", cart_py=CART)
    project_id = indexed(db, shop)
    assert changed(db, project_id, "cart.py", 3, 3, first) == [first]
    second = shop.commit("Third", cart_py=edited(CART, "line 3\n", "line three\n"))
    indexed(db, shop)
    assert changed(db, project_id, "cart.py", 3, 3, second) == [second, first]
    with db.read() as session:
        assert past.latest(session, project_id) == second


def test_another_branch_is_indexed_when_it_is_asked_for(db: Database, shop: Repository) -> None:
    first = shop.commit("Open", cart_py=CART)
    shop.branch("release")
    fix = shop.commit("Fix", cart_py=edited(CART, "line 3\n", "line three\n"))
    shop.checkout("main")
    head = shop.commit("On", other_py="a = 1\n")
    project_id = indexed(db, shop)
    with db.read() as session:
        assert past.is_contained(session, project_id, first, fix) is None
    indexed(db, shop, commit="release")
    assert changed(db, project_id, "cart.py", 3, 3, fix) == [fix, first]
    with db.read() as session:
        assert past.is_contained(session, project_id, fix, head) is False
        assert past.latest(session, project_id) == head  # what is checked out


def test_what_cannot_be_found_is_left_out(db: Database, shop: Repository) -> None:
    head = shop.commit("Open", cart_py=CART)
    project_id = indexed(db, shop, commit="no such release")
    assert changed(db, project_id, "cart.py", 3, 3, head) == [head]


def test_a_rewritten_branch_confuses_nobody(db: Database, shop: Repository) -> None:
    first = shop.commit("Open", cart_py=CART)
    gone = shop.commit("Third", cart_py=edited(CART, "line 3\n", "line three\n"))
    project_id = indexed(db, shop)
    shop.git("reset", "-q", "--hard", first)
    other = shop.commit("Third again", cart_py=edited(CART, "line 3\n", "line III\n"))
    shop.git("reflog", "expire", "--expire=now", "--all")
    shop.git("gc", "-q", "--prune=now")
    indexed(db, shop)
    assert changed(db, project_id, "cart.py", 3, 3, other) == [other, first]
    with db.read() as session:
        assert past.is_contained(session, project_id, gone, other) is False


class _Stopping:
    """Interrupts the indexing after so many questions."""

    def __init__(self, after: int) -> None:
        self._left = after

    def stopped(self) -> bool:
        self._left -= 1
        return self._left < 0


@pytest.mark.parametrize("stages", [0, 2])
def test_an_interrupted_run_knows_the_newest_and_goes_on(db: Database, shop: Repository, stages: int) -> None:
    wild = Wild(shop, 7)
    wild.grow(10)
    project = project_at(db, shop.folder)
    hooks = Hooks(stopped=_Stopping(stages).stopped, commits=2)
    assert not indexing.index(db, project.id, None, [shop.folder], hooks)
    newest = shop.head()
    with db.read() as session:
        (record,) = history.of_project(session, project.id)
        assert record.head is None
        assert past.commit_of(session, project.id, newest) is not None
        assert past.commit_of(session, project.id, wild.commits[0]) is None
    wild.grow(3)  # and the branch went on meanwhile
    indexed(db, shop)
    count = len((shop.folder / wild.name).read_text().splitlines())
    for start in range(1, count, 5):
        told = changed(db, project.id, wild.name, start, start + 2, shop.head())
        assert told == shop.line_log(wild.name, start, min(start + 2, count))
    with db.read() as session:
        assert past.is_contained(session, project.id, wild.commits[0], shop.head()) is True


def test_an_interrupted_run_whose_commits_are_gone_begins_anew(db: Database, shop: Repository) -> None:
    first = shop.commit("Open", cart_py=CART)
    shop.commit("Third", cart_py=edited(CART, "line 3\n", "line three\n"))
    project = project_at(db, shop.folder)
    assert not indexing.index(
        db, project.id, None, [shop.folder], Hooks(stopped=_Stopping(0).stopped, commits=1)
    )
    shop.git("reset", "-q", "--hard", first)
    shop.git("reflog", "expire", "--expire=now", "--all")
    shop.git("gc", "-q", "--prune=now")
    project_id = indexed(db, shop)
    assert changed(db, project_id, "cart.py", 3, 3, first) == [first]


def test_a_shallow_clone_ends_where_it_ends_until_it_is_whole(
    db: Database, shop: Repository, tmp_path: Path
) -> None:
    first = shop.commit("Open", cart_py=CART)
    second = shop.commit("Third", cart_py=edited(CART, "line 3\n", "line three\n"))
    third = shop.commit("Nine", cart_py=edited((shop.folder / "cart.py").read_text(), "line 9\n", "nine\n"))
    clone = Repository(tmp_path / "clone")
    clone.git("fetch", "-q", "--depth=2", f"file://{shop.folder}", "main")
    clone.git("reset", "-q", "--hard", "FETCH_HEAD")
    project = project_at(db, clone.folder)
    assert indexing.index(db, project.id, None, [tmp_path])
    assert changed(db, project.id, "cart.py", 1, 12, third) == [third]
    clone.git("fetch", "-q", "--unshallow", f"file://{shop.folder}", "main")
    assert indexing.index(db, project.id, None, [tmp_path])
    assert changed(db, project.id, "cart.py", 1, 12, third) == [third, second, first]


def test_a_project_may_be_a_folder_of_a_repository(db: Database, shop: Repository) -> None:
    first = shop.commit("Open", services__cart__app_py=CART, services__mail__app_py=CART)
    shop.commit("Mail", services__mail__app_py=edited(CART, "line 3\n", "line three\n"))
    project = project_at(db, shop.folder / "services" / "cart")
    assert indexing.index(db, project.id, None, [shop.folder])
    assert changed(db, project.id, "app.py", 3, 3, shop.head()) == [first]
    assert changed(db, project.id, "services/cart/app.py", 3, 3, shop.head()) == []


def test_a_repository_outside_the_roots_is_not_read(db: Database, shop: Repository, tmp_path: Path) -> None:
    shop.commit("Open", inner__cart_py=CART)
    project = project_at(db, shop.folder / "inner")
    assert indexing.index(db, project.id, None, [shop.folder / "inner"])
    with db.read() as session:
        assert history.of_project(session, project.id) == []


def test_a_deleted_project_takes_its_history_along(db: Database, shop: Repository) -> None:
    shop.commit("Open", cart_py=CART)
    project_id = indexed(db, shop)
    with db.write() as session:
        while projects.delete_some(session, project_id, limit=1):
            pass
        assert history.of_project(session, project_id) == []
        projects.delete(session, project_id)
    assert indexing.index(db, project_id, None, [shop.folder])
