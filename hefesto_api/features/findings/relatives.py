"""Findings that are like another one: the same rule in the same file, or on much the same code elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hefesto_api.storage import finding_relatives, findings

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.finding_details import DetailedFinding
    from hefesto_api.storage.finding_relatives import Relative

MOST = 25
_SAME_FUNCTION, _SAME_FILE, _LEAST = 0.8, 0.6, 0.5
_WORD = re.compile(r"\w+|[^\w\s]")


def of(session: Session, one: DetailedFinding) -> list[dict[str, Any]]:
    """Return at most 25 relatives of a finding, the most similar first.

    `similarity_score` is 1.0 for the same statement of the same rule (equal fingerprints of its text), 0.8
    within the same function, 0.6 within the same file, else the share of words that the two lines have in
    common (Jaccard), from a half up and below 1.
    """
    prints = findings.unpack_prints(one.prints)
    words = _words(one.line_text)
    scored = []
    for other in finding_relatives.candidates(session, one):
        score = _score(one, prints.text, words, other)
        if score >= _LEAST:
            scored.append((score, other))
    scored.sort(key=lambda pair: (-pair[0], pair[1].file_path, pair[1].line, pair[1].id))
    return [_shown(score, other) for score, other in scored[:MOST]]


def _score(one: DetailedFinding, text: str, words: set[str], other: Relative) -> float:
    if text and findings.unpack_prints(other.prints).text == text:
        return 1.0
    alike = _alike(words, _words(other.line_text)) * 0.99
    if other.file_path != one.file_path:
        return alike
    within = one.function_name is not None and other.function_name == one.function_name
    return max(alike, _SAME_FUNCTION if within else _SAME_FILE)


def _words(line: str) -> set[str]:
    return set(_WORD.findall(line))


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one and other else 0.0


def _shown(score: float, other: Relative) -> dict[str, Any]:
    return {
        "id": other.id,
        "file_path": other.file_path,
        "line": other.line,
        "description": other.description,
        "similarity_score": round(score, 2),
    }
