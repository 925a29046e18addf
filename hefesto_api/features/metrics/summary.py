"""How things stand at the end of a period, and how that compares with the one before."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import clock
from hefesto_api.domain.errors import Invalid
from hefesto_api.domain.finding import Group, Severity
from hefesto_api.storage import measures, projects, quality

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hefesto_api.domain.quality import Quality
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.measures import RuleVerdicts, Standing, TopFile

USUAL_DAYS = 30
TOP_FILES = 10
RULES = 20
ENOUGH_VERDICTS = 5
SCORE_BAND = 1.0  # points of the score
FINDINGS_BAND = 5.0  # percent


class Period(NamedTuple):
    """Whole days, both included."""

    start: date
    end: date


class State(NamedTuple):
    """What stood at the end of a day."""

    by_severity: dict[str, int]
    by_analyzer: dict[str, int]
    quality: Quality

    @property
    def total(self) -> int:
        """How many stood in all."""
        return sum(self.by_severity.values())


def period(query: Mapping[str, Any]) -> Period:
    """Return the days that are asked for, the last 30 by default; raises Invalid when they end before."""
    end = query["end_date"].date() if "end_date" in query else clock.now().date()
    start = query["start_date"].date() if "start_date" in query else _before(end, USUAL_DAYS - 1)
    if start > end:
        raise Invalid("start_date", "The period ends before it starts.")
    return Period(start, end)


def summary(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> dict[str, Any]:
    """Return the summary of a period; `allowed` are the slugs of the projects that may be seen."""
    asked = period(query)
    with db.read() as session:
        ids = projects.chosen(session, query.get("project"), allowed)
        lines, standing = quality.lines(session, ids), measures.standing(session, ids)
        last = _before(asked.start, 1)
        now, then = (
            _state(quality.standing_at(session, ids, day.isoformat(), standing), lines.at(day.isoformat()))
            for day in (asked.end, last)
        )
        known = last < asked.start and measures.is_known_by(session, ids, last.isoformat())
        analyses = measures.completed_analyses(session, ids, *_moments(asked))
        files = measures.top_files(session, ids, TOP_FILES)
        verdicts = measures.rule_verdicts(session, ids, ENOUGH_VERDICTS, RULES)
    change = _comparison(now, then) if known else None
    return {
        "period": {"start": asked.start.isoformat(), "end": asked.end.isoformat()},
        "total_analyses": analyses,
        "total_findings": now.total,
        "findings_by_severity": now.by_severity,
        "findings_by_analyzer": now.by_analyzer,
        "trend": _trend(change),
        **told(now.quality),
        "comparison_previous_period": change,
        "top_files": [_file(one) for one in files],
        "rule_precision": _precision(verdicts),
    }


def told(found: Quality) -> dict[str, Any]:
    """Return a quality with its parts, as it is told."""
    return {
        "quality_score": quality.rounded(found.score),
        "quality_grade": found.grade,
        "quality": {
            "weight": quality.rounded(found.weight),
            "lines_of_code": found.lines_of_code,
            "density": quality.rounded(found.density),
        },
    }


def _state(found: Sequence[Standing], lines: int) -> State:
    severities, analyzers = Counter[str](), Counter[str]()
    for one in found:
        severities[one.severity] += one.findings
        analyzers[one.analyzer] += one.findings
    return State(
        {one.value: severities[one.value] for one in reversed(Severity)},
        {one.value: analyzers[one.value] for one in Group},
        quality.of([(one.severity, one.certainty) for one in found], lines),
    )


def _comparison(now: State, then: State) -> dict[str, Any]:
    """Compare with the end of the period before."""
    percent = None if now.total else 0.0  # from none to some there is no percentage
    if then.total:
        percent = quality.rounded((now.total - then.total) / then.total * 100)
    change = quality.rounded(now.quality.score - then.quality.score)
    return {"findings_change_percent": percent, "quality_score_change": change}


def _trend(change: Mapping[str, Any] | None) -> str:
    """Judge by the score; where it hardly moves, by the number of findings."""
    if change is None:
        return "stable"
    for value, band in (
        (change["quality_score_change"], SCORE_BAND),
        (-(change["findings_change_percent"] or 0), FINDINGS_BAND),
    ):
        if abs(value) >= band:
            return "improving" if value > 0 else "degrading"
    return "stable"


def _file(one: TopFile) -> dict[str, Any]:
    counts = {"critical": one.critical, "high": one.high, "medium": one.medium, "low": one.low}
    return {
        "file_path": one.file_path,
        "project": one.project,
        "total": sum(counts.values()),
        **counts,
        "weight": quality.rounded(one.weight / quality.THOUSANDTHS),
    }


def _precision(verdicts: Sequence[RuleVerdicts]) -> list[dict[str, Any]]:
    """Tell how often rules were right, the least precise first."""
    rules = [
        one._asdict() | {"precision": round(one.resolved / (one.resolved + one.false_positives), 4)}
        for one in verdicts
    ]
    return sorted(rules, key=lambda rule: (rule["precision"], -rule["findings"], rule["rule_id"]))[:RULES]


def _moments(asked: Period) -> tuple[datetime, datetime]:
    return datetime.combine(asked.start, time.min, UTC), datetime.combine(asked.end, time.max, UTC)


def _before(day: date, days: int) -> date:
    return day - timedelta(days=min(days, (day - date.min).days))
