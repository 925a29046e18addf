"""Whole analyses side by side: this project, hefesto-ai, bandit, radon and ruff over the same source trees.

Prints files per second, wall time, CPU and memory of each, with the least that the unavoidable parts take.
Exit status: 0 the targets are met, 1 one is missed or a run of ours failed, 3 they could not be judged.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from benchmarks import corpora, limits, processes, tools
from benchmarks.environments import environment
from benchmarks.report import Figures, Report, judge, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.processes import Usage
    from benchmarks.tools import Tool

MET, MISSED, UNJUDGED = 0, 1, 3
REPOSITORY: Final = Path(__file__).parents[1]


class Bench(Struct, frozen=True):
    """One corpus being measured: the copied tree, a scratch folder, and what the user asked for."""

    tree: Path
    work: Path
    options: argparse.Namespace

    def run(self, argv: list[str], report: Path, *, state: str = "state") -> Usage:
        """Measure one command. Raises Failed."""
        home = self.work / state
        home.mkdir(exist_ok=True)
        env = tools.ENVIRONMENT | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        return processes.measure(argv, env=env, cwd=home, stdout=report, timeout=self.options.timeout)

    def run_tool(self, tool: Tool, turn: int) -> tuple[Usage, int | None]:
        """Run a tool once; what it saw is read from its report. Raises Failed."""
        report = self.work / "report"
        report.unlink(missing_ok=True)
        if tool.name == tools.CHANGED:
            change_one(self.tree, turn)
        printed = self.work / "printed" if "{out}" in tool.argv else report
        usage = self.run(self.command(tool, report), printed, state=f"state-{turn}")
        if usage.status not in tool.statuses:
            raise processes.Failed(f"exit status {usage.status}: {processes.errors(printed)}")
        if not report.exists():
            raise processes.Failed(f"no report: {processes.errors(printed)}")
        return usage, tool.seen(report)

    def command(self, tool: Tool, report: Path) -> list[str]:
        """Return a tool's command line, from its own environment where it has one."""
        cache: Path = self.options.cache
        folder = environment(tool.requirement, cache) / "bin" if tool.requirement else Path()
        return tool.command(folder, self.tree, report)


def change_one(tree: Path, turn: int) -> None:
    """Append a line to the file in the middle of the tree: a small change, a new content each turn."""
    files = corpora.python_files(tree)
    with files[len(files) // 2].open("a", encoding="utf-8") as file:
        file.write(f"\n# changed {turn}\n")


def measure_tools(bench: Bench, contestants: Iterable[Tool]) -> Iterator[Figures]:
    """Run the contestants in turns, A B C A B C: what slows the machine for a while slows all of them."""
    contestants = list(contestants)
    runs: dict[str, list[Usage]] = {tool.name: [] for tool in contestants}
    seen: dict[str, int | None] = {}
    failures: dict[str, str] = {}
    for turn in range(bench.options.runs):
        for tool in contestants:
            if tool.name in failures or (tool.slow and turn >= bench.options.baseline_runs):
                continue
            progress(f"{tool.name} ({turn + 1})")
            try:
                usage, seen[tool.name] = bench.run_tool(tool, turn)
                runs[tool.name].append(usage)
            except processes.Failed as error:
                failures[tool.name] = str(error)
    for tool in contestants:
        command = shlex.join(bench.command(tool, bench.work / "report"))
        name = tool.name
        yield Figures(name, command, tuple(runs[name]), seen.get(name), failures.get(name))


def measure_limits(bench: Bench) -> Iterator[Figures]:
    """Run each unavoidable part alone, as often as our own tool."""
    # as `python -m`, but with an environment and a working directory like those of the tools
    start = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from benchmarks.limits import main; main()"
    python = [sys.executable, "-c", start]
    parts = [(part, [*python, part, str(bench.tree)]) for part in limits.available()]
    for name, argv in [*parts, (limits.ruff_rules()[1], limits.ruff(bench.tree))]:
        progress(f"limit: {name}")
        runs = [bench.run(argv, bench.work / "limit") for _ in range(bench.options.runs)]
        bad = next((run.status for run in runs if run.status), None)
        failure = f"exit status {bad}: {processes.errors(bench.work / 'limit')}" if bad else None
        yield Figures(name, shlex.join(argv), tuple(runs), failure=failure)


def bound(parts: list[Figures]) -> float:
    """Return the CPU seconds of ruff and of the last of our own parts, which holds the others, a core."""
    return sum(figures.cpu for figures in parts[-2:]) / limits.cores()


def measure_corpus(name: str, options: argparse.Namespace) -> Report:
    """Measure everything over one corpus, in a copy of it."""
    source = corpora.corpus(name, options.cache)
    with tempfile.TemporaryDirectory(prefix="hefesto-benchmark-") as folder:
        before = limits.contention()
        bench = Bench(corpora.copy(source, Path(folder, "tree"), options.subset), Path(folder), options)
        figures = tuple(measure_tools(bench, chosen(options)))
        parts = list(measure_limits(bench))
        files = len(corpora.python_files(bench.tree))
    subset = options.subset is not None
    report = Report(
        source.name, files, subset, figures, tuple(parts), bound(parts), (before, limits.contention())
    )
    return msgspec.structs.replace(report, verdicts=judge(report))


def chosen(options: argparse.Namespace) -> list[Tool]:
    """Return the contestants: the others as asked for, and ours when its command works."""
    others = [tool for tool in tools.OTHERS if not options.only or tool.name in options.only]
    return [*others, *(tools.ours(options.ours) if available(options.ours) else ())]


def available(command: list[str]) -> bool:
    """Tell whether our command line is there and starts."""
    if not shutil.which(command[0]):
        return False
    return not subprocess.run([*command, "analyze", "--help"], capture_output=True, check=False).returncode


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": f"{limits.cores()} x {model}",
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def progress(text: str) -> None:
    """Say on a terminal's standard error what is being measured."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text} ...", end="", file=sys.stderr, flush=True)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis", description=__doc__)
    add: Callable[..., argparse.Action] = parser.add_argument
    add("corpora", nargs="*", metavar="CORPUS", help=f"of {', '.join(corpora.CORPORA)}; default: all")
    add(
        "--ours",
        type=shlex.split,
        default=[str(Path(sys.executable).with_name("hefesto"))],
        metavar="COMMAND",
    )
    add("--only", action="append", metavar="TOOL", help="compare with these only, by the name in the table")
    add("--runs", type=int, default=3, help="rounds (%(default)s)")
    add("--baseline-runs", type=int, default=3, help="rounds with the slow tools too (%(default)s)")
    add("--subset", type=int, help="only this many files of each corpus; the output says so")
    add("--timeout", type=float, default=900, metavar="S", help="for a single run (%(default)s)")
    add("--cache", type=Path, default=corpora.default_cache(), metavar="DIR", help="default: %(default)s")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


def status(reports: list[Report]) -> int:
    """Return the exit status that the reports earn."""
    failed = any(f.failure for report in reports for f in report.figures if f.name.startswith("hefesto,"))
    if failed or not all(met for report in reports for _, met in report.verdicts):
        return MISSED
    return MET if all(report.verdicts for report in reports) else UNJUDGED


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and say whether the targets are met."""
    options = parse(arguments)
    conditions = machine()
    print("; ".join(f"{key} {value}" for key, value in conditions.items()))
    print("tree MB: peak of the summed PSS of all processes, looked at 20 times a second;")
    print(
        "largest: the kernel's own figure for the largest process; saw: Python files, by the tool's report;"
    )
    print(f"ratio, CPU x: times less wall time, times less CPU than {tools.BASELINE} in this run, by medians")
    if not available(options.ours):
        print(f"OURS: NOT AVAILABLE ({shlex.join(options.ours)} analyze does not start)")
    for tool in chosen(options):
        if tool.requirement:  # installed before anything is measured
            environment(tool.requirement, options.cache)
    reports = []
    for name in options.corpora or corpora.CORPORA:
        reports.append(measure_corpus(name, options))
        show(reports[-1])
    if options.json:
        content = msgspec.json.encode({"machine": conditions, "corpora": reports})
        options.json.write_bytes(msgspec.json.format(content))
    print("\ncommands:", *(f.command for f in reports[-1].figures + reports[-1].limits), sep="\n  ")
    return status(reports)


if __name__ == "__main__":
    sys.exit(main())
