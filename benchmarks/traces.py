"""Fuzz the reading of traces, time it on the worst texts, and score it on labelled ones.

Usage: python -m benchmarks.traces [--inputs 200000] [--seed 1] [--labelled FILE] [--report FILE]

Inputs are sentences of a grammar and mutants of the samples in the tests; every 100th is read under a
tracer, and kept to build upon when it reaches lines of the parser in an order not seen before. Exit 1 when
one raised, contradicted itself, or took more than a text of its length may.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hefesto_api.domain.traces as traces
from tests.domain.traces.samples import LINES

from benchmarks.traces_inputs import SAMPLES, Source
from benchmarks.traces_score import scored

if TYPE_CHECKING:
    from types import FrameType

_HOME: Final = str(Path(traces.__file__).parent)
_TRACED: Final = 100  # one input in so many is read under the tracer
_SIZES: Final = (16, 64, 256)  # KB
_LIMIT_MS: Final = 50.0  # for 64 KB
_SLACK: Final = 1.5  # how much more than four times the work four times the text may take: caches, memory
CRAFTED: Final = (
    *(
        "forEach@[native code]\n",
        "a@b:1\n",
        "   at A.B()\n",
        "at \n",
        "at a.b(c:1)\nx\n",
        "** (A) b\n",
        "@\n",
    ),
    *(
        "a.rb:1:in `x': boom\n",
        "#0 \n",
        "#0 0x1\n",
        "Call Stack:\n",
        "Fatal error\n",
        "goroutine 1 [running]:\n",
    ),
    *(
        "x()\n.go:1\n",
        "Cell In[1]\n",
        "Error: a\n",
        "0   a 0x1 b\n",
        "a.",
        "a::",
        "(",
        '"',
        "at ",
        "\\n",
        "\n",
    ),
    *(
        "thread 'a' panicked at 'b\n",
        "Caused by: a\n",
        'File "a", line 1\n',
        "[",
        ":1",
        "{a,b,1,[",
        "\\",
        "> ",
        "<b>",
    ),
)


class Edges:
    """Which line of the parser came after which, over all inputs that were traced."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int, int]] = set()

    def of(self, text: str) -> int:
        """Read a text under the tracer; how many edges were new."""
        before = len(self.seen)
        sys.settrace(self._called)
        try:
            traces.parse(text)
        finally:
            sys.settrace(None)
        return len(self.seen) - before

    def _called(self, frame: FrameType, _event: str, _arg: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(_HOME):
            return None
        last = frame.f_lineno

        def line(frame: FrameType, event: str, _arg: object) -> Any:
            nonlocal last
            if event == "line":
                self.seen.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line


def contradiction(trace: traces.Trace) -> str | None:
    """What the reading of a text gets wrong about itself, or None."""
    count = len(trace.exceptions)
    if bool(count) != (trace.primary is not None):
        return "a primary without exceptions, or exceptions without a primary"
    if trace.primary is not None and not 0 <= trace.primary < count:
        return "the primary is none of the exceptions"
    for raised in (*trace.exceptions, *trace.others):
        if raised.crash is not None and not 0 <= raised.crash < len(raised.frames):
            return "the crash is none of the frames"
        if raised.of is not None and not 0 <= raised.of < count:
            return "related to no exception"
        if any(frame.line is not None and not 0 <= frame.line < 10**9 for frame in raised.frames):
            return "an impossible line"
    return None


def fuzz(inputs: int, seed: int) -> dict[str, object]:
    """Read so many texts; what went wrong, and the slowest for its length."""
    source, edges = Source(seed), Edges()
    wrong: list[tuple[str, str]] = []
    slowest = (0.0, "")
    started = time.monotonic()
    done = 0
    while done < inputs:
        text = source.next()
        done += 1
        began = time.process_time_ns()
        try:
            said = contradiction(traces.parse(text))
            if done % _TRACED == 0 and edges.of(text):
                source.keep(text)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        spent = (time.process_time_ns() - began) / 1e6
        if said:
            wrong.append((said, text))
        per_kb = spent / max(len(text) / 1024, 1)
        if per_kb > slowest[0] and done % _TRACED:
            slowest = max(slowest, (_timed(text) / max(len(text) / 1024, 1), text))
        if done % 50_000 == 0:
            print(
                f"{done:,} texts, {len(edges.seen):,} edges, {len(wrong)} wrong, {slowest[0]:.2f} ms/KB",
                flush=True,
            )
    return {
        "inputs": done,
        "seconds": round(time.monotonic() - started),
        "edges": len(edges.seen),
        "kept": len(source.pool) - len(SAMPLES),
        "wrong": wrong[:20],
        "slowest_ms_per_kb": round(slowest[0], 3),
        "slowest": slowest[1][:500],
    }


def repeated() -> dict[str, object]:
    """Every line of the samples, and the crafted texts, repeated: the slowest 64 KB, the steepest growth."""
    worst, steepest = (0.0, ""), (0.0, "")
    pieces = [*CRAFTED, *(f"{line}\n" for line in LINES), *(f"{line}\n\nx\n" for line in LINES), *SAMPLES]
    for piece in pieces:
        spent = [_timed(_filled(piece, size), 1) for size in _SIZES[:2]]
        if spent[1] > worst[0]:
            worst = max(worst, (_timed(_filled(piece, _SIZES[1])), piece))
        if spent[1] > 4 * _SLACK * max(spent[0], 1.0):
            spent = [_timed(_filled(piece, size), 5) for size in _SIZES]
            steepest = max(steepest, (max(spent[1] / spent[0], spent[2] / spent[1]), piece))
    return {
        "texts": len(pieces),
        "slowest_64kb_ms": round(worst[0], 1),
        "slowest": worst[1][:200],
        "steepest_fourfold": round(steepest[0], 2),
        "steepest": steepest[1][:200],
    }


def _filled(piece: str, kilobytes: int) -> str:
    size = kilobytes * 1024
    return (piece * (size // len(piece) + 1))[:size]


def _timed(text: str, times: int = 3) -> float:
    """Milliseconds of processor time, the least of several."""
    best = float("inf")
    for _ in range(times):
        began = time.process_time_ns()
        traces.parse(text)
        best = min(best, (time.process_time_ns() - began) / 1e6)
    return best


def main() -> int:
    """Run what the arguments ask for and print it as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--inputs", type=int, default=200_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--labelled", type=Path, help="texts with what should be read, as JSON lines")
    arguments.add_argument("--report", type=Path, help="where the result is written as JSON")
    given = arguments.parse_args()
    result: dict[str, object] = {}
    if given.labelled:
        result["labelled"] = scored(given.labelled)
    grown = result["repeated"] = repeated()
    print(json.dumps(result, indent=1), flush=True)
    found = result["fuzzed"] = fuzz(given.inputs, given.seed)
    text = json.dumps(result, indent=1, ensure_ascii=True)
    print(text)
    if given.report:
        given.report.write_text(text + "\n")
    slow = grown["slowest_64kb_ms"] > _LIMIT_MS or grown["steepest_fourfold"] > 4 * _SLACK  # type: ignore[operator]
    return int(bool(found["wrong"]) or slow)


if __name__ == "__main__":
    sys.exit(main())
