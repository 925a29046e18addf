"""What a number of findings or a complexity means: scores from 0 to 100 and grades from A to F."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from hefesto_api.domain.finding import Severity

WEIGHTS: Final = {Severity.LOW: 1.0, Severity.MEDIUM: 3.0, Severity.HIGH: 8.0, Severity.CRITICAL: 20.0}
HALF_DENSITY: Final = 50.0  # weight per 1000 lines at which the score is 50

_SCORE_GRADES = ((90.0, "A"), (75.0, "B"), (60.0, "C"), (40.0, "D"))
_COMPLEXITY_GRADES = ((5, "A"), (10, "B"), (20, "C"), (30, "D"))


class Quality(Struct, frozen=True):
    """A quality score (0 to 100) with its parts: weight of the findings, lines of code, density."""

    score: float
    grade: str
    weight: float
    lines_of_code: int
    density: float


def weight(severity: Severity, confidence: float) -> float:
    """Return what one open finding weighs: by its severity, times how sure we are (0.0 to 1.0)."""
    return WEIGHTS[severity] * min(max(confidence, 0.0), 1.0)


def quality_score(weights: Iterable[float], lines_of_code: int) -> Quality:
    """Score open findings by their weight d per 1000 lines of code: 100 / (1 + d/50).

    Without findings the score is 100; a project without a counted line is taken to have one.
    """
    total = sum(weights)
    density = total * 1000 / max(lines_of_code, 1)
    score = 100 / (1 + density / HALF_DENSITY)
    return Quality(score, quality_grade(score), total, lines_of_code, density)


def quality_grade(score: float) -> str:
    """Return the grade of a quality score: A from 90, B from 75, C from 60, D from 40, else F."""
    return next((grade for least, grade in _SCORE_GRADES if score >= least), "F")


def complexity_grade(cyclomatic: int) -> str:
    """Return the grade of a cyclomatic complexity: A to 5, B to 10, C to 20, D to 30, F above."""
    return next((grade for most, grade in _COMPLEXITY_GRADES if cyclomatic <= most), "F")
