"""The findings document of an analysis: what it saw, as it was then, in compressed chunks."""

from __future__ import annotations

import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from hefesto_api.domain import decoding
from hefesto_api.domain.finding import Severity, Suppression

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Row

    from hefesto_api.domain.finding import Detection


EVENT_LIMIT = 100  # findings that one event names


class Found(Struct, frozen=True, array_like=True):
    """One finding as one analysis saw it. `fresh` says that this analysis (or its change) brought it."""

    id: str
    file: str
    rule_id: str
    analyzer: str
    tool: str
    severity: Severity
    confidence: float
    line: int
    column: int
    end_line: int
    end_column: int
    message: str
    recommendation: str
    snippet: str
    line_text: str
    function_name: str | None
    class_name: str | None
    cwe: tuple[int, ...]
    metadata: dict[str, Any]
    suppression: Suppression | None
    fingerprint: str
    fresh: bool


class Chunk(Struct):
    """What one stage of an analysis saw and did; all chunks together are the analysis.

    A stage is one transaction, so an analysis that is interrupted goes on behind its last chunk.
    `regressed`, `resolved` and `only` are ids; `resolved` findings are not among the entries.
    """

    entries: list[Found] = field(default_factory=list)
    files: int = 0  # looked at
    analyzed: int = 0  # with a result
    lines_of_code: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    regressed: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    only: list[str] | None = None  # of the last chunk: the findings that the analysis was asked for


_CHUNK = decoding.of_msgpack(Chunk)
_suppression = decoding.of_builtins(Suppression)


def from_detection(
    finding_id: str, tool: str, path: str, one: Detection, fingerprint: str, *, fresh: bool
) -> Found:
    """Return the document's entry for a detection and the finding of a tool's analysis that it became."""
    return Found(
        id=finding_id,
        file=path,
        rule_id=one.rule_id,
        analyzer=one.analyzer.value,
        tool=tool,
        severity=one.severity,
        confidence=one.confidence,
        line=one.line,
        column=one.column,
        end_line=one.end_line,
        end_column=one.end_column,
        message=one.message,
        recommendation=one.recommendation,
        snippet=one.snippet,
        line_text=one.line_text,
        function_name=one.symbol,
        class_name=one.class_name,
        cwe=one.cwe,
        metadata=one.metadata,
        suppression=one.suppression,
        fingerprint=fingerprint,
        fresh=fresh,
    )


def from_row(row: Row[Any], fresh: bool) -> Found:
    """Return the document's entry for a finding as it is on record."""
    suppression = None if row.suppression is None else _suppression(row.suppression)
    return Found(
        id=row.id,
        file=row.file_path,
        rule_id=row.rule_id,
        analyzer=row.analyzer,
        tool=row.tool,
        severity=Severity(row.severity),
        confidence=row.confidence,
        line=row.line,
        column=row.column,
        end_line=row.end_line,
        end_column=row.end_column,
        message=row.description,
        recommendation=row.recommendation or "",
        snippet=row.code_snippet,
        line_text=row.line_text,
        function_name=row.function_name,
        class_name=row.class_name,
        cwe=tuple(row.cwe),
        metadata=row.metadata,
        suppression=suppression,
        fingerprint=row.fingerprint,
        fresh=fresh,
    )


def pack(chunk: Chunk) -> bytes:
    """Encode one chunk."""
    return zlib.compress(msgspec.msgpack.encode(chunk), 1)


def unpack(packed: bytes) -> Chunk:
    """Decode one chunk."""
    return _CHUNK.decode(zlib.decompress(packed))


def entries(packed: Sequence[bytes]) -> Iterator[Found]:
    """Yield the findings of all chunks, as one analysis was asked for them; some more than once."""
    only = unpack(packed[-1]).only if packed else None
    wanted = None if only is None else set(only)
    for one in packed:
        for entry in unpack(one).entries:
            if wanted is None or entry.id in wanted:
                yield entry


class Tally(Struct):
    """The sum of an analysis's chunks; findings that are suppressed in the source count apart."""

    severities: dict[str, str] = field(default_factory=dict)  # finding id -> severity, or "" if suppressed
    files_done: int = 0
    files_analyzed: int = 0
    lines_of_code: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    created: list[Found] = field(default_factory=list)  # the first EVENT_LIMIT
    created_count: int = 0
    regressed: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    only: set[str] | None = None

    def add(self, chunk: Chunk) -> None:
        """Count a chunk in."""
        for one in chunk.entries:
            if one.fresh and one.id not in self.severities:
                self.created_count += 1
                if len(self.created) < EVENT_LIMIT:
                    self.created.append(one)
            self.severities[one.id] = "" if one.suppression is not None else one.severity.value
        self.files_done += chunk.files
        self.files_analyzed += chunk.analyzed
        self.lines_of_code += chunk.lines_of_code
        self.skipped.update(chunk.skipped)
        self.regressed += chunk.regressed
        self.resolved += chunk.resolved
        self.only = None if chunk.only is None else set(chunk.only)

    def counts(self) -> dict[str, int]:
        """Return the findings by severity and in all, as the analysis's row keeps them."""
        by_severity = Counter(
            severity for one, severity in self.severities.items() if self.only is None or one in self.only
        )
        counts = {severity.value.lower(): by_severity[severity.value] for severity in Severity}
        return {"total_issues": sum(counts.values()), **counts}
