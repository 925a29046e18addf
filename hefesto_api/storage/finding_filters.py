"""Which findings are wanted: a filter, its conditions, and the values that these are executed with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.finding import Severity, Status
from hefesto_api.storage.base import Text, json_has, like_any_case
from hefesto_api.storage.findings import findings

_f = findings.c


class Filter(Struct, frozen=True):
    """Which findings are wanted; None (or nothing) asks for any.

    `project_ids` are those the caller may see and asks for. `file_path` is exact, or a prefix when it ends
    in `/`. `q` is looked for in description, path, rule and function. `start` and `end` are inclusive and
    compare with `last_seen`.
    """

    project_ids: tuple[str, ...] | None = None
    file_path: str | None = None
    analyzer: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    min_rank: int | None = None
    status: tuple[str, ...] = ()
    rule_id: str | None = None
    tool: str | None = None
    cwe: int | None = None
    q: str | None = None
    start: datetime | None = None
    end: datetime | None = None


RANKS = {severity.value: severity.rank for severity in Severity}
_STATUSES = tuple(status.value for status in Status)
# Members of a filter that say which ranges of an index a page is read from.
PLACES = frozenset({"project_ids", "status", "severity", "min_rank"})


def asked(wanted: Filter) -> frozenset[str]:
    """Name the members of a filter that ask for something."""
    names = {name for name, value in structs.asdict(wanted).items() if value not in (None, ())}
    if wanted.project_ids == ():
        names.add("project_ids")  # none may be seen: not the same as any
    if wanted.file_path is not None and wanted.file_path.endswith("/"):
        names = names - {"file_path"} | {"folder"}
    return frozenset(names)


def values(wanted: Filter) -> dict[str, Any]:
    """Return the values of its conditions."""
    values = {name: value for name, value in structs.asdict(wanted).items() if value is not None}
    if wanted.file_path is not None and wanted.file_path.endswith("/"):
        # A range, which an index can serve: "0" is what follows "/".
        values |= {"folder": wanted.file_path, "beyond": wanted.file_path[:-1] + "0"}
    values["severity"] = [RANKS.get(name, 0) for name in wanted.severity]
    if wanted.q is not None:
        escaped = wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["q"] = f"%{escaped}%"
    return values


def places(wanted: Filter) -> dict[str, Any]:
    """Return the projects, statuses and severities that are wanted, each value under a name of its own."""
    return {
        f"{name}_no_{number}": value
        for name, values in (("project", wanted.project_ids or ()), ("status", statuses(wanted)))
        for number, value in enumerate(values)
    } | {f"rank_no_{number}": rank for number, rank in enumerate(ranks(wanted))}


def statuses(wanted: Filter) -> tuple[str, ...]:
    """Return the statuses that are wanted."""
    return tuple(dict.fromkeys(wanted.status)) or _STATUSES


def ranks(wanted: Filter) -> list[int]:
    """Return the ranks of the severities that are wanted."""
    asked = wanted.severity or tuple(RANKS)
    return [rank for name, rank in RANKS.items() if name in asked and rank >= (wanted.min_rank or 0)]


CONDITIONS: dict[str, sa.ColumnElement[bool]] = {
    "project_ids": _f.project_id.in_(sa.bindparam("project_ids", expanding=True)),
    "file_path": _f.file_path == sa.bindparam("file_path"),
    "folder": sa.and_(_f.file_path >= sa.bindparam("folder"), _f.file_path < sa.bindparam("beyond")),
    "analyzer": _f.analyzer.in_(sa.bindparam("analyzer", expanding=True)),
    "severity": _f.severity_rank.in_(sa.bindparam("severity", expanding=True)),  # as the indexes have it
    "min_rank": _f.severity_rank >= sa.bindparam("min_rank"),
    "status": _f.status.in_(sa.bindparam("status", expanding=True)),
    "rule_id": _f.rule_id == sa.bindparam("rule_id"),
    "tool": _f.tool == sa.bindparam("tool"),
    "cwe": json_has(_f.cwe, sa.bindparam("cwe", type_=sa.Integer)),
    "q": sa.or_(
        *(
            like_any_case(column, sa.bindparam("q", type_=Text))
            for column in (_f.description, _f.file_path, _f.rule_id, _f.function_name)
        )
    ),
    "start": _f.last_seen >= sa.bindparam("start", type_=_f.last_seen.type),
    "end": _f.last_seen <= sa.bindparam("end", type_=_f.last_seen.type),
}


# The same, written so that no index applies: the list's own order is followed, or the table's.
_path, _status, _rank = _f.file_path.concat(""), _f.status.concat(""), _f.severity_rank + 0
_IN_PASSING = CONDITIONS | {
    "file_path": _path == sa.bindparam("file_path", type_=Text),
    "folder": sa.and_(
        _path >= sa.bindparam("folder", type_=Text), _path < sa.bindparam("beyond", type_=Text)
    ),
    "status": _status.in_(sa.bindparam("status", expanding=True)),
    "severity": _rank.in_(sa.bindparam("severity", expanding=True)),
    "min_rank": _rank >= sa.bindparam("min_rank"),
}


def conditions(asked: frozenset[str], *, in_passing: bool = False) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of some members; those `in_passing` are such that no index applies."""
    known = _IN_PASSING if in_passing else CONDITIONS
    return [known[name] for name in sorted(asked)]
