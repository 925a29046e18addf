"""Findings as those who decide about them read and change them, by statements that are made once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.errors import NotFound, PreconditionFailed
from hefesto_api.storage import hot
from hefesto_api.storage.base import Session, Text
from hefesto_api.storage.findings import FindingRecord, HistoryEntry, finding_history, findings
from hefesto_api.storage.projects import projects

_f, _h = findings.c, finding_history.c


class Standing(NamedTuple):
    """A finding as it stands, and the slug of its project."""

    record: FindingRecord
    slug: str


class Change(Struct, frozen=True):
    """What a decision sets of a finding."""

    status: str
    reason: str | None
    ignored_until: datetime | None
    until_incident: bool
    resolved_at: datetime | None
    updated_at: datetime
    updated_by: str | None


def get(session: Session, finding_id: str) -> Standing:
    """Return a finding; raises NotFound."""
    rows = hot.records(session, _BY_ID, {"id": finding_id})
    if not rows:
        raise NotFound("finding", finding_id)
    *columns, slug = rows[0]
    return Standing(FindingRecord(*columns), slug)


def apply(session: Session, record: FindingRecord, change: Change) -> FindingRecord:
    """Change a finding as it was read, and return it as it is now.

    Raises PreconditionFailed when somebody else changed it since.
    """
    fields = structs.asdict(change) | {"revision": record.revision + 1}
    of_it = {"of_id": record.id, "of_revision": record.revision}
    if hot.change(session, _APPLY, {**of_it, **{f"new_{name}": fields[name] for name in _SET}}) != 1:
        raise PreconditionFailed("The finding was changed by somebody else.", finding_id=record.id)
    return structs.replace(record, **fields)


def tell(session: Session, entry: HistoryEntry) -> None:
    """Append to a finding's history."""
    hot.change(session, _TELL, {f"new_{name}": getattr(entry, name) for name in _TOLD})


def last_comment(session: Session, finding_id: str) -> str | None:
    """Return the last comment that somebody left on a finding."""
    kept = (data for (data,) in hot.records(session, _LATEST, {"finding_id": finding_id}))
    return next((data["comment"] for data in kept if data and data.get("comment")), None)


_SET = (*Change.__struct_fields__, "revision")
_TOLD = HistoryEntry.__struct_fields__
_BY_ID = (
    sa.select(*(_f[name] for name in FindingRecord.__struct_fields__), projects.c.slug)
    .join(projects, projects.c.id == _f.project_id)
    .where(_f.id == sa.bindparam("id", type_=Text))
)
_APPLY = (
    sa.update(findings)
    .where(
        _f.id == sa.bindparam("of_id", type_=Text),
        _f.revision == sa.bindparam("of_revision", type_=_f.revision.type),
    )
    .values({name: sa.bindparam(f"new_{name}", type_=_f[name].type) for name in _SET})
)
_TELL = (
    sa.insert(finding_history)
    .inline()
    .values({name: sa.bindparam(f"new_{name}", type_=_h[name].type) for name in _TOLD})
)
_LATEST: sa.Select[Any] = (
    sa.select(_h.data).where(_h.finding_id == sa.bindparam("finding_id", type_=Text)).order_by(_h.id.desc())
)
