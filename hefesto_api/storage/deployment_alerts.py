"""The alerts around a deployment, counted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.base import UtcDateTime

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.deployments import DeploymentRecord

_a = alerts.c
_FROM, _AT, _TO = (sa.bindparam(name, type_=UtcDateTime) for name in ("from", "at", "to"))
_is_before = sa.and_(_a.first_seen < _AT, _a.last_seen >= _FROM)
_is_after = sa.and_(_a.first_seen < _TO, _a.last_seen >= _AT)
_is_new = _a.first_seen >= _AT


class Counted(Struct, frozen=True):
    """How many alerts were on at some time before and after; `new` counts by severity what began after."""

    before: int
    after: int
    new: dict[str, int]


def around(session: Session, deployment: DeploymentRecord, window: timedelta) -> Counted:
    """Count a deployment's alerts in a window before it and in one as long after.

    An alert counts where the time from its first to its last occurrence touches the window; those of other
    environments do not count, those that name none do.
    """
    asked = {
        "project": deployment.project_id, "environment": deployment.environment,
        "from": deployment.deployed_at - window, "at": deployment.deployed_at,
        "to": deployment.deployed_at + window,
    }  # fmt: skip
    before = after = 0
    new: dict[str, int] = {}
    for row in session.execute(_AROUND, asked):
        before += row.before or 0
        after += row.after or 0
        if row.new:
            new[row.severity] = row.new
    return Counted(before, after, new)


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


_AROUND = (
    sa.select(
        _a.severity,
        _number(_is_before).label("before"),
        _number(_is_after).label("after"),
        _number(sa.and_(_is_after, _is_new)).label("new"),
    )
    .where(
        _a.project_id == sa.bindparam("project"),
        _a.last_seen >= _FROM,
        _a.first_seen < _TO,
        sa.or_(_a.environment.is_(None), _a.environment == sa.bindparam("environment")),
    )
    .group_by(_a.severity)
)
