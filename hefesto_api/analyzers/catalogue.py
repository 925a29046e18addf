"""The catalogue of rules: what each one is called, how bad it is, how sure we are, and what to do instead.

The entries are TOML files in `rules/`, one for each source of detections. To parse them takes 40 ms, in every
process that looks at a file; so what came of it is kept where Python keeps what it compiled, and is loaded in
a millisecond while the files are the same.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hefesto_api.analyzers.base import RuleInfo
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.finding import Detection, Group, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER: Final = Path(__file__).with_name("rules")
_DIGEST: Final = 32  # bytes of it before what is kept

_TEST_PATH: Final = re.compile(
    r"(?:^|/)(?:(?:tests?|testing|__tests__)/|conftest\.py$|tests?\.py$|test_[^/]*\.py$|[^/]*_tests?\.(?:py|go)$"
    r"|[^/]*\.(?:test|spec)\.[jt]sx?$|[^/]*Tests?\.java$)"
)
# `vendor` alone is a word of trade, too: a shop's own package may be called so.
_VENDORED_PATH: Final = re.compile(
    r"(?:^|/)(?:(?:_vendor|vendored|third[_-]?party|node_modules|bower_components|site-packages)/"
    r"|vendor/(?:.*/)?[^/]*\.(?:[cm]?js|go)$)"
)


def load(folder: Path, compiled: Path) -> list[RuleInfo]:
    """Return the entries of a folder, from what is kept of them if it is of these very files.

    Raises msgspec.ValidationError for a wrong field, tomllib.TOMLDecodeError for what is no TOML.
    """
    texts = [path.read_bytes() for path in sorted(folder.glob("*.toml"))]
    digest = hashlib.sha256(repr(RuleInfo.__struct_fields__).encode() + b"".join(texts)).digest()
    with suppress(OSError, msgspec.DecodeError):
        kept = compiled.read_bytes()
        if kept.startswith(digest):
            return msgspec.msgpack.decode(kept[_DIGEST:], type=list[RuleInfo])
    entries = _parsed(texts)
    if not sys.dont_write_bytecode:
        _keep(compiled, digest + msgspec.msgpack.encode(entries))
    return entries


def _parsed(texts: Iterable[bytes]) -> list[RuleInfo]:
    import tomllib  # noqa: PLC0415 - mostly not needed

    found = (tomllib.loads(text.decode()).get("rule", []) for text in texts)
    return [entry for entries in found for entry in msgspec.convert(entries, list[RuleInfo])]


def _keep(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; where nothing may be written, nothing is kept."""
    import tempfile  # noqa: PLC0415 - once

    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as made:
            made.write(content)
        Path(made.name).replace(path)


def _by_id(entries: Iterable[RuleInfo]) -> dict[str, RuleInfo]:
    """Return the entries by their ids; a duplicate is a ValueError."""
    rules: dict[str, RuleInfo] = {}
    for entry in entries:
        if rules.setdefault(entry.id, entry) is not entry:
            raise ValueError(f"two rules are called {entry.id}")
    return rules


RULES: Final[Mapping[str, RuleInfo]] = _by_id(
    load(FOLDER, Path(cache_from_source(__file__)).with_suffix(".rules"))
)
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
    return hashlib.sha256(msgspec.msgpack.encode(list(RULES.values()))).hexdigest()[:16]


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


def is_vendored_path(path: str) -> bool:
    """Tell whether a relative path (with `/`) names others' code that is kept with one's own."""
    return _VENDORED_PATH.search(path) is not None


def in_context(found: Detection, path: str) -> Detection | None:
    """Weigh a detection by where it stands: in test code some rules say nothing, security weighs less.

    None when the rule does not speak about test code, and for all but security in vendored code, which
    nobody here will simplify; else the detection, for security in test code one severity lower
    (`metadata["context"]` says so).
    """
    if found.analyzer is not Group.SECURITY and is_vendored_path(path):
        return None
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
