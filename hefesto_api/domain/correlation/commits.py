"""Which commits may have brought the fault: those that touched a suspect and are in what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation.model import CommitSuspect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.domain.correlation.model import Change, Suspect

MOST: Final = 10
NEW: Final = 1.0
OLDER: Final = 0.25
WHOLE_FILE: Final = 0.15  # of a change whose functions are not known
LEAST: Final = 0.005


def suspects_of(changes: Sequence[Change], suspects: Sequence[Suspect]) -> tuple[CommitSuspect, ...]:
    """Score commits by the suspects they touched; one that is not deployed is never a suspect."""
    by_function = {(one.file_path, one.function_name): one.probability for one in suspects}
    by_file: dict[str, float] = {}
    for one in suspects:
        by_file[one.file_path] = max(by_file.get(one.file_path, 0.0), one.probability)
    innocent: dict[str, float] = {}
    first: dict[str, Change] = {}
    touched: set[tuple[str, str, str | None]] = set()
    for change in changes:
        key = (change.commit_hash, change.path, change.function_name)
        if change.is_deployed is False or key in touched:
            continue
        touched.add(key)
        if change.function_name is None:
            share = by_file.get(change.path, 0.0) * WHOLE_FILE
        else:
            share = by_function.get((change.path, change.function_name), 0.0)
        share *= NEW if change.is_new else OLDER
        first.setdefault(change.commit_hash, change)
        innocent[change.commit_hash] = innocent.get(change.commit_hash, 1.0) * (1.0 - share)
    found = [
        CommitSuspect(commit, one.author, one.timestamp, one.message, round(1.0 - innocent[commit], 4))
        for commit, one in first.items()
        if 1.0 - innocent[commit] >= LEAST
    ]
    found.sort(
        key=lambda one: (-one.score, -(one.timestamp.timestamp() if one.timestamp else 0.0), one.commit_hash)
    )
    return tuple(found[:MOST])
