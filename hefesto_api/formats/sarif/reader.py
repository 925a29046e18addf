"""Reading SARIF 2.1.0 of any tool into detections."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from hefesto_api.domain.errors import Invalid, MalformedRequest, PayloadTooLarge
from hefesto_api.domain.finding import Detection, Suppression
from hefesto_api.formats.sarif.mapping import confidence_of, group_of, severity_of, weaknesses
from hefesto_api.formats.sarif.model import Location, Log, Message, Result, RuleDescriptor, Run, ToolComponent
from hefesto_api.formats.sarif.paths import RefusedPathError, path_of

MAX_BYTES = 256 * 1024 * 1024
MAX_RUNS = 20
MAX_RESULTS = 500_000

_TEXT = 4_000  # characters kept of a message or an advice
_STEPS = 100  # locations kept of a flow
_KEPT = ("fail", "review", "open")
_AT = re.compile(r" - at `(?:key in )?(\$[^`]*)`$")
_ARGUMENT = re.compile(r"\{(\d{1,2})\}")
_LINES = 2**31 - 1

_decoder = msgspec.json.Decoder(Log)


class Imported(Struct, frozen=True):
    """One result: its file, what it is in our words, and the fingerprints the tool gave it.

    `suppressed` tells whether the tool's side has accepted a suppression.
    """

    path: str
    detection: Detection
    fingerprints: dict[str, str]
    suppressed: bool


class Refused(Struct, frozen=True):
    """A result that was not taken: its place in the document, and why."""

    pointer: str
    reason: str


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


def read(stream: bytes | BinaryIO, *, roots: Sequence[str] = (), max_bytes: int = MAX_BYTES) -> Document:
    """Read a document. `roots` are absolute folders that its absolute paths are relative to.

    Raises MalformedRequest for what is no JSON, Invalid (its field is the place within the document) for
    what is no SARIF 2.1.0, and PayloadTooLarge beyond the limits. A result without a usable file is
    refused by itself. Results that passed, or that the tool says are gone, are left out.
    """
    content = stream if isinstance(stream, bytes) else stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise PayloadTooLarge("The report is too large.", limit_bytes=max_bytes)
    log = _decode(content.removeprefix(b"\xef\xbb\xbf"))
    if log.version != "2.1.0":
        raise Invalid("version", f"SARIF 2.1.0 is read, this is {log.version[:20]!r}.", "unsupported_version")
    if len(log.runs) > MAX_RUNS:
        raise PayloadTooLarge("The report has too many runs.", limit=MAX_RUNS)
    if sum(len(run.results or ()) for run in log.runs) > MAX_RESULTS:
        raise PayloadTooLarge("The report has too many results.", limit=MAX_RESULTS)
    return Document(tuple(_run(run, at, roots) for at, run in enumerate(log.runs)))


def _decode(content: bytes) -> Log:
    try:
        return _leniently(content)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequest(f"The report is not JSON: {error}") from error
    except RecursionError as error:
        raise MalformedRequest("The report is nested too deeply.") from error


def _leniently(content: bytes) -> Log:
    """Decode; where that fails, once more without properties that are null, as some tools write them."""
    try:
        return _decoder.decode(content)
    except msgspec.ValidationError:
        return msgspec.convert(_without_nulls(msgspec.json.decode(content)), Log)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _invalid(message: str) -> Invalid:
    at = _AT.search(message)
    place = at[1].removeprefix("$").removeprefix(".") if at else ""
    return Invalid(place or "$", message[: at.start()] if at else message, "type_error")


def _run(run: Run, at: int, roots: Sequence[str]) -> ImportedRun:
    driver = run.tool.driver
    revision = run.version_control_provenance[0] if run.version_control_provenance else None
    results: list[Imported] = []
    refused: list[Refused] = []
    rules = _Rules(run)
    for number, result in enumerate(run.results or ()):
        if result.kind not in _KEPT or result.baseline_state == "absent":
            continue
        try:
            results.append(_imported(run, result, rules, roots))
        except RefusedPathError as reason:
            refused.append(Refused(f"runs[{at}].results[{number}]", f"The location {reason}."))
    return ImportedRun(
        tool=_cut(driver.name or "unknown", 100),
        tool_version=_cut(driver.semantic_version or driver.version or "", 100),
        automation_id=_cut((run.automation_details and run.automation_details.id) or "", 500),
        commit_hash=revision.revision_id if revision else None,
        branch=revision.branch if revision else None,
        rule_ids=tuple(rules.ids()),
        results=results,
        refused=refused,
        paths=tuple(_analysed(run, roots)),
        succeeded=all(each.execution_successful for each in run.invocations),
    )


def _analysed(run: Run, roots: Sequence[str]) -> Iterator[str]:
    """Yield the files among the artifacts that the run looked at: those of that role, or of none."""
    for artifact in run.artifacts:
        if artifact.location is None or (artifact.roles and "analysisTarget" not in artifact.roles):
            continue
        with suppress(RefusedPathError):
            yield path_of(artifact.location, run.artifacts, run.original_uri_base_ids, roots)


class _Rules:
    """The rules of a run, to be found by id or by index, in the driver or its extensions."""

    def __init__(self, run: Run) -> None:
        self._components: list[ToolComponent] = [run.tool.driver, *run.tool.extensions]
        self._by_id = {rule.id: rule for each in reversed(self._components) for rule in each.rules}

    def ids(self) -> Iterator[str]:
        """Yield the ids of the rules that the run has."""
        yield from self._by_id

    def of(self, result: Result) -> RuleDescriptor | None:
        """Return the rule of a result; an id such as `CA1000/1` also finds `CA1000`."""
        reference = result.rule
        component, index = 0, result.rule_index
        if reference:
            index = reference.index if reference.index >= 0 else index
            component = reference.tool_component.index + 1 if reference.tool_component else 0
        if 0 <= component < len(self._components) and 0 <= index < len(self._components[component].rules):
            return self._components[component].rules[index]
        rule_id = result.rule_id or (reference and reference.id) or ""
        return self._by_id.get(rule_id) or self._by_id.get(rule_id.rpartition("/")[0])


def _imported(run: Run, result: Result, rules: _Rules, roots: Sequence[str]) -> Imported:
    location = result.locations[0] if result.locations else Location()
    physical = location.physical_location
    path = path_of(
        physical.artifact_location if physical else None, run.artifacts, run.original_uri_base_ids, roots
    )
    rule = rules.of(result)
    return Imported(
        path=path,
        detection=_detection(run, result, rule, location, roots),
        fingerprints=result.partial_fingerprints | result.fingerprints,
        suppressed=any(each.status in (None, "accepted") for each in result.suppressions),
    )


def _detection(
    run: Run, result: Result, rule: RuleDescriptor | None, location: Location, roots: Sequence[str]
) -> Detection:
    tool = _cut(run.tool.driver.name or "unknown", 100)
    physical = location.physical_location
    region = physical.region if physical else None
    context = (physical.context_region if physical else None) or region
    line = _positive(region.start_line if region else 0)
    own = _text(region.snippet) if region else ""
    return Detection(
        rule_id=_cut(result.rule_id or (rule.id if rule else "") or f"{tool}/unnamed", 300),
        analyzer=group_of(tool, result, rule),
        tool=tool,
        severity=severity_of(result, rule),
        confidence=confidence_of(result, rule),
        line=line,
        message=_message(result, rule),
        column=_positive(region.start_column if region else 0),
        end_line=max(line, min(region.end_line, _LINES)) if region else line,
        end_column=max(0, min(region.end_column, _LINES)) if region else 0,
        line_text=own.split("\n", 1)[0][:500],
        snippet=_cut((_text(context.snippet) if context else "") or own, _TEXT),
        recommendation=_advice(rule),
        cwe=weaknesses(result, rule),
        symbol=_symbol(location),
        suppression=_suppression(result, line),
        metadata=_metadata(run, result, rule, roots),
    )


def _positive(number: int) -> int:
    return min(max(number, 1), _LINES)


def _text(message: Message | None) -> str:
    return (message.text or message.markdown or "") if message else ""


def _message(result: Result, rule: RuleDescriptor | None) -> str:
    """Return what a result says: its text, its rule's text with the arguments put in, its rule's title."""
    text = _text(result.message)
    if not text and rule and result.message and result.message.id:
        text = _text(rule.message_strings.get(result.message.id))
    if result.message and (arguments := result.message.arguments):
        text = _ARGUMENT.sub(lambda found: _at(arguments, int(found[1]), found[0]), text)
    if not text and rule:
        text = _text(rule.short_description) or rule.name or rule.id
    return _cut(text, _TEXT)


def _at(items: Sequence[str], index: int, otherwise: str) -> str:
    return items[index] if index < len(items) else otherwise


def _advice(rule: RuleDescriptor | None) -> str:
    return _cut(_text(rule.help) or _text(rule.full_description), _TEXT) if rule else ""


def _symbol(location: Location) -> str | None:
    for logical in location.logical_locations:
        if name := logical.fully_qualified_name or logical.name:
            return _cut(name, 500)
    return None


def _suppression(result: Result, line: int) -> Suppression | None:
    accepted = [each for each in result.suppressions if each.status in (None, "accepted")]
    if not accepted:
        return None
    return Suppression(_cut(accepted[0].kind, 20), line, _cut(accepted[0].justification or "", 1000))


def _metadata(run: Run, result: Result, rule: RuleDescriptor | None, roots: Sequence[str]) -> dict[str, Any]:
    """Keep what has no field of its own: flows, related places, rank, where the rule is explained."""
    flows = [
        [step.location for step in thread.locations[:_STEPS] if step.location]
        for flow in result.code_flows[:10]
        for thread in flow.thread_flows[:1]
    ]
    kept = {
        "code_flows": [[_step(run, place, roots) for place in flow] for flow in flows],
        "related": [_step(run, place, roots) for place in result.related_locations[:_STEPS]],
        "rank": result.rank,
        "help_uri": rule.help_uri if rule else None,
    }
    return {key: value for key, value in kept.items() if value not in (None, [])}


def _step(run: Run, place: Location, roots: Sequence[str]) -> dict[str, Any]:
    physical = place.physical_location
    artifact = physical.artifact_location if physical else None
    try:
        path: str | None = path_of(artifact, run.artifacts, run.original_uri_base_ids, roots)
    except RefusedPathError:
        path = None
    region = physical.region if physical else None
    return {
        "file": path,
        "line": _positive(region.start_line) if region else None,
        "message": _cut(_text(place.message), 500),
    }


def _cut(text: str, most: int) -> str:
    """Return a text without NUL, cut to a length."""
    return text.replace("\0", "")[:most]
