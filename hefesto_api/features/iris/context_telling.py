"""How the context of a place is told: its function and lines, what is open, who changed it, its risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.analyzers import catalogue
from hefesto_api.domain import clock
from hefesto_api.domain.quality import complexity_grade
from hefesto_api.features.iris import context_risk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.domain.structure import Function
    from hefesto_api.features.iris.context_shape import Shape
    from hefesto_api.features.iris.past import PastChange
    from hefesto_api.storage.correlation_inputs import NearFinding

SNIPPET_LINES = 80
SNIPPET_COLUMNS = 200
AROUND = 5


class Place(NamedTuple):
    """A place that was found: a line of a file as of a commit (None: as it is now)."""

    path: str
    line: int | None
    commit: str | None
    text: bytes | None
    shape: Shape

    @property
    def holds_line(self) -> bool:
        """Whether the file has the line."""
        return self.is_only_named or 0 < (self.line or 1) <= max(self.shape.length, 1)

    @property
    def is_only_named(self) -> bool:
        """Whether all that is known of the file are findings that name it (another tool's, imported)."""
        return self.text is None and not self.shape.structure.lines


class Extent(NamedTuple):
    """The lines that a place stands for, and its function, if it is in one."""

    start: int
    end: int
    function: Function | None


def nothing(file_path: str, line_number: int | None) -> dict[str, Any]:
    """Return the context of a place that is unknown: `found` is false, names null, grade A."""
    return {
        "found": False,
        "file_path": file_path,
        "line_number": line_number,
        "commit_hash": None,
        "function_name": None,
        "class_name": None,
        "start_line": None,
        "end_line": None,
        "code_snippet": None,
        "snippet_start_line": None,
        "complexity": {
            "score": 0,
            "grade": "A",
            "details": "Nothing is known of this place.",
            "cognitive": 0,
        },
        "security_findings": [],
        "code_smells": [],
        "best_practices_violations": [],
        "recent_changes": None,
        "change_history": [],
        "risk_score": 0.0,
        "risk_factors": [],
    }


def told(
    place: Place,
    extent: Extent,
    near: Mapping[str, list[NearFinding]],
    changes: Sequence[PastChange],
) -> dict[str, Any]:
    function, complexity = extent.function, _complexity(place, extent)
    start, snippet = _snippet(place, extent)
    score, factors = context_risk.assess(complexity["grade"], complexity["score"], near, changes, clock.now())
    history = [_change(one) for one in changes]
    return {
        "found": True,
        "file_path": place.path,
        "line_number": place.line,
        "commit_hash": place.commit,
        "function_name": function.qualified_name if function else None,
        "class_name": _class_of(place, function),
        "start_line": extent.start,
        "end_line": extent.end,
        "code_snippet": snippet,
        "snippet_start_line": start,
        "complexity": complexity,
        "security_findings": [_finding(one) for one in near.get("security", ())],
        "code_smells": [_finding(one) for one in near.get("code_smells", ())],
        "best_practices_violations": [_finding(one) for one in near.get("best_practices", ())],
        "recent_changes": _recent(history),
        "change_history": history,
        "risk_score": score,
        "risk_factors": factors,
    }


def _class_of(place: Place, function: Function | None) -> str | None:
    if function is not None and function.class_name:
        return function.class_name
    return place.shape.class_at(place.line) if place.line is not None else None


def _complexity(place: Place, extent: Extent) -> dict[str, Any]:
    """Return the complexity of the function; of a whole file, that of its most complex one."""
    functions = place.shape.structure.functions
    function = extent.function
    if function is None and place.line is None:
        function = max(functions, key=lambda one: (one.cyclomatic, one.cognitive), default=None)
    if function is None:
        details = "The line is in no function." if place.line is not None else "The file has no function."
        return {"score": 0, "grade": "A", "details": details, "cognitive": 0}
    of_file = f" The most complex of {len(functions)} functions." if place.line is None else ""
    details = (
        f"{function.qualified_name}: {function.lines} lines, {function.parameters} parameters, "
        f"blocks nested {function.nesting} deep.{of_file}"
    )
    return {
        "score": function.cyclomatic,
        "grade": complexity_grade(function.cyclomatic),
        "details": details,
        "cognitive": function.cognitive,
    }


def _snippet(place: Place, extent: Extent) -> tuple[int | None, str | None]:
    """Return the lines of the function with secrets masked: of a long one, those around the line."""
    lines = place.shape.lines
    if lines is None:
        return None, None
    first, last = extent.start, extent.end
    if extent.function is None and place.line is not None:
        first, last = max(place.line - AROUND, 1), place.line + AROUND
    if last - first >= SNIPPET_LINES:
        line = place.line or first
        first = min(max(line - SNIPPET_LINES // 2, first), last - SNIPPET_LINES + 1)
        last = first + SNIPPET_LINES - 1
    return first, "\n".join(line[:SNIPPET_COLUMNS] for line in lines[first - 1 : last])


def _finding(one: NearFinding) -> dict[str, Any]:
    rule = catalogue.RULES.get(one.rule_id)
    return {
        "id": one.id,
        "severity": one.severity,
        "type": rule.slug if rule else one.rule_id,
        "rule_id": one.rule_id,
        "line": one.line,
        "description": one.description,
    }


def _change(one: PastChange) -> dict[str, Any]:
    return {
        "commit_hash": one.commit.hash,
        "author": one.commit.author,
        "timestamp": clock.rfc3339(one.commit.time),
        "commit_message": one.commit.message,
        "file_path": one.path,
        "start_line": one.start_line,
        "end_line": one.end_line,
        "kind": one.kind,
    }


def _recent(history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not history:
        return None
    latest = history[0]
    return {
        "last_modified": latest["timestamp"],
        "commit_hash": latest["commit_hash"],
        "author": latest["author"],
        "commit_message": latest["commit_message"],
    }
