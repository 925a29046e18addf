"""Stages are short where others wait to write, and longer, until the end is near, where nobody does."""

from __future__ import annotations

from hefesto_api.analyzers.base import FileReport
from hefesto_api.analyzers.engine import ContentKey
from hefesto_api.features.analysis.order import Listed
from hefesto_api.features.analysis.record import Examined
from hefesto_api.features.analysis.run import LONGER, STAGE_FILES, staged


def _files(count: int) -> list[Examined]:
    key = ContentKey("", "python")
    return [Examined(Listed(f"{number}.py"), key, FileReport(), packed=b"") for number in range(count)]


def _sizes(count: int, expected: int) -> list[int]:
    stages = list(staged(_files(count), expected))
    assert [one.file.path for stage in stages for one in stage] == [f"{number}.py" for number in range(count)]
    return [len(stage) for stage in stages]


def test_stages_are_short_where_nothing_is_said() -> None:
    assert _sizes(3 * STAGE_FILES + 1, expected=0) == [STAGE_FILES] * 3 + [1]


def test_stages_are_longer_while_many_files_are_to_come() -> None:
    sizes = _sizes(3_000, expected=3_000)
    assert sizes[0] == LONGER * STAGE_FILES
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-2] == STAGE_FILES


def test_fewer_files_than_expected_are_all_written() -> None:
    assert sum(_sizes(STAGE_FILES + 5, expected=10_000)) == STAGE_FILES + 5
    assert sum(_sizes(STAGE_FILES * 3, expected=2)) == STAGE_FILES * 3
