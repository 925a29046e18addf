"""Gitignore patterns, matched while walking down a tree.

Every pattern is a list of path segments. Walking into a directory moves each pattern's positions on by
one segment, so a name is only ever compared with the segments that may stand at its level. A star becomes
an atomic group: matching takes time proportional to pattern times name, whatever a hostile pattern holds.
Syntax and precedence: gitignore(5) and git's wildmatch with WM_PATHNAME, but `?` and brackets stand for a
character where git compares bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from hefesto_api.analyzers.workspace import globs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ANY_DEPTH = "**"
LONGEST_PATTERN = 4096
# Plain text that does not end a segment, stars that stand for any depth, and what follows them.
_AFTER_PLAIN = re.compile(r"([^*?\[\\]*[^*?\[\\/])\*{2,}(?:(?:/\*{2,}(?=/))*((?:/|\\/).*)|()$)", re.DOTALL)


class Rule(Struct, frozen=True):
    """One pattern, or one of its readings: its place in the file, what a match means, and its segments."""

    index: int
    ignores: bool
    only_directories: bool
    segments: tuple[str, ...]


class Patterns(Struct, frozen=True):
    """The patterns of one file, sorted by how they are matched; made by `parse`.

    Patterns without an inner slash match a name at any depth: plain names, `*` with a plain ending, and
    globs. `anchored` are all others.
    """

    names: dict[str, list[Rule]]
    endings: tuple[tuple[str, Rule], ...]
    any_ending: tuple[str, ...]
    globs: tuple[tuple[Callable[[str], object], Rule], ...]
    anchored: tuple[Rule, ...]


class Level(Struct, frozen=True):
    """One file's patterns as they stand in one directory: `live` are the anchored ones and where each is."""

    patterns: Patterns
    live: tuple[tuple[Rule, frozenset[int]], ...]


Levels = tuple[Level, ...]


def parse(lines: Iterable[str]) -> Patterns | None:
    """Compile the lines of a gitignore file; None when they hold no pattern."""
    rules = [rule for index, line in enumerate(lines) for rule in _rules(index, line)]
    if not rules:
        return None
    floating = [rule for rule in rules if _is_floating(rule)]
    endings = tuple((rule.segments[1][1:], rule) for rule in floating if _is_ending(rule.segments[1]))
    return Patterns(
        names=_by_name(rule for rule in floating if not globs.has_magic(rule.segments[1])),
        endings=endings,
        any_ending=tuple(ending for ending, _ in endings),
        globs=tuple(
            (globs.matcher(rule.segments[1]), rule) for rule in floating if _is_glob(rule.segments[1])
        ),
        anchored=tuple(rule for rule in rules if not _is_floating(rule)),
    )


def starting(patterns: Patterns) -> Level:
    """Put patterns in force in the directory that holds their file."""
    return Level(patterns, tuple((rule, _closure(rule, {0})) for rule in patterns.anchored))


def entering(levels: Levels, directory: str) -> Levels:
    """Move every pattern on into a directory."""
    if not any(level.live for level in levels):
        return levels
    return tuple(_advance(level, directory) if level.live else level for level in levels)


def ignored(levels: Levels, name: str, is_dir: bool) -> bool:
    """Tell whether the patterns in force in a directory ignore one of its entries; the last match decides."""
    for level in reversed(levels):
        rule = _last_match(level, name, is_dir)
        if rule is not None:
            return rule.ignores
    return False


def ignores_path(levels: Levels, path: str) -> bool:
    """Tell whether patterns at the top of a tree ignore a file or one of the directories above it."""
    *folders, name = path.split("/")
    for folder in folders:
        if ignored(levels, folder, is_dir=True):
            return True
        levels = entering(levels, folder)
    return ignored(levels, name, is_dir=False)


def _last_match(level: Level, name: str, is_dir: bool) -> Rule | None:
    patterns = level.patterns
    found = list(patterns.names.get(name, ()))
    if patterns.any_ending and name.endswith(patterns.any_ending):
        found += [rule for ending, rule in patterns.endings if name.endswith(ending)]
    for matches, rule in patterns.globs:
        if matches(name):
            found.append(rule)
    if level.live:
        found += [rule for rule, positions in level.live if _completes(rule, positions, name)]
    if not found:
        return None
    fitting = [rule for rule in found if is_dir or not rule.only_directories]
    return max(fitting, key=lambda rule: rule.index, default=None)


def _completes(rule: Rule, positions: frozenset[int], name: str) -> bool:
    last = len(rule.segments) - 1
    return last in positions and _fits(rule.segments[last], name)


def _advance(level: Level, directory: str) -> Level:
    moved = ((rule, _moved(rule, positions, directory)) for rule, positions in level.live)
    return Level(level.patterns, tuple((rule, positions) for rule, positions in moved if positions))


def _moved(rule: Rule, positions: frozenset[int], directory: str) -> frozenset[int]:
    after: set[int] = set()
    for position in positions:
        segment = rule.segments[position]
        if segment == ANY_DEPTH:
            after.add(position)
        elif position + 1 < len(rule.segments) and _fits(segment, directory):
            after.add(position + 1)
    return _closure(rule, after)


def _closure(rule: Rule, positions: set[int]) -> frozenset[int]:
    """Add the positions behind each `**`, which may stand for no directory at all."""
    reached = set(positions)
    for position in range(len(rule.segments) - 1):
        if position in reached and rule.segments[position] == ANY_DEPTH:
            reached.add(position + 1)
    return frozenset(reached)


def _fits(segment: str, name: str) -> bool:
    if segment == ANY_DEPTH:
        return True
    return bool(globs.matcher(segment)(name)) if globs.has_magic(segment) else segment == name


def _rules(index: int, line: str) -> list[Rule]:
    text = _without_trailing_spaces(line.rstrip("\r\n"))
    if not text or text.startswith("#") or len(text) > LONGEST_PATTERN:
        return []
    ignores = not text.startswith("!")
    text = text if ignores else text[1:]
    only_directories = text.endswith("/")
    readings = _readings(text[:-1] if only_directories else text)
    return [Rule(index, ignores, only_directories, segments) for segments in readings if segments]


def _readings(text: str) -> list[tuple[str, ...]]:
    if not text:
        return []
    if "/" not in text:
        return [(ANY_DEPTH, "*" if set(text) == {"*"} else text)]
    return _anchored(text.removeprefix("/"))


def _anchored(text: str) -> list[tuple[str, ...]]:
    """The lists of segments of which one must match.

    git compares the plain text that a pattern begins with first, and forgets it: in `a**/b` the stars then
    stand at the start, and mean any depth, none included: `ab`, `ax/b` and `ax/y/b` all match.
    """
    found = _AFTER_PLAIN.match(text)
    if found is None:
        return [segments] if (segments := _segments(text)) else []
    plain, rest = found[1], found[2]
    if not rest:
        return [_segments(f"{plain}*"), (*_segments(f"{plain}*"), ANY_DEPTH)]
    behind = rest.removeprefix("\\")[1:]
    deeper = _segments(behind)
    if not deeper:
        return []
    readings = [(*_segments(f"{plain}*"), ANY_DEPTH, *deeper)]
    if rest[0] == "/":
        readings += _anchored(plain + behind) if behind.startswith("**") else [_segments(plain + behind)]
    return readings


def _segments(text: str) -> tuple[str, ...]:
    """Split at the slashes outside of brackets; nothing for a bracket that stays open."""
    segments: list[str] = []
    start = place = 0
    while place < len(text):
        if text[place] == "[":
            try:
                _, place = globs.bracket(text, place + 1)
            except ValueError:
                return ()
        elif text[place] == "/" or text.startswith("\\/", place):
            escaped = text[place] == "\\"
            segments += _segment(text[start:place], behind_it_one=escaped)
            start = place = place + 1 + escaped
        else:
            place += 1 + (text[place] == "\\")
    return (*segments, *_segment(text[start:], behind_it_one=False))


def _segment(text: str, *, behind_it_one: bool) -> tuple[str, ...]:
    """The segment; two stars and more before an escaped slash stand for one directory at least."""
    if len(text) < 2 or set(text) != {"*"}:
        return (text,)
    return ("*", ANY_DEPTH) if behind_it_one else (ANY_DEPTH,)


def _without_trailing_spaces(line: str) -> str:
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and len(bare) < len(line) else bare


def _is_floating(rule: Rule) -> bool:
    return len(rule.segments) == 2 and rule.segments[0] == ANY_DEPTH and rule.segments[1] != ANY_DEPTH


def _is_ending(segment: str) -> bool:
    return segment.startswith("*") and not globs.has_magic(segment[1:])


def _is_glob(segment: str) -> bool:
    return globs.has_magic(segment) and not _is_ending(segment)


def _by_name(rules: Iterable[Rule]) -> dict[str, list[Rule]]:
    named: dict[str, list[Rule]] = {}
    for rule in rules:
        named.setdefault(rule.segments[1], []).append(rule)
    return named
