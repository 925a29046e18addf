"""Which rule's findings can explain which kind of error, and which of the known findings do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation.message import (
    ARGUMENTS,
    ASSERTION,
    ATTRIBUTE,
    DATABASE,
    ENCODING,
    IMPORT,
    INDEX,
    KEY,
    NAME,
    NONE,
    OTHER,
    RECURSION,
    SYSTEM,
    TYPE,
    UNIMPLEMENTED,
    VALUE,
)
from hefesto_api.domain.correlation.model import Evidence, FindingMatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.domain.correlation.model import KnownFinding, Learned, Suspect, Tally

# The rule's slug -> how likely it explains an error of that kind, in the function at fault.
FITS: Final[Mapping[str, Mapping[str, float]]] = {
    "undefined_name": {NAME: 0.95},
    "star_import": {NAME: 0.5, IMPORT: 0.3},
    "import_shadowed": {ATTRIBUTE: 0.6, TYPE: 0.5, NAME: 0.4, ARGUMENTS: 0.4},
    "redefined": {ATTRIBUTE: 0.4, TYPE: 0.4, ARGUMENTS: 0.6},
    "redeclared": {ATTRIBUTE: 0.4, TYPE: 0.4, ARGUMENTS: 0.6},
    "index_out_of_range": {INDEX: 0.9},
    "stop_iteration": {INDEX: 0.8, OTHER: 0.2},
    "empty_collection": {INDEX: 0.5, VALUE: 0.3},
    "duplicate_key": {KEY: 0.5, VALUE: 0.3},
    "log_attribute_clash": {KEY: 0.9},
    "log_arguments": {TYPE: 0.8, VALUE: 0.5},
    "format_mismatch": {TYPE: 0.8, INDEX: 0.7, KEY: 0.7, VALUE: 0.7},
    "sql_injection": {DATABASE: 0.8},
    "django_raw_sql": {DATABASE: 0.7},
    "django_extra": {DATABASE: 0.6},
    "nullable_text": {DATABASE: 0.4, NONE: 0.4},
    "none_comparison": {NONE: 0.5},
    "mutable_default": {VALUE: 0.4, KEY: 0.4, TYPE: 0.3, ASSERTION: 0.3},
    "frozen_default": {VALUE: 0.4, TYPE: 0.3},
    "dataclass_misuse": {VALUE: 0.5, TYPE: 0.5, ATTRIBUTE: 0.3},
    "slots_assignment": {ATTRIBUTE: 0.9},
    "super_without_call": {ATTRIBUTE: 0.7, TYPE: 0.3},
    "self_assignment": {ATTRIBUTE: 0.3, NONE: 0.3},
    "trailing_comma_tuple": {TYPE: 0.7, ATTRIBUTE: 0.7, VALUE: 0.3},
    "annotation_not_assignment": {NAME: 0.7, ATTRIBUTE: 0.6},
    "init_returns": {TYPE: 0.9},
    "property_parameters": {ARGUMENTS: 0.8, TYPE: 0.5},
    "invalid_special_method": {ARGUMENTS: 0.8, TYPE: 0.6},
    "repeated_argument": {ARGUMENTS: 0.8},
    "unused_path_parameter": {ARGUMENTS: 0.7},
    "decorator_order": {TYPE: 0.5, ARGUMENTS: 0.5},
    "singledispatch": {TYPE: 0.5, ARGUMENTS: 0.5, UNIMPLEMENTED: 0.5},
    "callable_check": {TYPE: 0.5, ATTRIBUTE: 0.4},
    "duplicate_bases": {TYPE: 0.8},
    "raises_no_exception": {TYPE: 0.9},
    "raises_exception": {OTHER: 0.3},
    "catches_no_exception": {TYPE: 0.9},
    "unreachable_handler": {KEY: 0.3, VALUE: 0.3, SYSTEM: 0.3},
    "naive_utc": {TYPE: 0.7, VALUE: 0.3},
    "naive_local_time": {TYPE: 0.7, VALUE: 0.3},
    "decimal_from_float": {TYPE: 0.3, VALUE: 0.3},
    "bad_open_mode": {VALUE: 0.9},
    "env_default_type": {TYPE: 0.8},
    "environ_assignment": {KEY: 0.4, TYPE: 0.3},
    "loop_overrides_iterable": {TYPE: 0.5, ATTRIBUTE: 0.4, INDEX: 0.4},
    "closure_in_loop": {VALUE: 0.4, KEY: 0.3, TYPE: 0.3},
    "request_without_timeout": {SYSTEM: 0.7},
    "blocking_in_async": {SYSTEM: 0.5},
    "busy_wait": {SYSTEM: 0.4},
    "file_not_closed": {SYSTEM: 0.6},
    "predictable_temp_file": {SYSTEM: 0.4},
    "path_traversal": {SYSTEM: 0.5},
    "archive_extraction": {SYSTEM: 0.4},
    "subprocess_without_check": {SYSTEM: 0.4, NONE: 0.3, VALUE: 0.3},
    "dangling_task": {SYSTEM: 0.3, OTHER: 0.2},
    "trio_not_awaited": {TYPE: 0.7, ATTRIBUTE: 0.6},
    "swallowed_exception": {NONE: 0.4, NAME: 0.4, ATTRIBUTE: 0.2},
    "bare_except": {NONE: 0.3, NAME: 0.3},
    "finally_swallows": {NONE: 0.5, NAME: 0.4},
    "unsafe_deserialization": {ENCODING: 0.4, VALUE: 0.3},
    "unsafe_yaml": {VALUE: 0.3, TYPE: 0.3},
    "xml_expansion": {RECURSION: 0.3, SYSTEM: 0.3},
    "is_literal": {ASSERTION: 0.4, VALUE: 0.3},
    "type_comparison": {TYPE: 0.3},
}
LEAST: Final = 0.05
STRENGTH: Final = 4.0  # verdicts that weigh as much as our own table
OWN: Final = 3.0


def fit(finding: KnownFinding, kind: str, error_type: str | None, learned: Learned | None) -> float:
    """Return how well a finding's rule explains an error, 0 to 1: by the table, then by what was learned."""
    known = FITS.get(finding.type, {}).get(kind, 0.0)
    if learned is None:
        return known
    key = f"{finding.type}|{short(error_type)}"
    right, wrong = _counts(learned.rules.get(key), 1.0)
    own_right, own_wrong = _counts(learned.project_rules.get(key), OWN)
    right, wrong = right + own_right, wrong + own_wrong
    prior = max(known, 0.02)
    return (prior * STRENGTH + right) / (STRENGTH + right + wrong) if right or wrong else known


def short(error_type: str | None) -> str:
    """Return the last part of an error's type."""
    return (error_type or "").rpartition(".")[2]


def _counts(tally: Tally | None, weight: float) -> tuple[float, float]:
    if tally is None:
        return 0.0, 0.0
    return max(tally.confirmed, 0) * weight, max(tally.rejected, 0) * weight


def matches(
    findings: Sequence[KnownFinding],
    suspects: Sequence[Suspect],
    fits: Mapping[str, float],
    kind: str,
    error_type: str | None,
) -> tuple[FindingMatch, ...]:
    """Return the findings that explain the error: their rule fits it, and they are in a suspect function."""
    found = []
    top = suspects[0].probability if suspects else 0.0
    by_function = {(one.file_path, one.function_name): one for one in suspects}
    for finding in findings:
        suspect = by_function.get((finding.path, finding.function_name or ""))
        fitting = fits.get(finding.id, 0.0)
        if suspect is None or fitting < LEAST or top <= 0:
            continue
        near = suspect.probability / top
        sure = fitting * (0.3 + 0.7 * near) * (0.5 + 0.5 * max(0.0, min(finding.confidence, 1.0)))
        evidence = (
            Evidence("rule fits the error", finding.type, round(fitting, 4)),
            Evidence("in a suspect function", finding.function_name, round(suspect.probability, 4)),
            Evidence("confidence of the finding", finding.confidence, 0.0),
        )
        reason = (
            f"{finding.type.replace('_', ' ')} can end in {short(error_type) or kind}, "
            f"and {finding.function_name} is a suspect"
        )
        found.append(FindingMatch(finding.id, reason, round(max(0.0, min(sure, 1.0)), 4), evidence))
    found.sort(key=lambda one: (-one.match_confidence, one.finding_id))
    return tuple(found[:20])
