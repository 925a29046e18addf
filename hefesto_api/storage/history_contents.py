"""What an analysis left of a content, found by its hash whatever version of the engine made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from hefesto_api.storage.contents import contents

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session


def report_of(session: Session, sha256: str, language: str) -> bytes | None:
    """Return the packed report of a content that was read in a language, the latest that was made."""
    return session.execute(_REPORT, {"sha256": sha256, "language": language}).scalar()


_REPORT = (
    sa.select(contents.c.report)
    .where(contents.c.sha256 == sa.bindparam("sha256"), contents.c.language == sa.bindparam("language"))
    .order_by(contents.c.id.desc())
    .limit(1)
)
