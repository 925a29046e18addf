"""One result of a report in our words: its file, its rule, what it says."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from hefesto_api.domain.finding import Detection, Group, Severity, Suppression
from hefesto_api.formats.sarif.mapping import confidence_of, group_of, severity_of, weaknesses
from hefesto_api.formats.sarif.model import Location, Message, Result, RuleDescriptor, Run, ToolComponent
from hefesto_api.formats.sarif.paths import RefusedPathError, path_of

_TEXT = 4_000  # characters kept of a message or an advice
_SUPPRESSIONS = 10  # kept of a result
_STEPS = 100  # locations kept of a flow
_FLOWS, _THREADS = 10, 4  # kept of a result, and of a flow
_KINDS = ("inSource", "external")
_STATUSES = (None, "accepted", "underReview", "rejected")
_BASELINES = ("new", "unchanged", "updated")
_ARGUMENT = re.compile(r"\{(\d{1,2})\}")
_LINES = 2**31 - 1
_READINGS = 10_000  # remembered of a run
_PATHS = 2_000  # remembered of a run


class Imported(Struct, frozen=True):
    """One result: its file, what it is in our words, and the fingerprints the tool gave it.

    `suppressed` tells whether the tool's side has accepted a suppression.
    """

    path: str
    detection: Detection
    fingerprints: dict[str, str]
    suppressed: bool


class Reading(NamedTuple):
    """What a result's rule (and its own properties, where it has some) mean in our words."""

    analyzer: Group
    confidence: float
    cwe: tuple[int, ...]
    severity: Severity
    advice: str


class Rules:
    """The rules of a run, to be found by id or by index, in the driver or its extensions."""

    def __init__(self, run: Run) -> None:
        self.tool = tool_of(run)
        self._readings: dict[tuple[str | None, int, str | None], Reading] = {}
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

    def reading(self, result: Result, rule: RuleDescriptor | None) -> Reading:
        """Read what a result's rule tells of it: once a rule and level, unless it has properties itself.

        For each result of a large report this took a fifth of the import.
        """
        if result.properties:
            return _reading(self.tool, result, rule)
        key = (result.rule_id, id(rule), result.level)  # the run holds its rules, so that no id comes twice
        found = self._readings.get(key)
        if found is None:
            if len(self._readings) >= _READINGS:  # ids that no rule has are the report's own invention
                self._readings.clear()
            found = self._readings[key] = _reading(self.tool, result, rule)
        return found


def _reading(tool: str, result: Result, rule: RuleDescriptor | None) -> Reading:
    cwe = weaknesses(result, rule)
    group, confidence = group_of(tool, result, rule, cwe), confidence_of(result, rule)
    return Reading(group, confidence, cwe, severity_of(result, rule), _advice(rule))


class Files:
    """The files of a run's results; many results of a file name it with the same words."""

    def __init__(self, run: Run, roots: Sequence[str]) -> None:
        self._run, self._roots = run, roots
        self._paths: dict[tuple[str | None, str | None, int], str] = {}

    def of(self, result: Result) -> str:
        """Return the path of the file that a result is in; raises RefusedPathError."""
        physical = result.locations[0].physical_location if result.locations else None
        artifact = physical.artifact_location if physical else None
        key = (artifact.uri, artifact.uri_base_id, artifact.index) if artifact else (None, None, -1)
        path = self._paths.get(key)
        if path is None:
            path = path_of(artifact, self._run.artifacts, self._run.original_uri_base_ids, self._roots)
            if len(self._paths) >= _PATHS:
                self._paths.clear()
            self._paths[key] = path
        return path


def rule_id_of(tool: str, result: Result, rule: RuleDescriptor | None) -> str:
    """Return the id of a result's rule: its own word, its rule's, or one that says it has none."""
    return cut(result.rule_id or (rule.id if rule else "") or f"{tool}/unnamed", 300)


def tool_of(run: Run) -> str:
    """Return the name of a run's tool."""
    return cut(run.tool.driver.name or "unknown", 100)


def imported(run: Run, result: Result, rules: Rules, path: str, roots: Sequence[str]) -> Imported:
    """Put a result of a file into our words."""
    rule = rules.of(result)
    return Imported(
        path=path,
        detection=_detection(run, rules.tool, result, rule, rules.reading(result, rule), roots),
        fingerprints=result.partial_fingerprints | result.fingerprints,
        suppressed=any(each.status in (None, "accepted") for each in result.suppressions),
    )


def _detection(
    run: Run, tool: str, result: Result, rule: RuleDescriptor | None, reading: Reading, roots: Sequence[str]
) -> Detection:
    location = result.locations[0] if result.locations else Location()
    physical = location.physical_location
    region = physical.region if physical else None
    context = (physical.context_region if physical else None) or region
    line = _positive(region.start_line if region else 0)
    own = _text(region.snippet) if region else ""
    return Detection(
        rule_id=rule_id_of(tool, result, rule),
        analyzer=reading.analyzer,
        tool=tool,
        severity=reading.severity,
        confidence=reading.confidence,
        line=line,
        message=_message(result, rule),
        column=_positive(region.start_column if region else 0),
        end_line=max(line, min(region.end_line, _LINES)) if region else line,
        end_column=max(0, min(region.end_column, _LINES)) if region else 0,
        line_text=own.split("\n", 1)[0][:500],
        snippet=cut((_text(context.snippet) if context else "") or own, _TEXT),
        recommendation=reading.advice,
        cwe=reading.cwe,
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
    return cut(text, _TEXT)


def _at(items: Sequence[str], index: int, otherwise: str) -> str:
    return items[index] if index < len(items) else otherwise


def _advice(rule: RuleDescriptor | None) -> str:
    return cut(_text(rule.help) or _text(rule.full_description), _TEXT) if rule else ""


def _symbol(location: Location) -> str | None:
    for logical in location.logical_locations:
        if name := logical.fully_qualified_name or logical.name:
            return cut(name, 500)
    return None


def _suppression(result: Result, line: int) -> Suppression | None:
    accepted = [each for each in result.suppressions if each.status in (None, "accepted")]
    if not accepted:
        return None
    return Suppression(cut(accepted[0].kind, 20), line, cut(accepted[0].justification or "", 1000))


def _further_suppressions(result: Result) -> list[dict[str, str]]:
    """Keep the suppressions but the first that is accepted, which is the finding's: they are given on."""
    told: list[dict[str, str]] = []
    first = True
    for each in result.suppressions[:_SUPPRESSIONS]:
        accepted = each.status in (None, "accepted")
        if not (accepted and first) and each.kind in _KINDS and each.status in _STATUSES:
            status = each.status or "accepted"
            justification = cut(each.justification or "", 1000)
            told.append({"kind": each.kind, "status": status, "justification": justification})
        first = first and not accepted
    return told


def _metadata(run: Run, result: Result, rule: RuleDescriptor | None, roots: Sequence[str]) -> dict[str, Any]:
    """Keep what has no field of its own: flows, related places, rank, where the rule is explained.

    `code_flows` holds the steps of each thread; `code_flow_threads` how many threads each flow has, where
    that is not one.
    """
    help_uri = rule.help_uri if rule else None
    if not (result.code_flows or result.related_locations or result.suppressions) and (
        result.baseline_state is None and result.rank is None
    ):
        return {} if help_uri is None else {"help_uri": help_uri}
    flows = [flow.thread_flows[:_THREADS] for flow in result.code_flows[:_FLOWS]]
    threads = [len(flow) for flow in flows if flow]
    steps = [
        [_step(run, step.location, roots) for step in thread.locations[:_STEPS] if step.location]
        for flow in flows
        for thread in flow
    ]
    kept = {
        "code_flows": steps,
        "code_flow_threads": threads if set(threads) - {1} else None,
        "related": [_step(run, place, roots) for place in result.related_locations[:_STEPS]],
        "suppressions": _further_suppressions(result),
        "baseline_state": result.baseline_state if result.baseline_state in _BASELINES else None,
        "rank": result.rank,
        "help_uri": help_uri,
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
    step: dict[str, Any] = {
        "file": path,
        "line": _positive(region.start_line) if region else None,
        "message": cut(_text(place.message), 500),
    }
    more = ("column", "end_line", "end_column")
    given = (region.start_column, region.end_line, region.end_column) if region else ()
    return step | {name: _positive(value) for name, value in zip(more, given, strict=False) if value > 0}


def cut(text: str, most: int) -> str:
    """Return a text without NUL, cut to a length."""
    return (text.replace("\0", "") if "\0" in text else text)[:most]
