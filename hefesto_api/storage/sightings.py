"""What an analysis writes about findings: in bulk, file by file, inside the stage's transaction."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from hefesto_api.domain.lifecycle import FIXED, KnownFinding
from hefesto_api.storage import bulk, finding_links, told
from hefesto_api.storage.contents import project_files
from hefesto_api.storage.findings import finding_history, findings, unpack_prints

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.told import Told

_KNOWN_COLUMNS = (
    "id", "rule_id", "analyzer", "branch", "line", "function_name", "status", "reason", "prints", "file_path",
)  # fmt: skip
_KNOWN_AND_TOLD = tuple(dict.fromkeys((*_KNOWN_COLUMNS, *told.COLUMNS)))
_told_of_row = itemgetter(*map(_KNOWN_AND_TOLD.index, told.COLUMNS))

_PATHS_SQLITE = "SELECT value FROM json_each(:paths)"
_PATHS_POSTGRESQL = "SELECT value FROM jsonb_array_elements_text(CAST(:paths AS jsonb))"


def _within(dialect: str) -> sa.ColumnElement[bool]:
    """Return "the file is one of :paths", a JSON list: one parameter however many they are."""
    return findings.c.file_path.in_(sa.text(_PATHS_SQLITE if dialect == "sqlite" else _PATHS_POSTGRESQL))


def known_in(
    session: Session, project_id: str, paths: Sequence[str], *, tool: str = "hefesto"
) -> dict[str, list[KnownFinding]]:
    """Return what is known of a tool's findings in some files, of every branch, by path."""
    by_path: dict[str, list[KnownFinding]] = {}
    linked = finding_links.linked(session, project_id)
    for row in _rows_in(session, project_id, paths, tool, _KNOWN_COLUMNS):
        by_path.setdefault(row.file_path, []).append(linked.told_of(_known(row)))
    return by_path


def known_and_told(
    session: Session, project_id: str, paths: Sequence[str], tool: str
) -> tuple[dict[str, list[KnownFinding]], dict[str, Told]]:
    """Return what `known_in` does, and what is told of each of these findings, by its id."""
    by_path: dict[str, list[KnownFinding]] = {}
    by_id: dict[str, Told] = {}
    linked = finding_links.linked(session, project_id)
    for row in _rows_in(session, project_id, paths, tool, _KNOWN_AND_TOLD):
        by_path.setdefault(row.file_path, []).append(linked.told_of(_known(row)))
        by_id[row.id] = _told_of_row(row)
    return by_path, by_id


def _rows_in(
    session: Session, project_id: str, paths: Sequence[str], tool: str, columns: Sequence[str]
) -> Sequence[sa.Row[Any]]:
    statement = sa.select(*(findings.c[name] for name in columns)).where(
        findings.c.project_id == project_id,
        findings.c.tool == tool,
        _within(session.dialect.name),
    )
    return session.execute(statement, {"paths": orjson.dumps(paths).decode()}).fetchall()


def _known(row: sa.Row[Any]) -> KnownFinding:
    return KnownFinding(
        id=row.id,
        rule_id=row.rule_id,
        analyzer=row.analyzer,
        branch=row.branch,
        line=row.line,
        symbol=row.function_name,
        status=row.status,
        reason=row.reason,
        prints=unpack_prints(row.prints),
    )


def paths_of_tool(session: Session, project_id: str, tool: str) -> set[str]:
    """Return the files in which a finding of a tool stands that is not resolved."""
    statement = (
        sa.select(findings.c.file_path)
        .distinct()
        .where(findings.c.project_id == project_id, findings.c.tool == tool, findings.c.status != "resolved")
    )
    return set(session.execute(statement).scalars())


def alone(session: Session, project_id: str, tool: str) -> None:
    """Let nobody else bring in findings of this tool of this project until the transaction ends.

    SQLite has one writer anyway.
    """
    if session.dialect.name == "postgresql":
        key = {"key": f"{project_id} {tool}"}
        session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), key)


def insert(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert new findings, given as complete rows."""
    bulk.execute(session, _INSERT, rows)


_INSERT = sa.insert(findings)


_SEEN_AGAIN = (*told.COLUMNS, "analysis_id", "last_seen")
_UPDATE_SEEN = (
    sa.update(findings)
    .where(findings.c.id == sa.bindparam("new_id"), findings.c.analysis_id != sa.bindparam("new_analysis_id"))
    .values(
        {name: sa.bindparam(f"new_{name}", type_=findings.c[name].type) for name in _SEEN_AGAIN}
        | {"occurrence_count": findings.c.occurrence_count + sa.literal_column("1")}
    )
)


_SEEN_ALIKE = (
    sa.update(findings)
    .where(findings.c.analysis_id != sa.bindparam("new_analysis_id"))
    .values(
        analysis_id=sa.bindparam("new_analysis_id"),
        last_seen=sa.bindparam("new_last_seen", type_=findings.c.last_seen.type),
        occurrence_count=findings.c.occurrence_count + 1,
    )
)


def saw_again(session: Session, rows: Sequence[dict[str, Any]], known: Mapping[str, Told]) -> None:
    """Record sightings: where the finding is now and what is said of it; nothing a person set.

    A row is the finding's `id` and the columns of _SEEN_AGAIN; analysis and time are those of all rows.
    `known` is what is on record of some by their id: of those that are as they were only the sighting is
    written, with a third of the work. A row that this analysis wrote before (it was interrupted and runs
    again) is left as it is.
    """
    same = [row for row in rows if told.is_same(row, known.get(row["id"]))] if known else []
    alike = {row["id"] for row in same}
    bulk.execute(session, _UPDATE_SEEN, [row for row in rows if row["id"] not in alike], prefix="new_")
    if same:
        source = _PATHS_SQLITE if session.dialect.name == "sqlite" else _PATHS_POSTGRESQL
        values = {
            "new_analysis_id": same[0]["analysis_id"],
            "new_last_seen": same[0]["last_seen"],
            "paths": orjson.dumps(list(alike)).decode(),
        }
        session.execute(_SEEN_ALIKE.where(findings.c.id.in_(sa.text(source))), values)


_SET_STATUS = (
    sa.update(findings)
    .where(findings.c.id == sa.bindparam("of_id"), findings.c.status == sa.bindparam("old_status"))
    .values(
        status=sa.bindparam("new_status"),
        reason=sa.bindparam("new_reason"),
        ignored_until=None,
        until_incident=False,
        resolved_at=sa.bindparam("new_resolved_at", type_=findings.c.resolved_at.type),
        updated_at=sa.bindparam("new_updated_at", type_=findings.c.updated_at.type),
        updated_by=None,
        revision=findings.c.revision + 1,
    )
)


def set_status(session: Session, known: KnownFinding, status: str, reason: str | None, now: datetime) -> bool:
    """Change the status of a finding unless somebody changed it since it was read; tell whether it was."""
    values = {
        "of_id": known.id,
        "old_status": known.status,
        "new_status": status,
        "new_reason": reason,
        "new_resolved_at": now if reason == FIXED else None,
        "new_updated_at": now,
    }
    return session.execute(_SET_STATUS, values).rowcount == 1


def add_history(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Append to histories, given as complete rows."""
    bulk.execute(session, _INSERT_HISTORY, rows)


_INSERT_HISTORY = sa.insert(finding_history)


def bump_unchanged(
    session: Session,
    project_id: str,
    paths: Sequence[str],
    analysis_id: str,
    now: datetime,
    *,
    without: Collection[str],
    groups: Sequence[str],
) -> None:
    """Record another sighting of what stands in files that did not change, but for the rules `without`."""
    statement = (
        sa.update(findings)
        .where(
            findings.c.project_id == project_id,
            findings.c.tool == "hefesto",
            findings.c.status != "resolved",
            findings.c.rule_id.not_in(without),
            findings.c.analyzer.in_(groups),
            findings.c.analysis_id != analysis_id,
            _within(session.dialect.name),
        )
        .values(occurrence_count=findings.c.occurrence_count + 1, last_seen=now, analysis_id=analysis_id)
    )
    session.execute(statement, {"paths": orjson.dumps(paths).decode()})


def seen_by(
    session: Session, project_id: str, paths: Sequence[str], analysis_id: str
) -> Iterator[sa.Row[Any]]:
    """Yield the rows of the findings that an analysis saw in some files, by place."""
    statement = (
        sa.select(findings)
        .where(
            findings.c.project_id == project_id,
            findings.c.analysis_id == analysis_id,
            _within(session.dialect.name),
        )
        .order_by(findings.c.file_path, findings.c.line, findings.c.column)
    )
    yield from session.execute(statement, {"paths": orjson.dumps(paths).decode()})


def resolved_by_hand(session: Session, project_id: str, paths: Sequence[str]) -> set[str]:
    """Return those of some files that hold a finding a person resolved or parted: to be looked at again."""
    statement = (
        sa.select(findings.c.file_path)
        .distinct()
        .where(
            findings.c.project_id == project_id,
            findings.c.tool == "hefesto",
            findings.c.status == "resolved",
            sa.func.coalesce(findings.c.reason, "") != FIXED,
            findings.c.id.not_in(finding_links.merged_ids(project_id)),
            _within(session.dialect.name),
        )
    )
    by_hand = set(session.execute(statement, {"paths": orjson.dumps(paths).decode()}).scalars())
    return by_hand | finding_links.unsettled(session, project_id).intersection(paths)


def of_other_branches(session: Session, project_id: str, branch: str, paths: Sequence[str]) -> set[str]:
    """Return those of some files that hold a finding of a branch whose content of the file is another.

    Only looking tells whether such a finding stands in this branch too.
    """
    here, there = project_files.alias(), project_files.alias()
    same = sa.exists().where(
        here.c.project_id == project_id,
        here.c.branch == branch,
        here.c.path == findings.c.file_path,
        there.c.project_id == project_id,
        there.c.branch == findings.c.branch,
        there.c.path == here.c.path,
        there.c.content_id == here.c.content_id,
    )
    statement = (
        sa.select(findings.c.file_path)
        .distinct()
        .where(
            findings.c.project_id == project_id,
            findings.c.tool == "hefesto",
            findings.c.status != "resolved",
            findings.c.branch != branch,
            _within(session.dialect.name),
            ~same,
        )
    )
    return set(session.execute(statement, {"paths": orjson.dumps(paths).decode()}).scalars())


def paths_with_rules(session: Session, project_id: str, rule_ids: Collection[str]) -> set[str]:
    """Return the files in which a finding of some rules stands that is not resolved."""
    statement = sa.select(findings.c.file_path).where(
        findings.c.project_id == project_id,
        findings.c.tool == "hefesto",
        findings.c.rule_id.in_(rule_ids),
        findings.c.status != "resolved",
    )
    return set(session.execute(statement).scalars())


def move(session: Session, project_id: str, branch: str, renamed: dict[str, str], now: datetime) -> None:
    """Carry the findings of files that were renamed (new path -> old path) over to their new paths."""
    for new, old in renamed.items():
        same = sa.and_(findings.c.project_id == project_id, findings.c.file_path == old)
        here = sa.and_(same, findings.c.branch == branch)
        # What was merged into one of them stays with it, wherever it was seen last.
        merged = finding_links.merged_into_any(sa.select(findings.c.id).where(here))
        here = sa.and_(same, sa.or_(findings.c.branch == branch, findings.c.id.in_(merged)))
        moved = session.execute(sa.select(findings.c.id).where(here)).scalars().all()
        session.execute(sa.update(findings).where(here).values(file_path=new))
        details = f"The file {old} is {new} now."
        add_history(
            session,
            [
                {
                    "finding_id": one,
                    "timestamp": now,
                    "action": "moved",
                    "user": None,
                    "details": details,
                    "data": None,
                }
                for one in moved
            ],
        )
