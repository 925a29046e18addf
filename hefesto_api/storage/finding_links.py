"""What people said about which findings are one: merges and partings, remembered for every later scan."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.storage.base import Blob, Json, Serial, Session, Text, UtcDateTime, metadata
from hefesto_api.storage.findings import findings

MERGED = "merged"
PARTED = "parted"

finding_links = sa.Table(
    "finding_links",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("finding_id", Text, sa.ForeignKey("findings.id", ondelete="CASCADE"), nullable=False),
    sa.Column("other_id", Text, nullable=False),  # no foreign key: a parting outlives the other finding
    sa.Column("prints", Blob, nullable=False),
    sa.Column("standing", sa.Boolean, nullable=False),
    sa.Column("before", Json),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_by", Text),
    sa.UniqueConstraint("finding_id", "other_id", "kind"),
    sa.Index(None, "project_id"),
    sa.Index(None, "other_id"),
)


class FindingLink(Struct, frozen=True):
    """A row of `finding_links`.

    MERGED: `finding_id` is the finding that remains, `other_id` the one merged into it. `prints` are those
    that the remaining one had of its own (empty: none), `standing` says whether both places were seen last
    time, `before` what the merged one's decision was.
    PARTED: the two are never one again; there is a link each way. `prints` are the other's when they were
    parted.
    """

    id: int
    project_id: str
    kind: str
    finding_id: str
    other_id: str
    prints: bytes
    standing: bool
    before: dict[str, Any] | None
    created_at: datetime
    created_by: str | None


_INSERT = sa.insert(finding_links)
_OF_PROJECT = sa.select(finding_links).where(finding_links.c.project_id == sa.bindparam("project_id"))
_OF_FINDING = (
    sa.select(finding_links)
    .where(
        sa.or_(
            finding_links.c.finding_id == sa.bindparam("id"), finding_links.c.other_id == sa.bindparam("id")
        )
    )
    .order_by(finding_links.c.id)
)
_SURVIVOR = sa.select(finding_links.c.finding_id).where(
    finding_links.c.other_id == sa.bindparam("id"), finding_links.c.kind == MERGED
)
_SET_STANDING = (
    sa.update(finding_links)
    .where(finding_links.c.id == sa.bindparam("of_id"))
    .values(standing=sa.bindparam("now_standing"))
)


def add(session: Session, link: FindingLink) -> None:
    """Remember a link; its `id` is given by the database."""
    row = structs.asdict(link)
    del row["id"]
    session.execute(_INSERT, row)


def of_project(session: Session, project_id: str) -> list[FindingLink]:
    """Return all links of a project: made by hand, they are few."""
    return [FindingLink(*row) for row in session.execute(_OF_PROJECT, {"project_id": project_id})]


def of_finding(session: Session, finding_id: str) -> list[FindingLink]:
    """Return the links in which a finding stands on either side, oldest first."""
    return [FindingLink(*row) for row in session.execute(_OF_FINDING, {"id": finding_id})]


def survivor(session: Session, finding_id: str) -> str | None:
    """Return the id of the finding that another was merged into; None for one that stands for itself."""
    found: str | None = session.execute(_SURVIVOR, {"id": finding_id}).scalar()
    return found


def set_standing(session: Session, link_id: int, standing: bool) -> None:
    """Note whether the places of both findings of a merge were seen."""
    session.execute(_SET_STANDING, {"of_id": link_id, "now_standing": standing})


def remove(session: Session, one: str, other: str, kind: str) -> None:
    """Forget the links of a kind between two findings, whichever way."""
    pair = (one, other)
    session.execute(
        sa.delete(finding_links).where(
            finding_links.c.kind == kind,
            finding_links.c.finding_id.in_(pair),
            finding_links.c.other_id.in_(pair),
        )
    )


def unsettled(session: Session, project_id: str) -> set[str]:
    """Return the files with a finding that was parted from another and that no scan has seen since."""
    statement = (
        sa.select(findings.c.file_path)
        .join(finding_links, finding_links.c.finding_id == findings.c.id)
        .where(
            finding_links.c.project_id == project_id,
            finding_links.c.kind == PARTED,
            findings.c.status != "resolved",
            findings.c.last_seen <= finding_links.c.created_at,
        )
    )
    return set(session.execute(statement).scalars())
