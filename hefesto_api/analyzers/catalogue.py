"""The catalogue of rules: what each one is called, how bad it is, how sure we are, and what to do instead.

The entries are TOML files in `rules/`, one for each source of detections; they are read once a process.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hefesto_api.analyzers.base import RuleInfo
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.finding import Detection, Group, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER: Final = Path(__file__).with_name("rules")

_TEST_PATH: Final = re.compile(
    r"(?:^|/)(?:(?:tests?|testing|__tests__)/|conftest\.py$|tests?\.py$|test_[^/]*\.py$|[^/]*_tests?\.(?:py|go)$"
    r"|[^/]*\.(?:test|spec)\.[jt]sx?$|[^/]*Tests?\.java$)"
)


def _texts() -> list[bytes]:
    return [path.read_bytes() for path in sorted(FOLDER.glob("*.toml"))]


def _load(texts: Iterable[bytes]) -> dict[str, RuleInfo]:
    """Read the entries; a duplicate id is a ValueError, a wrong field a msgspec.ValidationError."""
    rules: dict[str, RuleInfo] = {}
    for text in texts:
        for entry in msgspec.convert(tomllib.loads(text.decode()).get("rule", []), list[RuleInfo]):
            if entry.id in rules:
                raise ValueError(f"two rules are called {entry.id}")
            rules[entry.id] = entry
    return rules


RULES: Final[Mapping[str, RuleInfo]] = _load(_texts())
_SOURCES: Final = {source: entry for entry in RULES.values() for source in entry.sources}
_NAMES: Final = {
    name.upper(): entry for entry in RULES.values() for name in (*entry.aliases, entry.slug, entry.id)
}

# A rule's former ids are listed from the oldest on: its findings are known by the first it ever had.
FIRST_IDS: Final = {entry.id: entry.aliases[0] for entry in RULES.values() if entry.aliases}


def current_id(rule_id: str) -> str:
    """Return what a rule is called now; an id that the catalogue lacks is answered as it is."""
    entry = _NAMES.get(rule_id.upper())
    return entry.id if entry is not None else rule_id


def by_source(source: str) -> RuleInfo | None:
    """Return the rule that a tool's own code (`ruff:S608`) maps to, or None when we do not report it."""
    return _SOURCES.get(source)


def rule(rule_id: str) -> RuleInfo:
    """Return a rule by its id, a former id or its slug, in any case; raise NotFound."""
    try:
        return _NAMES[rule_id.upper()]
    except KeyError:
        raise NotFound("rule", rule_id) from None


@functools.cache
def version() -> str:
    """Return 16 hex digits that change whenever any rule does."""
    digest = hashlib.sha256()
    for text in _texts():
        digest.update(hashlib.sha256(text).digest())
    return digest.hexdigest()[:16]


def detection(rule_id: str, *, tool: str, line: int, message: str = "", **overrides: Any) -> Detection:
    """Return a detection of a rule with what the catalogue knows of it; `overrides` are fields of Detection.

    Without a message the rule's title stands for it. Raises KeyError for an id the catalogue lacks.
    """
    entry = RULES[rule_id]
    known: dict[str, Any] = {
        "severity": Severity(entry.severity),
        "confidence": entry.confidence,
        "recommendation": entry.recommendation,
        "cwe": entry.cwe,
        "end_line": line,
    }
    return Detection(
        rule_id=entry.id,
        analyzer=entry.analyzer,
        tool=tool,
        line=line,
        message=message or entry.title,
        **(known | overrides),
    )


def is_test_path(path: str) -> bool:
    """Tell whether a relative path (with `/`) names test code by the usual conventions of its language."""
    return _TEST_PATH.search(path) is not None


def in_context(found: Detection, path: str) -> Detection | None:
    """Weigh a detection by where it stands: in test code some rules say nothing, security weighs less.

    None when the rule does not speak about test code; else the detection, for security one severity lower
    (`metadata["context"]` says so).
    """
    if not is_test_path(path):
        return found
    if not RULES[found.rule_id].in_tests:
        return None
    if found.analyzer is not Group.SECURITY or "context" in found.metadata:
        return found
    lower = list(Severity)[max(found.severity.rank - 2, 0)]
    return msgspec.structs.replace(
        found,
        severity=lower,
        metadata={**found.metadata, "context": "test code", "severity": found.severity.value},
    )
