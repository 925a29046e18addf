"""Texts to throw at the reading of traces: sentences of a grammar, and mutants of real samples."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Final

from tests.domain.traces.samples import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SAMPLES: Final = tuple(case.text for case in ALL)

_NAMES: Final = (
    "a",
    "main",
    "<module>",
    "A.b",
    "a::b",
    "A\\B",
    "x.y.Z",
    "f(int)",
    "λ",
    "$1",
    "",
    "Error",
    "a b",
    "@",
)
_FILES: Final = (
    "a.py",
    "/s/b.js",
    "C:\\d\\e.cs",
    "x.rb",
    "m.go",
    "l.rs",
    "p.php",
    "q.ex",
    "K.kt",
    "n.c",
    "w.swift",
)
_NUMBERS: Final = ("0", "1", "12", "999999999", "9999999999", "-1", "٣", "1:2", "")
_FORMS: Final = (
    'File "{file}", line {number}, in {name}',
    "Traceback (most recent call last):",
    "{name}: {name}",
    "    at {name} ({file}:{number}:{number})",
    "\tat {name}.{name}({file}:{number})",
    "   at {name}({name}) in {file}:line {number}",
    "{name}@{file}:{number}:{number}",
    "Caused by: {name}: {name}",
    "{file}:{number}:in `{name}': {name} ({name})",
    "\tfrom {file}:{number}:in '{name}'",
    "#{number} {file}({number}): {name}()",
    "#{number} 0x{number} in {name} {file}:{number}",
    "#{number}      {name} ({file}:{number}:{number})",
    "{number}   {name}   0x{number} {name} + {number}",
    "goroutine {number} [{name}]:\n{name}()\n\t{file}:{number} +0x1",
    "panic: {name}",
    "thread '{name}' panicked at {file}:{number}:{number}:",
    "thread '{name}' panicked at '{name}', {file}:{number}",
    "stack backtrace:\n   {number}: {name}\n             at {file}:{number}",
    "** ({name}) {name}\n    ({name} 1.0) {file}:{number}: {name}/{number}",
    "PHP Fatal error:  Uncaught {name}: {name} in {file}:{number}\nStack trace:",
    "==1==ERROR: AddressSanitizer: {name} on {name}",
    "{name}: Fatal error: {name}: file {file}, line {number}",
    "Cell In[{number}], line {number}\n----> {number} {name}",
    "During handling of the above exception, another exception occurred:",
    "  +-+---------------- {number} ----------------",
    "... {number} more",
    "--- End of inner exception stack trace ---",
    " ---> (Inner Exception #{number}) {name}: {name}",
)
_MARKS: Final = (
    *(
        "\\",
        "\\n",
        "\\t",
        '"',
        "'",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        ":",
        "::",
        ",",
        "|",
        "@",
        "#",
        "$",
        "`",
    ),
    *("^", " ", "\n", "\r", "\t", "\x1b[31m", "\x00", "\ud800", "\u2028", "\u0663", "&lt;", "<br>", "</b>"),
)
_LONGEST: Final = 900


class Source:
    """Makes texts, the same ones for the same seed; those told to be new ground are built upon."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 (not for secrets)
        self.pool: list[str] = list(SAMPLES)

    def keep(self, text: str) -> None:
        """Build upon this text too."""
        if len(self.pool) < 4_000:
            self.pool.append(text)
        else:
            self.pool[self.chance.randrange(len(SAMPLES), len(self.pool))] = text

    def next(self) -> str:
        """The next text, mostly short: most of what can go wrong goes wrong within a few lines."""
        if self.chance.random() < 0.3:
            return self._sentence()
        longest = 8_000 if self.chance.random() < 0.02 else _LONGEST
        text = self.chance.choice(self.pool)[:longest]
        for _ in range(self.chance.choice((1, 1, 2, 3, 5))):
            text = self.chance.choice(_MUTATIONS)(self.chance, text, self.pool)[:longest]
        return text

    def _sentence(self) -> str:
        pick = self.chance.choice
        count = pick((1, 2, 3, 4, 6, 9))
        lines = [
            pick(_FORMS).format(file=pick(_FILES), number=pick(_NUMBERS), name=pick(_NAMES))
            for _ in range(count)
        ]
        return pick(("\n", "\n", "\n", "\n\n", "\\n", "\r\n")).join(lines)


def _cut(chance: random.Random, text: str, _pool: Sequence[str]) -> str:
    start = chance.randrange(len(text) + 1)
    return text[:start] if chance.random() < 0.5 else text[start:]


def _without(chance: random.Random, text: str, _pool: Sequence[str]) -> str:
    start = chance.randrange(len(text) + 1)
    return text[:start] + text[start + chance.choice((1, 2, 5, 20, 80)) :]


def _with(chance: random.Random, text: str, _pool: Sequence[str]) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(_MARKS) + text[at:]


def _shuffled(chance: random.Random, text: str, _pool: Sequence[str]) -> str:
    lines = text.split("\n")
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return "\n".join(lines)


def _repeated(chance: random.Random, text: str, _pool: Sequence[str]) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    width = chance.choice((1, 1, 2, 3))
    return "\n".join([*lines[:at], *lines[at : at + width] * chance.choice((2, 5, 30)), *lines[at + width :]])


def _woven(chance: random.Random, text: str, pool: Sequence[str]) -> str:
    mine, others = text.split("\n"), chance.choice(pool)[:2_000].split("\n")
    at = chance.randrange(len(mine))
    return "\n".join([*mine[:at], *others[: chance.randrange(1, 9)], *mine[at:]])


def _joined(chance: random.Random, text: str, _pool: Sequence[str]) -> str:
    at = text.find("\n", chance.randrange(len(text) + 1))
    return text if at < 0 else text[:at] + chance.choice(("", " ", "\r", "\\n")) + text[at + 1 :]


def _dressed(chance: random.Random, text: str, _pool: Sequence[str]) -> str:
    prefix = chance.choice(
        ("web_1  | ", "> ", "2026-03-04 05:06:07,123 ERROR ", "[a] ", "\t", "E/x( 1): ", "| ")
    )
    return "\n".join(prefix + line for line in text.split("\n"))


def _quoted(_chance: random.Random, text: str, _pool: Sequence[str]) -> str:
    return json.dumps({"level": "error", "message": text})


_MUTATIONS: Final[tuple[Callable[[random.Random, str, Sequence[str]], str], ...]] = (
    *(_cut, _without, _without, _with, _with, _with, _shuffled),
    *(_repeated, _woven, _joined, _dressed, _quoted),
)
