"""Reading SARIF 2.1.0 of any tool into detections, one result at a time."""

from __future__ import annotations

import mmap
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec
from msgspec import Struct

from hefesto_api.domain.errors import Invalid, MalformedRequest, PayloadTooLarge
from hefesto_api.formats.sarif import results
from hefesto_api.formats.sarif.model import Log, Result, Run
from hefesto_api.formats.sarif.paths import RefusedPathError, path_of
from hefesto_api.formats.sarif.results import Imported
from hefesto_api.formats.sarif.scanner import Pages, Spans, scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_BYTES = 256 * 1024 * 1024
MAX_RUNS = 20
MAX_RESULTS = 500_000

_KEPT = ("fail", "review", "open")
_AT = re.compile(r" - at `(?:key in )?(\$[^`]*)`$")

_log = msgspec.json.Decoder(Log)
_result = msgspec.json.Decoder(Result)


class Refused(Struct, frozen=True):
    """A result that was not taken: its place in the document, and why."""

    pointer: str
    reason: str


class Located(NamedTuple):
    """A result that is to be taken: its number within the run, its file and its rule."""

    number: int
    path: str
    rule_id: str


class ImportedRun(Struct, frozen=True):
    """One run: the tool, the rules it says it has, what it found, what of that was refused.

    `paths` are the files that it says it looked at; `succeeded` is false when it says that it failed.
    """

    tool: str
    tool_version: str
    automation_id: str
    commit_hash: str | None
    branch: str | None
    rule_ids: tuple[str, ...]
    results: list[Imported]
    refused: list[Refused]
    paths: tuple[str, ...] = ()
    succeeded: bool = True


class Document(Struct, frozen=True):
    """A SARIF document."""

    runs: tuple[ImportedRun, ...]


class RunReader:
    """One run of a report whose results are still text, to be read one by one as often as wanted."""

    def __init__(
        self, text: bytes | mmap.mmap, run: Run, at: int, spans: Spans, roots: Sequence[str]
    ) -> None:
        revision = run.version_control_provenance[0] if run.version_control_provenance else None
        driver = run.tool.driver
        self.tool = results.tool_of(run)
        self.tool_version = results.cut(driver.semantic_version or driver.version or "", 100)
        self.automation_id = results.cut((run.automation_details and run.automation_details.id) or "", 500)
        self.commit_hash = revision.revision_id if revision else None
        self.branch = revision.branch if revision else None
        self.succeeded = all(each.execution_successful for each in run.invocations)
        self._rules = results.Rules(run)
        self.rule_ids = tuple(self._rules.ids())
        self.paths = tuple(_analysed(run, roots))
        self._text, self._pages = text, Pages(text)
        self._run, self._at, self._spans, self._roots = run, at, spans, roots
        self._files = results.Files(run, roots)

    def located(self) -> Iterator[Located | Refused]:
        """Yield where the results are that are to be taken, and those that cannot be.

        Raises Invalid or MalformedRequest for the first that is no result.
        """
        for number in range(len(self._spans)):
            result = self._result(number)
            if result.kind not in _KEPT or result.baseline_state == "absent":
                continue
            try:
                path = self._files.of(result)
            except RefusedPathError as reason:
                yield Refused(self._place(number), f"The location {reason}.")
            else:
                rule = self._rules.of(result)
                yield Located(number, path, results.rule_id_of(self.tool, result, rule))

    def imported(self, number: int, path: str) -> Imported:
        """Return a result in our words; `path` is its file, as `located` told it."""
        return results.imported(self._run, self._result(number), self._rules, path, self._roots)

    def whole(self) -> ImportedRun:
        """Return the run with all its results."""
        found = list(self.located())
        return ImportedRun(
            tool=self.tool,
            tool_version=self.tool_version,
            automation_id=self.automation_id,
            commit_hash=self.commit_hash,
            branch=self.branch,
            rule_ids=self.rule_ids,
            results=[self.imported(one.number, one.path) for one in found if isinstance(one, Located)],
            refused=[one for one in found if isinstance(one, Refused)],
            paths=self.paths,
            succeeded=self.succeeded,
        )

    def _place(self, number: int) -> str:
        return f"runs[{self._at}].results[{number}]"

    def _result(self, number: int) -> Result:
        begin, end = self._spans.begins[number], self._spans.ends[number]
        self._pages.read(end - begin)
        content = self._text[begin:end]
        try:
            return _result.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found: Result = _decode(_result, content, self._place(number))
            return found


def open_report(text: bytes | mmap.mmap, *, roots: Sequence[str] = ()) -> tuple[RunReader, ...]:
    """Open a report for reading. `roots` are absolute folders that its absolute paths are relative to.

    The text must stay as it is (and open) while the runs are read. Raises MalformedRequest for what is no
    JSON, Invalid (its field is the place within the document) for what is no SARIF 2.1.0, and
    PayloadTooLarge beyond the limits; flaws within results are raised when these are read.
    """
    scanned = scan(text, most=MAX_RESULTS)
    log: Log = _decode(_log, scanned.rest, "")
    if log.version != "2.1.0":
        raise Invalid("version", f"SARIF 2.1.0 is read, this is {log.version[:20]!r}.", "unsupported_version")
    if len(log.runs) > MAX_RUNS:
        raise PayloadTooLarge("The report has too many runs.", limit=MAX_RUNS)
    if len(log.runs) != len(scanned.runs) or any(run.results for run in log.runs):
        raise MalformedRequest("The report's keys 'runs' and 'results' are to be written without escapes.")
    runs = zip(log.runs, scanned.runs, strict=True)
    return tuple(RunReader(text, run, at, spans, roots) for at, (run, spans) in enumerate(runs))


def read(stream: bytes | BinaryIO, *, roots: Sequence[str] = (), max_bytes: int = MAX_BYTES) -> Document:
    """Read a whole document into memory; raises as `open_report` does.

    A result without a usable file is refused by itself. Results that passed, or that the tool says are
    gone, are left out.
    """
    content = stream if isinstance(stream, bytes) else stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise PayloadTooLarge("The report is too large.", limit_bytes=max_bytes)
    return Document(tuple(run.whole() for run in open_report(content, roots=roots)))


def _decode(decoder: msgspec.json.Decoder[Any], content: bytes, place: str) -> Any:
    try:
        return _leniently(decoder, content)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), place) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        where = f"The report is not JSON within {place}" if place else "The report is not JSON"
        raise MalformedRequest(f"{where}: {error}") from error
    except RecursionError as error:
        raise MalformedRequest("The report is nested too deeply.") from error


def _leniently(decoder: msgspec.json.Decoder[Any], content: bytes) -> Any:
    """Decode; where that fails, once more without properties that are null, as some tools write them."""
    try:
        return decoder.decode(content)
    except msgspec.ValidationError:
        return msgspec.convert(_without_nulls(msgspec.json.decode(content)), decoder.type)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _invalid(message: str, place: str) -> Invalid:
    at = _AT.search(message)
    within = at[1].removeprefix("$") if at else ""
    field = f"{place}{within}".removeprefix(".") or "$"
    return Invalid(field, message[: at.start()] if at else message, "type_error")


def _analysed(run: Run, roots: Sequence[str]) -> Iterator[str]:
    """Yield the files among the artifacts that the run looked at: those of that role, or of none."""
    for artifact in run.artifacts:
        if artifact.location is None or (artifact.roles and "analysisTarget" not in artifact.roles):
            continue
        with suppress(RefusedPathError):
            yield path_of(artifact.location, run.artifacts, run.original_uri_base_ids, roots)
