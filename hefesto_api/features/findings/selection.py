"""Which findings a caller means: from the list's parameters to the storage's filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain.finding import Severity, Status
from hefesto_api.storage import projects
from hefesto_api.storage.finding_list import Filter, ListedFinding

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hefesto_api.storage.base import Session

ALL = "all"
ITEM = ListedFinding.__struct_fields__
_SAME = ("file_path", "analyzer", "severity", "rule_id", "tool", "cwe", "q")


def chosen(session: Session, query: Mapping[str, Any], allowed: Collection[str] | None) -> Filter:
    """Return the filter of a query; `allowed` are the slugs of the projects that the caller may see.

    Without a status only open findings are meant. An unknown project is one without findings.
    """
    minimum = query.get("min_severity")
    statuses = query.get("status") or (Status.OPEN.value,)
    return Filter(
        project_ids=projects.chosen(session, query.get("project"), allowed),
        min_rank=Severity(minimum).rank if minimum else None,
        status=() if ALL in statuses else statuses,
        start=query.get("start_date"),
        end=query.get("end_date"),
        **{name: query[name] for name in _SAME if name in query},
    )
