"""Runs over a tree that changes: what is read again, what moves, what is compared across files."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hefesto_api.analyzers import child
from hefesto_api.analyzers.base import SourceFile, ToolFailure
from hefesto_api.analyzers.engine import Engine
from hefesto_api.domain.finding import Severity
from hefesto_api.features.analysis import execution, service
from hefesto_api.features.analysis.document import Found
from hefesto_api.storage import analyses, findings
from hefesto_api.storage.analyses import AnalysisRecord
from hefesto_api.storage.database import Database
from hefesto_api.storage.findings import FindingRecord
from msgspec.structs import replace
from tests.databases import db, db_kind, db_template, db_url  # noqa: F401 - fixtures

BLOCK = "\n".join(
    f"    record_{number} = transform(order, column={number}, scale=factor * {number})"
    for number in range(14)
)
SHELL = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
DUPLICATED = "HEF-SMELL-DUPLICATED-BLOCK"
INJECTION = "HEF-SEC-COMMAND-INJECTION"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine(processes=1)
    yield made
    made.close()


class Tree:
    """A project's folder, analysed again and again."""

    def __init__(self, database: Database, engine: Engine, root: Path) -> None:
        self.db = database
        self.engine = engine
        self.root = root
        root.mkdir()

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def analyse(self, path: str = "", **wanted: Any) -> AnalysisRecord:
        asked = {"path": str(self.root / path), "project": "shop", **wanted}
        record = service.submit_path(self.db, [self.root], asked)
        ended = execution.execute(self.db, self.engine, record.id)
        assert ended.status == "completed", ended.error
        return ended

    def found(self, record: AnalysisRecord, rule: str) -> list[Found]:
        with self.db.read() as session:
            every = list(service.findings_of(session, record, Severity.LOW))
        return [one for one in every if one.rule_id == rule]

    def kept(self, finding_id: str) -> FindingRecord:
        with self.db.read() as session:
            return findings.get(session, finding_id)

    def actions(self, finding_id: str) -> list[str]:
        with self.db.read() as session:
            return [entry.action for entry in findings.history(session, finding_id)]

    def chunks(self, record: AnalysisRecord) -> int:
        with self.db.read() as session:
            return len(analyses.chunks(session, record.id))


@pytest.fixture
def tree(db: Database, engine: Engine, tmp_path: Path) -> Tree:  # noqa: F811 - the fixture of that name
    return Tree(db, engine, tmp_path / "shop")


def function(name: str) -> str:
    return f"def {name}(order, factor):\n{BLOCK}\n    return order\n"


def test_a_block_that_stands_twice_is_found_in_both_places_and_goes_from_both(tree: Tree) -> None:
    tree.write("a.py", function("first"))
    tree.write("b.py", "import re\n\n\n" + function("second"))
    blocks = tree.found(tree.analyse(), DUPLICATED)
    assert [(one.file, one.function_name) for one in blocks] == [("a.py", "first"), ("b.py", "second")]
    assert blocks[0].metadata["other"] == [{"path": "b.py", "line": 5}]
    assert "record_0 = transform" in blocks[0].line_text
    tree.write("b.py", "import re\n")
    assert tree.found(tree.analyse(), DUPLICATED) == []
    assert [tree.kept(one.id).status for one in blocks] == ["resolved", "resolved"]


def test_a_block_may_be_accepted_in_the_source(tree: Tree) -> None:
    tree.write("a.py", function("first"))
    comment = "    # hefesto: ignore[duplicated_block] generated"
    tree.write("b.py", f"def second(order, factor):\n{comment}\n{BLOCK}\n    return order\n")
    assert [one.file for one in tree.found(tree.analyse(), DUPLICATED)] == ["a.py"]


def test_part_of_a_project_is_compared_with_all_of_it(tree: Tree) -> None:
    tree.write("one/a.py", function("first"))
    tree.write("two/b.py", function("second"))
    (there,) = [one for one in tree.found(tree.analyse(), DUPLICATED) if one.file == "one/a.py"]
    (again,) = tree.found(tree.analyse("one"), DUPLICATED)
    assert again.id == there.id
    assert tree.kept(there.id).occurrence_count == 2


def test_an_unchanged_tree_is_not_written_again_but_counted(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    first = tree.analyse()
    (found,) = tree.found(first, INJECTION)
    second = tree.analyse()
    assert second.result_id == first.id
    assert tree.chunks(second) == 0
    assert (second.files_analyzed, second.high) == (first.files_analyzed, first.high)
    assert [one.id for one in tree.found(second, INJECTION)] == [found.id]
    assert tree.kept(found.id).occurrence_count == 2


def test_another_exclusion_is_another_document(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    tree.write("skipped/run.py", SHELL)
    tree.analyse()
    partial = tree.analyse(exclude_patterns=["skipped/"])
    assert [one.file for one in tree.found(partial, INJECTION)] == ["run.py"]
    (kept,) = [one for one in tree.found(tree.analyse(), INJECTION) if one.file == "skipped/run.py"]
    assert tree.kept(kept.id).status == "open"
    assert "fixed" not in tree.actions(kept.id)


def test_findings_follow_a_renamed_file(tree: Tree) -> None:
    tree.write("old/run.py", SHELL)
    (before,) = tree.found(tree.analyse(), INJECTION)
    (tree.root / "old" / "run.py").unlink()
    tree.write("new/runner.py", SHELL)
    (after,) = tree.found(tree.analyse(), INJECTION)
    assert (after.id, after.file) == (before.id, "new/runner.py")
    assert tree.actions(before.id) == ["created", "moved"]


def test_findings_follow_a_file_that_was_renamed_and_edited(tree: Tree) -> None:
    tree.write("old.py", SHELL + function("first"))
    (before,) = tree.found(tree.analyse(), INJECTION)
    (tree.root / "old.py").unlink()
    tree.write("other.py", "# moved\n" + SHELL + function("first"))
    (after,) = tree.found(tree.analyse(), INJECTION)
    assert (after.id, after.line) == (before.id, before.line + 1)


def test_files_that_are_equal_each_have_their_findings(tree: Tree) -> None:
    for number in range(5):
        tree.write(f"copy{number}/run.py", SHELL)
    record = tree.analyse()
    assert record.files_analyzed == 5
    found = tree.found(record, INJECTION)
    assert len({one.id for one in found}) == 5


def test_a_content_seen_in_another_project_is_not_examined_again(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    tree.analyse()
    with tree.db.read() as session:
        before = session.exec_driver_sql("SELECT count(*) FROM contents").scalar_one()
    record = tree.analyse(project="another")
    with tree.db.read() as session:
        assert session.exec_driver_sql("SELECT count(*) FROM contents").scalar_one() == before
    assert len(tree.found(record, INJECTION)) == 1


def test_a_deleted_file_takes_its_findings_along(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    tree.write("other.py", "x = 1\n")
    (found,) = tree.found(tree.analyse(), INJECTION)
    (tree.root / "run.py").unlink()
    tree.analyse()
    assert tree.kept(found.id).status == "resolved"
    assert tree.actions(found.id) == ["created", "fixed"]


def test_a_syntax_error_hides_nothing_and_closes_nothing(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    (found,) = tree.found(tree.analyse(), INJECTION)
    tree.write("run.py", "def broken(:\n    pass\n")
    record = tree.analyse()
    assert [skip["path"] for skip in record.files_skipped] == ["run.py"]
    assert "syntax error at line 1" in record.files_skipped[0]["reason"]
    assert tree.kept(found.id).status == "open"


def test_what_somebody_resolved_and_still_stands_comes_back(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    (found,) = tree.found(tree.analyse(), INJECTION)
    with tree.db.write() as session:
        findings.change(session, found.id, tree.kept(found.id).revision, status="resolved", reason=None)
    tree.analyse()
    assert tree.kept(found.id).status == "open"
    assert tree.actions(found.id)[-1] == "regressed"


def test_another_branch_closes_nothing_of_this_one(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    (found,) = tree.found(tree.analyse(), INJECTION)
    tree.write("run.py", "x = 1\n")
    tree.analyse(branch="feature")
    assert tree.kept(found.id).status == "open"
    tree.analyse()
    assert tree.kept(found.id).status == "resolved"


def test_a_selection_of_groups_touches_no_other(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    (found,) = tree.found(tree.analyse(), INJECTION)
    tree.write("run.py", "x = 1\n")
    tree.analyse(analyzers=["complexity"])
    assert tree.kept(found.id).status == "open"


class LameEngine(Engine):
    """An engine whose ruff does not run."""

    def run(self, files: Iterable[SourceFile]) -> Generator[tuple[SourceFile, bytes], None, None]:
        for file, packed in super().run(files):
            report = child.unpack(packed)
            pairs = zip(report.detections, report.fingerprints, strict=True)
            kept = [(one, mark) for one, mark in pairs if one.tool != "ruff"]
            yield (
                file,
                child.pack(
                    replace(
                        report,
                        detections=tuple(one for one, _ in kept),
                        fingerprints=tuple(mark for _, mark in kept),
                        failures=(ToolFailure("ruff", "it was killed"),),
                    )
                ),
            )


def test_a_tool_that_failed_closes_nothing_and_looks_again_next_time(tree: Tree) -> None:
    tree.write("run.py", SHELL)
    (found,) = tree.found(tree.analyse(), INJECTION)
    sound, tree.engine = tree.engine, LameEngine(processes=1)
    tree.write("run.py", SHELL + "# edited\n")
    record = tree.analyse()
    tree.engine.close()
    assert record.files_skipped == [{"path": "run.py", "reason": "ruff: it was killed"}]
    assert tree.kept(found.id).status == "open"
    tree.engine = sound
    assert [one.id for one in tree.found(tree.analyse(), INJECTION)] == [found.id]
    assert tree.kept(found.id).occurrence_count == 2
