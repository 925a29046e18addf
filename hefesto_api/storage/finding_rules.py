"""The rule that a finding is of, where the catalogue came to call it by another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from hefesto_api.storage.findings import findings

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

_RENAME = (
    sa.update(findings)
    .where(findings.c.id == sa.bindparam("of_id"))
    .values(rule_id=sa.bindparam("new_rule_id"))
)


def rename(session: Session, finding_id: str, rule_id: str) -> None:
    """Set the rule's present id; what a person decided stays."""
    session.execute(_RENAME, {"of_id": finding_id, "new_rule_id": rule_id})
