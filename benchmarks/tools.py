"""The analyzers under comparison: how each is run over a tree, and how many Python files it says it saw.

Every tool runs with a home of its own, no network wanted of it (the opt-outs of telemetry and update checks
that hefesto-ai documents), nothing on standard input, its report to a file, and whatever parallelism it has
by default. Its exit status for "there are findings" is switched off or accepted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

BASELINE: Final = "hefesto-ai"
COLD: Final = "hefesto, cold"
WARM: Final = "hefesto, nothing changed"
CHANGED: Final = "hefesto, one file changed"

# what a team would switch on that wants more than security: 20 families, no docstring or annotation rules
RUFF_RULES: Final = "A,ARG,B,BLE,C4,C90,DTZ,E,F,I,N,PERF,PIE,PL,RET,RUF,S,SIM,TRY,UP,W"

ENVIRONMENT: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "DO_NOT_TRACK": "1",
    "HEFESTO_TELEMETRY": "0",
    "HEFESTO_NO_UPDATE_CHECK": "1",
}


class Tool(Struct, frozen=True):
    """A tool as data. In `argv`, `{bin}`, `{tree}` and `{out}` stand for its environment's commands, the
    tree, and the report; a report that is not named in `argv` is what it prints. `slow`: takes part only in
    the first rounds (`--baseline-runs`).
    """

    name: str
    argv: tuple[str, ...]
    requirement: str | None = None
    slow: bool = False
    statuses: frozenset[int] = frozenset({0})
    seen: Callable[[Path], int | None] = lambda _: None

    def command(self, binaries: Path, tree: Path, report: Path) -> list[str]:
        """Return the command line for one run."""
        return [part.format(bin=binaries, tree=tree, out=report) for part in self.argv]


def _hefesto_ai_seen(report: Path) -> int:
    return sum(file["language"] == "python" for file in json.loads(report.read_bytes())["files"])


def _bandit_seen(report: Path) -> int:
    answer = json.loads(report.read_bytes())
    return len(answer["metrics"].keys() - {"_totals"}) - len(answer["errors"])


def _ours_seen(report: Path) -> int | None:
    answer: dict[str, Any] = json.loads(report.read_bytes())
    count = answer.get("data", answer).get("files_analyzed")
    return int(count) if count is not None else None


OTHERS: Final = (
    Tool(
        name=BASELINE,
        requirement="hefesto-ai==4.20.3",
        # all severities, no limit, no one's configuration: everything its free edition has
        argv=("{bin}/hefesto", "analyze", "{tree}", "--severity", "low", "--output", "json", "--no-config"),
        slow=True,
        seen=_hefesto_ai_seen,
    ),
    Tool(
        name="bandit",
        requirement="bandit==1.9.4",
        argv=("{bin}/bandit", "-r", "{tree}", "-f", "json", "-q", "--exit-zero"),
        slow=True,
        seen=_bandit_seen,
    ),
    Tool(
        name="radon",
        requirement="radon==6.0.1",
        argv=("{bin}/radon", "cc", "-s", "{tree}"),
        slow=True,
    ),
    Tool(
        name="ruff",
        requirement="ruff==0.17.5",
        argv=(
            *("{bin}/ruff", "check", "--isolated", "--no-cache", "--no-respect-gitignore"),
            *("--exclude", "__none__", "--output-format", "json-lines", "--exit-zero"),
            *("--select", RUFF_RULES, "{tree}"),
        ),
    ),
)

_OURS: Final = ("analyze", "{tree}", "--format", "json", "--output", "{out}")


def ours(command: list[str]) -> tuple[Tool, ...]:
    """Return our three runs, in this order: with no state, again, and again after one file changed."""
    # status 1 is the severity gate, which says nothing about how the analysis went
    return tuple(
        Tool(name=name, argv=(*command, *_OURS), statuses=frozenset({0, 1}), seen=_ours_seen)
        for name in (COLD, WARM, CHANGED)
    )
