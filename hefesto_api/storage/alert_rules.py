"""What people decided about grouping: which alert an occurrence goes to, whatever its fingerprint says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock
from hefesto_api.domain.grouping import Traits
from hefesto_api.storage import hot
from hefesto_api.storage.base import Serial, Session, Text, UtcDateTime, metadata

WHOLE = ""  # the trait of a rule that holds for a fingerprint whatever its traits

alert_rules = sa.Table(
    "alert_rules",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("fingerprint", Text, nullable=False),  # as grouping has it
    sa.Column("trait", Text, nullable=False),
    sa.Column("value", Text, nullable=False),
    sa.Column("target", Text, nullable=False),  # the fingerprint of the alert that it goes to
    sa.Column("made_by", Text, nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Index(None, "project_id", "fingerprint"),
    sa.Index(None, "project_id", "target"),
    sqlite_autoincrement=True,
)
_r = alert_rules.c


class Rule(Struct, frozen=True):
    """A decision: what has this fingerprint, and this value of a trait, goes to the alerts of `target`."""

    project_id: str
    fingerprint: str
    trait: str
    value: str
    target: str
    made_by: str
    made_at: datetime

    def holds(self, traits: Traits) -> bool:
        """Tell whether the rule is about what has these traits."""
        return self.trait == WHOLE or getattr(traits, self.trait) == self.value

    @property
    def reason(self) -> str:
        """What the rule says, in words."""
        if self.trait == WHOLE:
            return "Put here by hand, with all that has its code cause."
        shown = self.value if self.trait != "stack" else "these calls"
        return f"Put here by hand: what has its code cause and {_NAMES[self.trait]} {shown!r}."


_NAMES = {
    "message": "the message",
    "stack": "the whole stack of",
    "error_type": "the error type",
    "service_name": "the service",
    "environment": "the environment",
    "group": "the sender's group",
}


def target(session: Session, project_id: str, fingerprint: str, traits: Traits) -> str:
    """Return the fingerprint that an occurrence goes by: the finest decision counts, of these the latest."""
    for rule in _of(session, project_id, fingerprint):
        if rule.holds(traits):
            return rule.target
    return fingerprint


def into(session: Session, project_id: str, fingerprint: str) -> list[Rule]:
    """Return the decisions that lead to the alerts of a fingerprint, the finest and latest first."""
    rows = session.execute(_INTO, {"project": project_id, "print": fingerprint})
    return [Rule(*row) for row in rows]


def make(session: Session, rules: Iterable[Rule]) -> None:
    """Keep decisions, each instead of the one about the same before."""
    for rule in rules:
        session.execute(_REMOVE, {
            "project": rule.project_id, "print": rule.fingerprint, "of_trait": rule.trait,
            "of_value": rule.value,
        })  # fmt: skip
        if rule.trait != WHOLE or rule.fingerprint != rule.target:
            session.execute(_ADD, structs.asdict(rule))


def lead_on(session: Session, project_id: str, fingerprint: str, to: str, by: str) -> None:
    """Have all that goes to the alerts of one fingerprint go to those of another from now on."""
    session.execute(_LEAD_ON, {"project": project_id, "print": fingerprint, "to": to})
    session.execute(_NO_DETOUR, {"project": project_id})
    make(session, [Rule(project_id, fingerprint, WHOLE, "", to, by, clock.now())])


def forget(session: Session, project_id: str, fingerprint: str, to: str) -> None:
    """Forget what leads from a fingerprint to the alerts of another."""
    session.execute(_FORGET, {"project": project_id, "print": fingerprint, "to": to})


def _of(session: Session, project_id: str, fingerprint: str) -> list[Rule]:
    rows = hot.records(session, _OF, {"project": project_id, "print": fingerprint})
    return [Rule(*row) for row in rows]


_ADD = sa.insert(alert_rules)
_PROJECT = _r.project_id == sa.bindparam("project")
_ABOUT = sa.and_(_PROJECT, _r.fingerprint == sa.bindparam("print"))
_TO = sa.and_(_PROJECT, _r.target == sa.bindparam("print"))
_ALL = sa.select(*(_r[name] for name in Rule.__struct_fields__)).order_by(
    sa.case((_r.trait == WHOLE, 1), else_=0), _r.id.desc()
)
_OF = _ALL.where(_ABOUT)
_INTO = _ALL.where(_TO)
_REMOVE = sa.delete(alert_rules).where(
    _ABOUT, _r.trait == sa.bindparam("of_trait"), _r.value == sa.bindparam("of_value")
)
_FORGET = sa.delete(alert_rules).where(_ABOUT, _r.target == sa.bindparam("to"))
_LEAD_ON = sa.update(alert_rules).where(_TO).values(target=sa.bindparam("to"))
_NO_DETOUR = sa.delete(alert_rules).where(_PROJECT, _r.trait == WHOLE, _r.fingerprint == _r.target)
