"""Where trouble gathers: how often files change, how tangled they are, how often they were to blame.

Everything read here is bounded, however large a project is: the latest commits and alerts of a time, and the
files that these name. `project_ids` None means all. A file is known by its `Key`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sa

from hefesto_api.domain.hunks import is_deletion
from hefesto_api.storage import measures, quality
from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.base import UtcDateTime
from hefesto_api.storage.contents import contents, project_files
from hefesto_api.storage.correlations import alert_suspects, finding_incidents
from hefesto_api.storage.findings import findings
from hefesto_api.storage.history import (
    HistoryRecord,
    histories,
    history_changes,
    history_commits,
    history_paths,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from hefesto_api.storage.base import Session

COMMITS = 5_000  # the latest of a time
ALERTS = 2_000  # likewise
FILES = 20_000  # among which the largest are looked for
LIKELY = 0.5  # how sure an answer must be to count: at most one function of an alert is
_RENAMES = 20  # one after the other
_PLACE = 1 << 20  # more functions than a file has

Key = tuple[str, str]
"""A project's id and a path of its files."""


class Churn(NamedTuple):
    """How often a file was changed, and when last."""

    commits: int
    last: datetime


class Known(NamedTuple):
    """A file on record; `worst` is the place of its most complex function among all, None: it has none."""

    content_id: int
    language: str | None
    lines_of_code: int
    complexity: int = 0
    worst: int | None = None


class Worst(NamedTuple):
    """The most complex function of a file."""

    function_name: str
    line: int
    complexity: int


class Standing(NamedTuple):
    """What stands in a file, by severity."""

    critical: int
    high: int
    medium: int
    low: int


def branches(session: Session, project_ids: Sequence[str] | None) -> dict[str, str]:
    """Return the branch that stands for each project with files on record: the default or largest."""
    sizes: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for one in measures.line_changes(session, project_ids):
        of_project = sizes[one.project_id]
        of_project[one.branch] = of_project.get(one.branch, 0) + one.lines
    defaults = measures.default_branches(session, project_ids)
    return {one: quality.main_branch(found, defaults.get(one, "")) for one, found in sizes.items()}


def with_history(session: Session, project_ids: Sequence[str] | None) -> set[str]:
    """Return the projects whose history is (at least in part) on record."""
    statement = sa.select(histories.c.project_id).where(
        histories.c.top > 0, *_of(histories.c.project_id, project_ids)
    )
    return set(session.execute(statement).scalars())


def has_alerts(session: Session, project_ids: Sequence[str] | None) -> bool:
    """Tell whether an alert ever came in."""
    some = sa.select(sa.literal(1)).select_from(alerts).where(*_of(alerts.c.project_id, project_ids)).limit(1)
    return session.execute(some).first() is not None


def churn(session: Session, project_ids: Sequence[str] | None, since: datetime) -> dict[Key, Churn]:
    """Return how often each path was changed since a time, merges aside; what was renamed keeps its past.

    A path that is gone counts for the one that it was renamed to.
    """
    of = _of(histories.c.project_id, project_ids)
    records = {row.id: HistoryRecord(*row) for row in session.execute(sa.select(histories).where(*of))}
    rows = session.execute(_changes(tuple(records)), {"since": int(since.timestamp())}) if records else ()
    counts: defaultdict[Key, list[int]] = defaultdict(lambda: [0, 0])
    renamed: dict[Key, tuple[Key, int]] = {}
    for history_id, path, other, first_byte, commits, last in rows:
        record = records[history_id]
        key = (record.project_id, record.of_project(path))
        kept = counts[key]
        kept[:] = kept[0] + commits, max(kept[1], last)
        if other is not None and is_deletion(first_byte):
            renamed[key] = ((record.project_id, record.of_project(other)), last)
    # A name that was given again after the file had gone is a file of its own.
    followed = {key: target for key, (target, last) in renamed.items() if last == counts[key][1]}
    return {
        key: Churn(many, datetime.fromtimestamp(last, UTC))
        for key, (many, last) in _moved(counts, followed).items()
    }


def incidents(session: Session, project_ids: Sequence[str] | None, since: datetime) -> dict[Key, int]:
    """Return how many alerts that occurred since a time were traced to each path.

    That is to a function or a finding in it, more likely than not; what a person confirmed counts, too, and
    what a person rejected does not.
    """
    a, s, i, f = alerts.c, alert_suspects.c, finding_incidents.c, findings.c
    latest = (
        sa.select(a.id)
        .where(a.last_seen >= sa.bindparam("since", type_=UtcDateTime), a.merged_into.is_(None))
        .where(*_of(a.project_id, project_ids))
        .order_by(a.last_seen.desc(), a.id.desc())
        .limit(ALERTS)
        .subquery()
        .c.id
    )
    likely = sa.or_(s.confirmed.is_(True), sa.and_(s.confirmed.is_(None), s.probability >= LIKELY))
    suspected = (
        sa.select(s.project_id, s.file_path, s.alert_id)
        .join(latest.table, latest == s.alert_id)
        .where(likely)
    )
    matched = (
        sa.select(f.project_id, f.file_path, i.alert_id)
        .join(i.finding_id.table, i.finding_id == f.id)
        .join(latest.table, latest == i.alert_id)
        .where(i.match_confidence >= LIKELY)
    )
    both = sa.union(suspected, matched).subquery().c
    statement = sa.select(both.project_id, both.file_path, sa.func.count()).group_by(
        both.project_id, both.file_path
    )
    return {(row[0], row[1]): row[2] for row in session.execute(statement, {"since": since})}


def known(session: Session, branch_of: Mapping[str, str], wanted: Iterable[Key]) -> dict[Key, Known]:
    """Return the files among some paths that are on record, with how complex they are."""
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for project_id, path in wanted:
        if project_id in branch_of:
            paths[project_id].append(path)
    found: dict[Key, Known] = {}
    for project_id, some in paths.items():
        values = {"project": project_id, "branch": branch_of[project_id], "keys": orjson.dumps(some).decode()}
        rows = session.execute(_on_record(session.dialect.name), values)
        found |= {(project_id, row[0]): Known(*row[1:]) for row in rows}
    return _with_complexity(session, found)


def largest(session: Session, branch_of: Mapping[str, str], many: int) -> list[Key]:
    """Return the files with the most lines, of at most so many that are looked at."""
    if not branch_of:
        return []
    p = project_files.c
    pairs = [sa.and_(p.project_id == project, p.branch == branch) for project, branch in branch_of.items()]
    some = sa.select(p.project_id, p.path, p.content_id).where(sa.or_(*pairs)).limit(FILES).subquery().c
    statement = (
        sa.select(some.project_id, some.path)
        .join(contents, contents.c.id == some.content_id)
        .order_by(contents.c.lines_of_code.desc(), some.path, some.project_id)
        .limit(many)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def worst(session: Session, files: Collection[Known]) -> dict[int, Worst]:
    """Return the most complex function of each content that has one, by the content's id."""
    keys = [(one.content_id, one.worst) for one in files if one.worst is not None]
    if not keys:
        return {}
    rows = session.execute(_named(session.dialect.name), {"keys": orjson.dumps(keys).decode()})
    return {row[0]: Worst(*row[1:]) for row in rows}


def standing(session: Session, wanted: Iterable[Key]) -> dict[Key, Standing]:
    """Return what stands in some files."""
    rows = session.execute(_standing(session.dialect.name), {"keys": orjson.dumps(list(wanted)).decode()})
    return {(row[0], row[1]): Standing(*row[2:]) for row in rows}


def _with_complexity(session: Session, found: Mapping[Key, Known]) -> dict[Key, Known]:
    ids = sorted({one.content_id for one in found.values()})
    rows = session.execute(_complexity(session.dialect.name), {"keys": orjson.dumps(ids).decode()})
    numbers = {row[0]: (row[1], -row[2] % _PLACE) for row in rows}
    return {
        key: one._replace(complexity=numbers[one.content_id][0], worst=numbers[one.content_id][1])
        if one.content_id in numbers
        else one
        for key, one in found.items()
    }


def _moved(counts: Mapping[Key, list[int]], renamed: Mapping[Key, Key]) -> dict[Key, tuple[int, int]]:
    """Give what was counted of names that are gone to those that came after them."""
    made: defaultdict[Key, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for key, (many, last) in counts.items():
        target = key
        for _ in range(_RENAMES):
            target = renamed.get(target, target)
        before = made[target]
        # The commit that moved a file changed both of its names: it counts once.
        made[target] = (before[0] + many - (target != key), max(before[1], last))
    return made


def _of(column: Any, project_ids: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    return [] if project_ids is None else [column.in_(project_ids)]


def _changes(history_ids: Collection[int]) -> sa.Select[Any]:
    k, c = history_commits.c, history_changes.c
    latest = (
        sa.select(k.history_id, k.ordinal, k.time)
        .where(k.history_id.in_(history_ids), k.time >= sa.bindparam("since"), k.other_parents.is_(None))
        .order_by(k.time.desc())
        .limit(COMMITS)
        .subquery()
        .c
    )
    kind = sa.case((c.other_path.is_not(None), sa.func.substr(c.what, 1, 1))).label("kind")
    counted = (
        sa.select(
            c.history_id,
            c.path,
            c.other_path,
            kind,
            sa.func.count().label("commits"),
            sa.func.max(latest.time).label("last"),
        )
        .join(latest.ordinal.table, sa.and_(c.history_id == latest.history_id, c.ordinal == latest.ordinal))
        .group_by(c.history_id, c.path, c.other_path, sa.text("4"))
        .subquery()
        .c
    )
    path, other = history_paths.alias().c, history_paths.alias().c
    of_path = sa.and_(path.history_id == counted.history_id, path.number == counted.path)
    of_other = sa.and_(other.history_id == counted.history_id, other.number == counted.other_path)
    columns = (counted.history_id, path.path, other.path, counted.kind, counted.commits, counted["last"])
    return sa.select(*columns).join(path.path.table, of_path).join(other.path.table, of_other, isouter=True)


# Keys come as one JSON text: thousands of parameters would take longer to bind than to look up.


@cache
def _on_record(dialect: str) -> sa.TextClause:
    return sa.text(
        "SELECT f.path, c.id, c.language, c.lines_of_code "  # noqa: S608 - constants
        f"FROM ({_keys(dialect, 'path')}) AS k JOIN project_files AS f "
        "ON f.project_id = :project AND f.branch = :branch AND f.path = k.path "
        "JOIN contents AS c ON c.id = f.content_id"
    )


@cache
def _complexity(dialect: str) -> sa.TextClause:
    worst = f"max(CAST(f.cognitive AS bigint) * {_PLACE} - f.ordinal)"  # of equals the first
    return sa.text(
        f"SELECT f.content_id, sum(f.cognitive), {worst} "  # noqa: S608 - constants
        f"FROM ({_keys(dialect, 'id', 'bigint')}) AS k JOIN functions AS f ON f.content_id = k.id "
        "GROUP BY f.content_id"
    )


@cache
def _named(dialect: str) -> sa.TextClause:
    return sa.text(
        "SELECT f.content_id, f.qualified_name, f.start_line, f.cognitive "  # noqa: S608 - constants
        f"FROM ({_pairs(dialect, ('content_id', 'bigint'), ('ordinal', 'integer'))}) AS k "
        "JOIN functions AS f ON f.content_id = k.content_id AND f.ordinal = k.ordinal"
    )


@cache
def _standing(dialect: str) -> sa.TextClause:
    return sa.text(
        "SELECT f.project_id, f.file_path, f.critical, f.high, f.medium, f.low "  # noqa: S608 - constants
        f"FROM ({_pairs(dialect, ('project_id', 'text'), ('file_path', 'text'))}) AS k "
        "JOIN file_counts AS f ON f.project_id = k.project_id AND f.file_path = k.file_path"
    )


def _keys(dialect: str, name: str, kind: str = "text") -> str:
    if dialect == "sqlite":
        return f"SELECT value AS {name} FROM json_each(:keys)"  # noqa: S608 - constants
    each = "jsonb_array_elements_text(CAST(:keys AS jsonb))"
    return f"SELECT CAST(value AS {kind}) AS {name} FROM {each} AS t(value)"  # noqa: S608 - constants


def _pairs(dialect: str, *columns: tuple[str, str]) -> str:
    if dialect == "sqlite":
        named = ", ".join(f"value ->> {at} AS {name}" for at, (name, _) in enumerate(columns))
        return f"SELECT {named} FROM json_each(:keys)"  # noqa: S608 - constants
    named = ", ".join(f"CAST(k ->> {at} AS {kind}) AS {name}" for at, (name, kind) in enumerate(columns))
    return f"SELECT {named} FROM jsonb_array_elements(CAST(:keys AS jsonb)) AS k"  # noqa: S608 - constants
