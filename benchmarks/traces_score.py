"""Score the reading of traces on labelled texts.

One JSON object a line: `text`, `negative` (no trace is in it), and `expected` with `exception_type`,
`message`, `frames` (`file`, `line`, `function`), `crash_frame_index`, `in_app_frame_index`, and optionally
`optional_frames`, `root_frame_index`, `root_in_app_frame_index`, which count as well.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import hefesto_api.domain.traces as traces

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def scored(path: Path) -> dict[str, object]:
    """The shares of texts read exactly, with the right type, crash frame and application frame."""
    cases = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    positive = [case for case in cases if not case.get("negative")]
    results = [_one(case) for case in positive]
    false = [
        case.get("id") for case in cases if case.get("negative") and list(traces.parse(case["text"]).frames())
    ]
    count = max(len(results), 1)
    return {
        "texts": len(results),
        **{
            name: round(sum(r[name] for r in results) / count, 4)
            for name in ("exact", "type", "crash", "in_app")
        },
        "not_exact": [case.get("id") for case, r in zip(positive, results, strict=True) if not r["exact"]],
        "negatives": len(cases) - len(positive),
        "negatives_with_frames": false,
    }


def _one(case: dict[str, Any]) -> dict[str, bool]:
    trace = traces.parse(case["text"])
    expected = case["expected"]
    frames = expected["frames"]
    left = list(trace.frames())
    missed = 0
    for frame in frames:
        found = next((one for one in left if _same(one, frame)), None)
        missed += found is None
        if found is not None:
            left.remove(found)
    extra = [
        one for one in left if not any(_same(one, frame) for frame in expected.get("optional_frames", []))
    ]
    kind = trace.raised.type if trace.raised else None
    wanted = expected["exception_type"]
    return {
        "exact": not missed and not extra,
        "type": (kind or "").rpartition(".")[2].lower() == (wanted or "").rpartition(".")[2].lower(),
        "crash": _right(traces.crash_frame(trace), expected, ("crash_frame_index", "root_frame_index")),
        "in_app": _right(
            traces.in_app_frame(trace), expected, ("in_app_frame_index", "root_in_app_frame_index")
        ),
    }


def _right(frame: traces.Frame | None, expected: dict[str, Any], names: Iterable[str]) -> bool:
    wanted = [expected["frames"][at] for name in names if (at := expected.get(name)) is not None]
    if not wanted:
        return frame is None
    return frame is not None and any(_same(frame, one) for one in wanted)


def _same(frame: traces.Frame, wanted: dict[str, Any]) -> bool:
    """Whether the places are one: lines equal, and one path the end of the other."""
    if wanted["file"] is None or wanted["line"] is None:
        mine, other = (str(name or "").split("(")[0] for name in (frame.function, wanted["function"]))
        return mine == other or mine.endswith(f".{other}")
    if frame.line != wanted["line"]:
        return False
    if wanted["file"].startswith("<ipython"):
        return True
    one, two = (
        str(path).replace("\\", "/").removeprefix("./").partition("?")[0]
        for path in (frame.file, wanted["file"])
    )
    return one == two or one.endswith(f"/{two}") or two.endswith(f"/{one}")
