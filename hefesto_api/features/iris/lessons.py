"""What a judgement teaches: which signals were right, and what a later answer is measured by. All of it pure.

A function that is confirmed speaks for the signals that spoke for it, and against those of the functions
that were held more likely; "none of these" speaks against the signals of all. A finding speaks for or
against its rule, with this type of error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hefesto_api.domain.code import FileFacts
from hefesto_api.domain.correlation import Learned, Ranking
from hefesto_api.domain.correlation.rules import short
from hefesto_api.features.iris.correlating import Inputs, ranked
from hefesto_api.storage.learning import RULE, SIGNAL, Count

if TYPE_CHECKING:
    from collections.abc import Iterator

FINDING, FUNCTION, NONE = "finding", "function", "none"
JUDGED = 5  # of the suspects, when all of them are wrong


class Label(Struct, frozen=True):
    """The truth about a part of an answer: `kind` is finding, function or none, `name` what it is called."""

    kind: str
    name: str
    is_right: bool


class Case(Struct, frozen=True):
    """An answer that was judged, with all that it takes to give it again."""

    inputs: Inputs
    facts: dict[str, FileFacts]
    labels: list[Label]


class Judgement(Struct, frozen=True):
    """What a person said: that the subject is to blame, or is not. `rule_type` is a finding's slug."""

    kind: str
    name: str
    is_confirmed: bool
    rule_type: str = ""

    @property
    def subject(self) -> str:
        """Name the subject, the same in each judgement of it."""
        return self.kind if self.kind == NONE else f"{self.kind}:{self.name}"


def named(path: str, function: str) -> str:
    """Name a function of a file."""
    return f"{path}:{function}"


def labels_of(judgement: Judgement, told: Mapping[str, Any]) -> list[Label]:
    """Return the truths that follow from a judgement of an answer."""
    labels = [Label(judgement.kind, judgement.name, judgement.is_confirmed)]
    if judgement.is_confirmed and judgement.kind in (FUNCTION, NONE):
        labels += [Label(FUNCTION, _name(one), is_right=False) for one in _wronged(judgement, told)]
    return labels


def lesson_of(judgement: Judgement, told: Mapping[str, Any], error_type: str | None) -> list[Count]:
    """Return what a judgement of an answer counts."""
    if judgement.kind == FINDING:
        return [_count(RULE, f"{judgement.rule_type}|{short(error_type)}", is_right=judgement.is_confirmed)]
    counts = []
    for suspect in told["suspect_functions"]:
        if judgement.kind == FUNCTION and _name(suspect) == judgement.name:
            counts += [_count(SIGNAL, one, is_right=judgement.is_confirmed) for one in _signals(suspect)]
    if judgement.is_confirmed:
        wronged = _wronged(judgement, told)
        counts += [_count(SIGNAL, one, is_right=False) for suspect in wronged for one in _signals(suspect)]
    return counts


def error(cases: Sequence[Case], learned: Learned) -> float | None:
    """Return the mean squared error (0 to 1) of the answers that would be given now; None without cases."""
    errors = [one for case in cases for one in _errors(case, ranked(case.inputs, case.facts, learned))]
    return sum(errors) / len(errors) if errors else None


def _errors(case: Case, ranking: Ranking) -> Iterator[float]:
    said = {(FUNCTION, named(one.file_path, one.function_name)): one.probability for one in ranking.suspects}
    said |= {(FINDING, one.finding_id): one.match_confidence for one in ranking.findings}
    said[NONE, ""] = ranking.none_probability
    for label in case.labels:
        yield (said.get((label.kind, label.name), 0.0) - label.is_right) ** 2


def _wronged(judgement: Judgement, told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the suspects that stood before the one that was confirmed: all, if that is none of them."""
    suspects: list[Mapping[str, Any]] = told["suspect_functions"][:JUDGED]
    if judgement.kind == FUNCTION:
        names = [_name(one) for one in suspects]
        if judgement.name in names:
            return suspects[: names.index(judgement.name)]
    return suspects


def _name(suspect: Mapping[str, Any]) -> str:
    return named(suspect["file_path"], suspect["function_name"])


def _signals(suspect: Mapping[str, Any]) -> list[str]:
    """Return what spoke for a suspect."""
    return [one["feature"] for one in suspect["evidence"] if one["contribution"] > 0]


def _count(kind: str, key: str, *, is_right: bool) -> Count:
    return Count(kind, key, int(is_right), int(not is_right))
