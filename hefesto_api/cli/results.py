"""What the analyses of one command found, put together."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hefesto_api.analyzers.unchanged import rows
from hefesto_api.analyzers.workspace import Location, open_root
from hefesto_api.cli import failures
from hefesto_api.domain.errors import Invalid, InvalidFilePath
from hefesto_api.domain.finding import Severity
from hefesto_api.features.analysis import reporting, service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from hefesto_api.analyzers.workspace import Tree
    from hefesto_api.features.analysis.local import Selection
    from hefesto_api.formats.document import ReportFinding, Source
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.database import Database


class Result(NamedTuple):
    """One analysis that was carried out."""

    selection: Selection
    record: AnalysisRecord


class Findings(NamedTuple):
    """What one command did: its analyses, how long they took, how many files were known from before."""

    results: Sequence[Result]
    seconds: float
    cached: int


def failure(result: Result) -> str:
    """Say why an analysis has no result."""
    error = result.record.error or {}
    why = error.get("message", "no reason given")
    return f"the analysis of {result.selection.top} {result.record.status}: {why}"


def status_of(result: Result) -> int:
    """Return the exit status for an analysis without a result: what was asked for, or what went wrong."""
    code = (result.record.error or {}).get("code")
    return failures.USAGE if code == Invalid.code else failures.FAILED


def gate_fails(found: Sequence[Result], fail_on: str | None) -> bool:
    """Tell whether there is anything from a severity up."""
    if fail_on is None:
        return False
    counts = counted(found)
    return any(counts[severity] for severity in Severity.at_least(Severity(fail_on.upper())))


def counted(found: Sequence[Result]) -> Counter[Severity]:
    """Count all findings by severity, but for those that are suppressed in the source."""
    counts: Counter[Severity] = Counter()
    for result in found:
        for severity in Severity:
            counts[severity] += getattr(result.record, severity.value.lower())
    return counts


def findings(
    db: Database, found: Sequence[Result], threshold: Severity, *, suppressed: bool = False
) -> list[ReportFinding]:
    """Return the findings from a severity up, by file and line.

    Paths are relative to the top; those of several tops are told apart by it.
    """
    together = [
        finding for result in found for finding in _of_one(db, result, threshold, len(found) > 1, suppressed)
    ]
    together.sort(key=lambda one: (one.file, one.line, one.column, one.rule_id))
    return together


@contextmanager
def sources(found: Sequence[Result]) -> Iterator[Source]:
    """Give what reads the lines of a file that findings name; None for one that is there no more.

    They are the file's own, secrets and all: for hashes, not to be shown.
    """
    with ExitStack() as held:
        trees = [
            (prefix_of(one.selection) if len(found) > 1 else "", held.enter_context(_tree(one.selection)))
            for one in found
        ]
        trees.sort(key=lambda each: -len(each[0]))  # a top within another one comes before it

        def lines(path: str) -> list[str] | None:
            for prefix, tree in trees:
                if path.startswith(f"{prefix}/") or not prefix:
                    try:
                        return rows(tree.read(path[len(prefix) :].lstrip("/")))
                    except InvalidFilePath:
                        return None
            return None

        yield lines


def _tree(selection: Selection) -> AbstractContextManager[Tree]:
    return open_root(Location(selection.top, "", True))


def prefix_of(selection: Selection) -> str:
    """Return what a top's files are called by beside those of others: its path from here, or all of it."""
    here = Path.cwd()
    top = selection.top
    path = (top.relative_to(here) if top.is_relative_to(here) else top).as_posix()
    return "" if path == "." else path


def _of_one(
    db: Database, result: Result, threshold: Severity, prefixed: bool, suppressed: bool
) -> Iterator[ReportFinding]:
    prefix = prefix_of(result.selection) if prefixed else ""
    with db.read() as session:
        for one in service.findings_of(session, result.record, threshold, suppressed=suppressed):
            finding = reporting.finding_of(one)
            if prefix:
                finding = msgspec.structs.replace(finding, file=os.path.join(prefix, finding.file))  # noqa: PTH118
            yield finding
