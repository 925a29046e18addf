"""Writing findings out: streamed, so that a million of them take no more memory than a few hundred."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from hefesto_api.analyzers import catalogue, unchanged
from hefesto_api.domain import clock, decoding
from hefesto_api.domain.finding import Group, Severity, Status, Suppression
from hefesto_api.features.findings import selection, service
from hefesto_api.formats import FORMATS
from hefesto_api.formats.document import Report, ReportFinding, Summary
from hefesto_api.formats.line_hash import line_hashes
from hefesto_api.formats.safe import to_json
from hefesto_api.storage import finding_export, projects, recorded
from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.finding_list import Filter
    from hefesto_api.storage.findings import FindingRecord

AT_ONCE = 500
_PIECE = 64 * 1024
_FILE = attrgetter("project_id", "branch", "file_path")
_suppression = decoding.of_builtins(Suppression)


class Export(NamedTuple):
    """An export on its way: its pieces, what they are, and a name for the file."""

    pieces: Iterator[bytes]
    media_type: str
    name: str


def export(
    db: Database, roots: Sequence[Path], query: Mapping[str, Any], allowed: Collection[str] | None
) -> Export:
    """Write the findings that the list's filters hold for; each part is read when it is its turn.

    SARIF carries the hashes of lines in files beneath `roots` that are still as they were analysed.
    """
    with db.read() as session:
        wanted = selection.chosen(session, query, allowed)
    kind = query["format"]
    name = f"hefesto-findings-{clock.now():%Y%m%d}"
    if kind == "json":
        return Export(_joined(_json(db, wanted)), "application/json", f"{name}.json")
    if kind == "jsonl":
        return Export(_joined(_lines(db, wanted)), FORMATS[kind].media_type, f"{name}.jsonl")
    with db.read() as session:
        counts = finding_export.by_severity(session, wanted)
    written = FORMATS[kind]
    records = _records(db, wanted)
    reported = _hashed(db, roots, records) if kind == "sarif" else map(_reported, records)
    report = _report(reported, counts, query.get("project") or "all")
    return Export(_joined(written.write(report)), written.media_type, f"{name}{written.suffix}")


def _report(findings: Iterable[ReportFinding], counts: Mapping[Severity, int], project: str) -> Report:
    worst_first = [counts.get(severity, 0) for severity in reversed(Severity)]
    return Report(
        version=__version__,
        timestamp=clock.rfc3339(clock.now()),
        findings=findings,
        summary=Summary(sum(worst_first), *worst_first),
        project=project,
        rules=catalogue.RULES,
    )


def _records(db: Database, wanted: Filter) -> Iterator[FindingRecord]:
    """Yield the findings; no transaction is open while what was read is on its way to a slow reader."""
    after = None
    while True:
        with db.read() as session:
            records, after = finding_export.part(session, wanted, limit=AT_ONCE, after=after)
        yield from records
        if after is None:
            return


def _hashed(db: Database, roots: Sequence[Path], records: Iterable[FindingRecord]) -> Iterator[ReportFinding]:
    """Yield the findings with the hashes of their lines, a file at a time."""
    for (project_id, branch, path), group in groupby(records, _FILE):
        together = list(group)
        with db.read() as session:
            source = recorded.source_of(session, project_id, branch, path)
        lines = source and unchanged.lines(roots, source[0], path, source[1])
        hashes = line_hashes("\n".join(lines), {one.line for one in together}) if lines else {}
        for one in together:
            yield structs.replace(_reported(one), line_hash=hashes.get(one.line, ""))


def _json(db: Database, wanted: Filter) -> Iterator[bytes]:
    """Yield the findings within the envelope, as every JSON answer stands in it."""
    yield b'{"success":true,"data":{"findings":['
    separator = b""
    for told in _told(db, wanted):
        yield separator + told
        separator = b",\n"
    now = clock.rfc3339(clock.now()).encode()
    yield b']},"error":null,"timestamp":"' + now + b'"}\n'


def _lines(db: Database, wanted: Filter) -> Iterator[bytes]:
    """Yield one JSON object a line, without an envelope: what came before a break is still whole."""
    for told in _told(db, wanted):
        yield told + b"\n"


def _told(db: Database, wanted: Filter) -> Iterator[bytes]:
    with db.read() as session:
        slugs = projects.slugs(session, projects.every_id(session))
    for record in _records(db, wanted):
        yield to_json(service.item(record, slugs.get(record.project_id, "")) | service.details(record))


def _reported(record: FindingRecord) -> ReportFinding:
    told = service.details(record)
    suppression = record.suppression
    return ReportFinding(
        id=record.id,
        analyzer=Group(record.analyzer),
        rule_id=record.rule_id,
        severity=Severity(record.severity),
        file=record.file_path,
        line=record.line,
        column=record.column,
        end_line=record.end_line,
        description=record.description,
        recommendation=told["recommendation"],
        code_snippet=record.code_snippet,
        confidence=record.confidence,
        cwe=tuple(record.cwe),
        metadata=record.metadata,
        tool=record.tool,
        end_column=record.end_column,
        line_text=record.line_text,
        symbol=record.function_name,
        class_name=record.class_name,
        fingerprint=record.fingerprint,
        status=Status(record.status),
        first_seen=clock.rfc3339(record.first_seen),
        last_seen=clock.rfc3339(record.last_seen),
        occurrence_count=record.occurrence_count,
        suppression=None if suppression is None else _suppression(suppression),
        is_new=record.first_analysis_id == record.analysis_id,
    )


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield larger pieces: each costs the server a write."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
