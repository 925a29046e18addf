"""Who owns a path, as a CODEOWNERS file says it: GitHub's syntax, and GitLab's with its sections.

Pure. A pattern is a list of path segments that is walked beside the path's, and a star within a segment goes
back to the last star alone: time is the pattern's length times the path's, whatever a hostile file holds.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PLACES = (".github/CODEOWNERS", "CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
"""Where a CODEOWNERS file may lie, the first that is there counts."""

ANY_DEPTH = "**"
LONGEST_LINE = 4096
FLAWS_TOLD = 3
_OWNER = re.compile(r"@{1,2}[\w][\w.-]*(?:/[\w.-]+)*|[^\s@]+@[^\s@]+")
_SECTION = re.compile(r"(\^?)\[([^\]]+)\](?:\[\d+\])?(?=\s|$)")
_TOKEN = re.compile(r"(?:\\.|[^\\\s])+|\\")


class Rule(Struct, frozen=True):
    """One line: its pattern as written, its segments, its owners; `excludes` is GitLab's `!`."""

    line: int
    pattern: str
    segments: tuple[str, ...]
    owners: tuple[str, ...]
    section: str = ""
    optional: bool = False
    excludes: bool = False


class Flaw(Struct, frozen=True):
    """A line that says nothing, and why."""

    line: int
    reason: str


class Codeowners(Struct, frozen=True):
    """The rules of a file in their order, and its lines that are none."""

    rules: tuple[Rule, ...]
    flaws: tuple[Flaw, ...]


class Ownership(Struct, frozen=True):
    """Who owns a path: the rule that decides, its line and its file; the explanation is a sentence."""

    owners: tuple[str, ...] = ()
    rule: str | None = None
    line: int | None = None
    file: str | None = None
    explanation: str = ""


@lru_cache(maxsize=8)
def parse(text: str, file: str = "CODEOWNERS") -> Codeowners:
    """Read a CODEOWNERS file: GitLab's when it lies in `.gitlab/`, or has sections and not in `.github/`."""
    lines = text.removeprefix("\ufeff").splitlines()
    folder = file.rpartition("/")[0].rpartition("/")[2]
    gitlab = folder == ".gitlab" or (
        folder != ".github" and any(_SECTION.match(line.strip()) for line in lines)
    )
    parts = list(_parts(lines, gitlab=gitlab))
    return Codeowners(
        tuple(part for part in parts if isinstance(part, Rule)),
        tuple(part for part in parts if isinstance(part, Flaw)),
    )


def owned(known: Codeowners, path: str, file: str) -> Ownership:
    """Return who owns a path (with `/`, relative to the file's repository), and why nobody does."""
    names = path.split("/")
    deciding: dict[str, Rule] = {}
    excluded: set[str] = set()
    for rule in known.rules:
        if not _matches(rule.segments, names):
            continue
        if rule.excludes:
            excluded.add(rule.section)
        deciding[rule.section] = rule
    effective = [rule for section, rule in deciding.items() if section not in excluded]
    owners = tuple(dict.fromkeys(owner for rule in effective for owner in rule.owners))
    naming = [rule for rule in effective if rule.owners]
    if naming:
        return Ownership(owners, naming[-1].pattern, naming[-1].line, file, _told(naming, file))
    last = max(deciding.values(), key=lambda one: one.line, default=None)
    if last is None:
        return Ownership(file=file, explanation=f"No rule of {file} matches.{_flawed(known.flaws)}")
    why = "takes the path out of its section" if last.excludes else "names no owner"
    return Ownership(
        (), last.pattern, last.line, file, f"The last rule that matches ({file}, line {last.line}) {why}."
    )


def unknown(places: Iterable[str], problems: Sequence[str] = ()) -> Ownership:
    """Return that no file says who owns anything: where it was looked for, and what stood in the way."""
    told = f"No CODEOWNERS file was found; looked for {', '.join(places)}."
    return Ownership(explanation=" ".join((told, *problems)))


def _told(rules: Sequence[Rule], file: str) -> str:
    if len(rules) == 1 and not rules[0].section:
        return f"The last rule that matches is in line {rules[0].line} of {file}."
    named = [_of_section(rule) for rule in rules]
    return f"The last rule of each section that matches, in {file}: {', '.join(named)}."


def _of_section(rule: Rule) -> str:
    optional = ", optional" if rule.optional else ""
    return f"line {rule.line} (section {rule.section or 'without a name'}{optional})"


def _flawed(flaws: Sequence[Flaw]) -> str:
    told = [f" Line {flaw.line} is invalid: {flaw.reason}." for flaw in flaws[:FLAWS_TOLD]]
    more = len(flaws) - len(told)
    return "".join(told) + (f" {more} more lines are invalid." if more else "")


def _parts(lines: Sequence[str], *, gitlab: bool) -> Iterator[Rule | Flaw]:
    section, optional = "", False
    defaults: tuple[str, ...] = ()
    names: dict[str, str] = {}  # sections of the same name in any case are one
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_LINE:
            yield Flaw(number, f"it is longer than {LONGEST_LINE} characters")
            continue
        header = _SECTION.match(line.strip()) if gitlab else None
        if header:
            section, optional = names.setdefault(header[2].lower(), header[2]), bool(header[1])
            defaults = tuple(one for one in _tokens(line.strip()[header.end() :]) if _OWNER.fullmatch(one))
        elif tokens := _tokens(line):
            yield _rule(number, tokens, gitlab, (section, optional, defaults))


def _tokens(line: str) -> list[str]:
    """Split at white space that is not escaped, up to a comment; escapes stay for the pattern."""
    tokens: list[str] = []
    for token in _TOKEN.findall(line):
        if token.startswith("#"):
            break
        tokens.append(token)
    return tokens


def _rule(
    number: int, tokens: Sequence[str], gitlab: bool, within: tuple[str, bool, tuple[str, ...]]
) -> Rule | Flaw:
    section, optional, defaults = within
    pattern, *named = tokens
    wrong = next((name for name in named if not _OWNER.fullmatch(name)), None)
    if wrong is not None and not gitlab:
        return Flaw(number, f"{wrong!r} is no @user, @organisation/team or e-mail address")
    excludes = pattern.startswith("!")
    if excludes and not gitlab:
        return Flaw(number, "GitHub knows no negation with `!`")
    segments = _segments(pattern[excludes:], gitlab)
    if not segments:
        return Flaw(number, "the pattern is empty")
    owners = () if excludes else tuple(name for name in named if _OWNER.fullmatch(name))
    return Rule(
        number, pattern, segments, owners or (() if excludes else defaults), section, optional, excludes
    )


def _segments(pattern: str, gitlab: bool) -> tuple[str, ...]:
    """Return what stands for each part of a path; `**` stands for any number of them."""
    inner = pattern.strip("/")
    if not inner:
        return (ANY_DEPTH, "*") if pattern and gitlab else ()
    parts = inner.split("/")
    floats = not pattern.startswith("/") and (gitlab or len(parts) == 1)
    beneath = _reaches_beneath(pattern, parts, gitlab)
    # A name for certain, then anything beneath it; `docs/` is no file of that name.
    tail = (ANY_DEPTH, "*") if pattern.endswith("/") else (ANY_DEPTH,) if beneath else ()
    return _single_depths(((ANY_DEPTH,) if floats else ()) + tuple(parts) + tail)


def _reaches_beneath(pattern: str, parts: Sequence[str], gitlab: bool) -> bool:
    """Tell whether what matches may be a folder whose files are meant: at GitHub, unless it ends in `/*`."""
    return not gitlab and not (parts[-1] == "*" and (len(parts) > 1 or pattern.startswith("/")))


def _single_depths(segments: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        one for at, one in enumerate(segments) if one != ANY_DEPTH or at == 0 or segments[at - 1] != ANY_DEPTH
    )


def _matches(segments: Sequence[str], names: Sequence[str]) -> bool:
    positions = _closed(segments, {0})
    for name in names:
        after: set[int] = set()
        for at in positions:
            if at == len(segments):
                continue
            if segments[at] == ANY_DEPTH:
                after.add(at)
            elif _fits(segments[at], name):
                after.add(at + 1)
        if not after:
            return False
        positions = _closed(segments, after)
    return len(segments) in positions


def _closed(segments: Sequence[str], positions: set[int]) -> set[int]:
    """Add what lies behind each `**`, which may stand for nothing."""
    for at in range(len(segments)):
        if at in positions and segments[at] == ANY_DEPTH:
            positions.add(at + 1)
    return positions


def _fits(glob: str, name: str) -> bool:
    """Compare a segment with a name: `*`, `?` and escapes; only the last star is ever tried again."""
    pieces = _glob(glob)
    at = place = 0
    star, tried = -1, 0
    while place < len(name):
        if at < len(pieces) and pieces[at] == ("*", True):
            star, tried, at = at, place, at + 1
        elif at < len(pieces) and pieces[at] in ((name[place], False), ("?", True)):
            at, place = at + 1, place + 1
        elif star >= 0:
            tried += 1
            at, place = star + 1, tried
        else:
            return False
    return all(piece == ("*", True) for piece in pieces[at:])


@lru_cache(maxsize=4096)
def _glob(text: str) -> tuple[tuple[str, bool], ...]:
    """Return (character, whether it is a wildcard) for each character of a segment."""
    pieces: list[tuple[str, bool]] = []
    escaped = False
    for character in text:
        if character == "\\" and not escaped:
            escaped = True
            continue
        pieces.append((character, character in "*?" and not escaped))
        escaped = False
    return tuple(pieces)
