"""Where the report goes: a file that appears whole, a terminal, or a pipe that may close early."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hefesto_api.analyzers.catalogue import RULES
from hefesto_api.cli import failures, results
from hefesto_api.domain import clock
from hefesto_api.domain.errors import AnalysisFailed
from hefesto_api.domain.finding import Severity
from hefesto_api.features.analysis.reporting import summary_of
from hefesto_api.formats import FORMATS
from hefesto_api.formats.document import Report, Skipped
from hefesto_api.formats.text import by_severity, counted
from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hefesto_api.cli.analyze import Wish
    from hefesto_api.cli.results import Findings
    from hefesto_api.storage.database import Database


def write(db: Database, found: Findings, wish: Wish) -> None:
    """Write the report where it is wanted."""
    with results.sources(found.results) as source_of:
        report = report_of(db, found, wish)
        if wish.format == "sarif":  # which hashes lines, and shows none
            report = msgspec.structs.replace(report, source_of=source_of)
        _put(report, wish)


def _put(report: Report, wish: Wish) -> None:
    pieces = FORMATS[wish.format].write(report)
    if wish.output is None:
        to_stdout(pieces)
        return
    _to_file(wish.output, pieces)
    if not wish.quiet:
        failures.say(f"{_told(report)} Written to {wish.output}.")


def is_for_eyes(wish: Wish) -> bool:
    """Tell whether somebody looks at the report as it comes, or wants it to look so."""
    if wish.format != "text" or wish.output is not None:
        return False
    forced = wish.color is True or (wish.color is None and bool(os.environ.get("FORCE_COLOR")))
    return forced or sys.stdout.isatty()


def report_of(db: Database, found: Findings, wish: Wish) -> Report:
    """Put the analyses together as one report."""
    threshold = Severity(wish.threshold.upper())
    records = [result.record for result in found.results]
    alone = records[0] if len(records) == 1 else None
    return Report(
        version=__version__,
        timestamp=clock.rfc3339(clock.now()),
        findings=results.findings(db, found.results, threshold),
        summary=summary_of(results.counted(found.results), threshold),
        project=",".join(result.selection.project for result in found.results),
        path=",".join(record.path for record in records),
        analysis_id=",".join(record.id for record in records),
        files_analyzed=sum(record.files_analyzed for record in records),
        files_skipped=[Skipped(**skipped) for record in records for skipped in record.files_skipped],
        lines_of_code=sum(record.lines_of_code for record in records),
        execution_time_ms=round(found.seconds * 1000),
        commit_hash=alone.commit_hash if alone else None,
        branch=alone.branch if alone else None,
        rules=RULES,
    )


def to_stdout(pieces: Iterable[bytes]) -> None:
    """Write to standard output; a reader that has seen enough is no error."""
    try:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What is buffered still would be flushed at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(report: Report) -> str:
    where = f"in {counted(report.files_analyzed, 'file')}"
    return f"{counted(report.summary.total_issues, 'finding')} ({by_severity(report.summary)}) {where}."


def _to_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that appears whole or not at all; a device or a pipe is written as it is."""
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as target:
                target.writelines(pieces)
            return
        target_path = Path(os.path.realpath(path))
        descriptor, draft = tempfile.mkstemp(dir=target_path.parent, prefix=f".{target_path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as target:
                target.writelines(pieces)
            Path(draft).chmod(
                target_path.stat().st_mode & 0o777 if target_path.exists() else 0o666 & ~_umask()
            )
            Path(draft).replace(target_path)
        finally:
            with suppress(FileNotFoundError):
                Path(draft).unlink()
    except OSError as error:
        raise AnalysisFailed(f"{path} cannot be written: {error.strerror}.") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
