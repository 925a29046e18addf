"""What each feature adds to the logarithm of a candidate's odds.

Set by hand from what each means, and adjusted by hand while crashes whose fixes are known were looked at
(docs/correlation.md tells what that makes of the figures). The weights of the features that follow values and
compare names are those of a regularised fit to crashes of some forty projects, rounded; the others were held
as they were.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hefesto_api.domain.correlation.model import Learned, Tally

WEIGHTS: Final[dict[str, float]] = {
    "in the trace": 2.7,
    "innermost in the project": 1.0,
    "calls away from the crash": -1.25,
    "the only function of the project in the trace": 0.3,
    "in the trace of a cause": 1.6,
    "innermost of a cause": 0.6,
    "also in the trace of a cause": -0.2,
    "handled another error": 1.6,
    "hangs on an outer call": -0.7,
    "one of several of that name": -0.3,
    "not in the trace: called on the line": 0.9,
    "not in the trace: read on the line": 1.4,
    "not in the trace: makes what the line works on": 1.1,
    "not in the trace: makes what that returns": 0.0,
    "not in the trace: sets what the line reads": 0.0,
    "not in the trace: decorates it": 0.0,
    "not in the trace: around or within it": -0.2,
    "not in the trace: named in the message": 0.5,
    "not in the trace: uses what the message names": 1.0,
    "not in the trace: of the class named": -0.2,
    "not in the trace: called before the line": 0.4,
    "not in the trace: same method of a related class": 0.2,
    "not in the trace: calls it": -0.3,
    "not in the trace: called elsewhere": -0.7,
    "not in the trace: same class": -0.8,
    "not in the trace: inherited by its class": -1.2,
    "not in the trace: same file": -1.6,
    "size": 1.0,
    "branches": 0.6,
    "only hands on": -0.7,
    "a dispatcher or a wrapper": -0.8,
    "test code": -2.0,
    "makes an object": 0.4,
    "a special method": -0.2,
    "inside of another function": -0.3,
    "checks things": -0.2,
    "called from many places": -0.6,
    "only raises again what came": -2.0,
    "raises it itself": -0.1,
    "raises an error of its own kind": -1.2,
    "a check that fails": -0.3,
    "a lookup that finds nothing": -1.2,
    "calls what raises it": 0.4,
    "what it calls in a library crashed": 0.3,
    "only runs the statement": -3.2,
    "makes the statement": 1.1,
    "shares words with the message": 1.0,
    "named like what crashed": 1.5,
    "has the name of what crashed": 0.7,
    "named in the message": 0.9,
    "may return nothing": 2.3,
    "may have returned the nothing at fault": 1.4,
    "always returns something": -0.8,
    "gives the value at fault": 0.5,
    "nobody else uses the missing name": 1.2,
    "sets a name almost like the missing one": 2.1,
    "an error that is mostly made where it shows": 0.7,
    "a module's own code": -2.0,
    "has the signature": 0.3,
    "may have to implement it": 1.0,
    "gives the collection": 0.4,
    "sets the attribute": 0.8,
    "knows the key": 0.6,
    "of the type that is told of": 1.0,
    "has the text of the message": 0.2,
    "answers whether it is of a type": 4.0,
    "crashes over what it was given, which came from the project": -0.6,
    "raises over what it was given, which came from the project": -0.3,
    "crashes over what it was given, which came from outside": 0.0,
    "raises over what it was given, which came from outside": 0.2,
    "made the value that was handed in": 0.8,
    "made the value that was refused": 0.2,
    "only hands on what it was given": -0.7,
    "misses an attribute of its own object": -0.8,
    "calls what it was handed": -2.4,
    "sets the missing attribute of its object": 1.5,
    "makes the object without the attribute": 2.0,
    "not in the trace: called right before the line": 0.9,
    "a finding whose rule fits the error": 1.2,
    "changed in what was just deployed": 1.3,
    "its file changed in what was just deployed": 0.2,
    "was at fault before": 0.8,
    "was suspected wrongly before": -0.8,
}
NONE_OF_THESE: Final = 3.4
SURENESS, DOUBT, LEAST_SURE = 1.26, 0.07, 0.81
STRONGEST_LEARNED: Final = 0.7
OWN_COUNTS: Final = 3.0  # a verdict in the project itself is worth so many from elsewhere


def weight(feature: str, learned: Learned | None = None) -> float:
    """Return the weight of a feature, shifted by at most 0.7 by what feedback said of answers it led to."""
    given = WEIGHTS.get(feature, 0.0)
    if learned is None:
        return given
    return given + shift(learned.signals.get(feature), learned.project_signals.get(feature))


def scale(functions: int) -> float:
    """Return what scores are multiplied with: the more of the project a crash went through, the less sure."""
    return max(SURENESS - DOUBT * log(1 + functions), LEAST_SURE)


def shift(everybody: Tally | None, own: Tally | None) -> float:
    """Return what confirmations and rejections add: log odds, drawn towards nothing where they are few."""
    right = wrong = 0.0
    if everybody is not None:
        right, wrong = everybody.confirmed / OWN_COUNTS, everybody.rejected / OWN_COUNTS
    if own is not None:
        right, wrong = right + own.confirmed, wrong + own.rejected
    if right <= 0 and wrong <= 0:
        return 0.0
    found = 0.35 * log((max(right, 0.0) + 4.0) / (max(wrong, 0.0) + 4.0))
    return max(-STRONGEST_LEARNED, min(STRONGEST_LEARNED, found))
