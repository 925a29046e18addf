"""How risky a deployment looks by what comes with it, before anything went wrong: told with its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain.finding import Severity
from hefesto_api.domain.quality import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN, LOW, MEDIUM, HIGH = LEVELS = ("unknown", "low", "medium", "high")
_HIGH_WEIGHT, _MEDIUM_WEIGHT = 40.0, 8.0  # five findings of severity HIGH; one
_MANY_COMMITS = 50
_STANDING = ("open", "acknowledged")


def assess(by_severity: Mapping[str, int], commits: int | None, *, is_first: bool) -> dict[str, Any]:
    """Return level, score (the weight of the findings, as quality weighs them) and reasons.

    `by_severity` counts the findings that came with it and stand; `commits` is None where they are not known.
    High: a critical finding, or the weight of five high ones. Medium: that of one high, or very many commits.
    """
    if is_first:
        return {"level": UNKNOWN, "score": 0.0, "reasons": ["Nothing was deployed here before."]}
    weight = sum(WEIGHTS[Severity(name)] * many for name, many in by_severity.items())
    reasons = [
        f"{many} {name.lower()} finding{'' if many == 1 else 's'} came with it"
        for name, many in sorted(by_severity.items(), key=lambda one: -Severity(one[0]).rank)
        if many
    ]
    is_large = commits is not None and commits >= _MANY_COMMITS
    if is_large:
        reasons.append(f"{commits} commits at once")
    if by_severity.get(Severity.CRITICAL) or weight >= _HIGH_WEIGHT:
        level = HIGH
    elif weight >= _MEDIUM_WEIGHT or is_large:
        level = MEDIUM
    elif commits is None and not by_severity:
        level, reasons = UNKNOWN, ["Neither its commits nor an analysis of it are known."]
    else:
        level = LOW
    return {"level": level, "score": weight, "reasons": reasons}


def stands(status: str) -> bool:
    """Tell whether a finding of this status counts."""
    return status in _STANDING
