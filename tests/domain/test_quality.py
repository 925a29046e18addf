"""Scores and grades as the contract defines them."""

import pytest
from hefesto_api.domain import quality
from hefesto_api.domain.finding import Severity
from hypothesis import given
from hypothesis import strategies as st


def test_the_score_of_a_worked_example() -> None:
    """One HIGH at 0.5 and one CRITICAL at 1.0 are 24; on 480 lines that is 50 per 1000, half the score."""
    weights = [quality.weight(Severity.HIGH, 0.5), quality.weight(Severity.CRITICAL, 1.0)]
    outcome = quality.quality_score(weights, 480)
    assert (outcome.weight, outcome.density, outcome.score, outcome.grade) == (24.0, 50.0, 50.0, "D")


def test_nothing_found_is_the_best_score() -> None:
    assert quality.quality_score([], 0).score == 100.0


@pytest.mark.parametrize(
    ("grade", "scores"),
    [("A", (100, 90)), ("B", (89.99, 75)), ("C", (74.9, 60)), ("D", (59, 40)), ("F", (39.9, 0))],
)
def test_grades_of_scores(grade: str, scores: tuple[float, ...]) -> None:
    assert {quality.quality_grade(score) for score in scores} == {grade}


@pytest.mark.parametrize(
    ("grade", "values"), [("A", (0, 5)), ("B", (6, 10)), ("C", (11, 20)), ("D", (21, 30)), ("F", (31, 99))]
)
def test_grades_of_complexity(grade: str, values: tuple[int, ...]) -> None:
    assert {quality.complexity_grade(value) for value in values} == {grade}


@given(st.lists(st.floats(0, 20)), st.integers(0, 10**7), st.floats(0.5, 20))
def test_another_finding_never_betters_the_score(weights: list[float], lines: int, more: float) -> None:
    before, after = quality.quality_score(weights, lines), quality.quality_score([*weights, more], lines)
    assert 0 <= after.score <= before.score <= 100
