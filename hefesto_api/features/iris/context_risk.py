"""How risky a piece of code is: a number from 0 to 1, and the sentences that it is made of.

Each factor has a weight from 0 to 1, and the score is the chance that not all of them are harmless:
1 - (1 - w1)(1 - w2)... A sentence names the factor; the weights stand in `docs/code-context.md`.
"""

from __future__ import annotations

from datetime import timedelta
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from hefesto_api.features.iris.past import PastChange

GRADES = {"A": 0.0, "B": 0.05, "C": 0.15, "D": 0.25, "F": 0.35}
SEVERITIES = {"LOW": 0.02, "MEDIUM": 0.06, "HIGH": 0.18, "CRITICAL": 0.35}
MAINTAINABILITY = 0.5  # what a smell weighs beside a weakness of the same severity
FRESH = ((7, 0.2), (30, 0.1), (90, 0.05))
BUSY = ((6, 0.15), (3, 0.08))
BUSY_DAYS = 90
CROWD, CROWD_WEIGHT = 4, 0.05


class Factor(NamedTuple):
    """A reason to be careful, and how much it weighs."""

    weight: float
    sentence: str


def assess(
    grade: str,
    cyclomatic: int,
    findings: Mapping[str, Sequence[Any]],
    changes: Sequence[PastChange],
    now: datetime,
) -> tuple[float, list[str]]:
    """Return the risk score and its factors, the heaviest first.

    `findings` are the open ones by analyzer, each with a severity and a confidence.
    """
    factors = [
        *_of_complexity(grade, cyclomatic),
        *_of_findings(findings),
        *_of_changes(changes, now),
    ]
    factors.sort(key=lambda factor: (-factor.weight, factor.sentence))
    score = 1 - prod(1 - factor.weight for factor in factors)
    return round(score, 3), [factor.sentence for factor in factors]


def _of_complexity(grade: str, cyclomatic: int) -> Iterator[Factor]:
    if GRADES[grade]:
        yield Factor(GRADES[grade], f"Cyclomatic complexity {cyclomatic} (grade {grade}).")


def _of_findings(findings: Mapping[str, Sequence[Any]]) -> Iterator[Factor]:
    for analyzer, found in sorted(findings.items()):
        share = 1.0 if analyzer == "security" else MAINTAINABILITY
        weights = [SEVERITIES[one.severity] * one.confidence * share for one in found]
        if weights:
            worst = max(found, key=lambda one: SEVERITIES[one.severity]).severity
            kind = analyzer.replace("_", " ")
            count = f"{len(found)} open {kind} finding{'s' if len(found) > 1 else ''}"
            yield Factor(1 - prod(1 - weight for weight in weights), f"{count}, the worst {worst}.")


def _of_changes(changes: Sequence[PastChange], now: datetime) -> Iterator[Factor]:
    if not changes:
        return
    age = now - max(change.commit.time for change in changes)
    for days, weight in FRESH:
        if age <= timedelta(days=days):
            yield Factor(weight, f"Changed within the last {days} days.")
            break
    late = [one for one in changes if now - one.commit.time <= timedelta(days=BUSY_DAYS)]
    for count, weight in BUSY:
        if len(late) >= count:
            yield Factor(weight, f"Changed {count} times or more within {BUSY_DAYS} days.")
            break
    if len({change.commit.author for change in changes}) >= CROWD:
        yield Factor(CROWD_WEIGHT, f"{CROWD} or more people changed it lately.")
