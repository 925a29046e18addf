"""What a comparison found over one corpus: figures, the verdict on the targets, and the printed table."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from benchmarks import limits, tools
from benchmarks.processes import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

# What this project promises against hefesto-ai 4.20.3, measured in the same run on the same machine. A cold
# run pays for everything; a warm one only finds out that nothing changed. The memory is that of the whole
# tree of processes, so that a small virtual machine can hold it beside a service.
COLD_TARGET: Final = 20.0
WARM_TARGET: Final = 80.0
PEAK_TARGET_MB: Final = 400.0
# and an analysis that is fast because it looks away is none (a few files lie in folders no tool enters)
SEEN_TARGET: Final = 0.99

BUSY: Final = 1.15  # contention (see limits) from which wall times are not to be quoted


class Figures(Struct, frozen=True):
    """What all runs of one tool over one corpus took; `seen` is how many Python files it says it analysed."""

    name: str
    command: str
    runs: tuple[Usage, ...]
    seen: int | None = None
    failure: str | None = None

    @property
    def wall(self) -> float:
        """The median, in seconds."""
        return median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """The median, in seconds."""
        return median(run.cpu for run in self.runs)


class Report(Struct, frozen=True):
    """One corpus. `bound` is the shortest wall time in seconds of the unavoidable parts, evenly spread;
    `contention` is how many times slower than at rest the machine was, before and after.
    """

    corpus: str
    files: int
    subset: bool
    figures: tuple[Figures, ...]
    limits: tuple[Figures, ...]
    bound: float
    contention: tuple[float, float] = (1.0, 1.0)
    verdicts: tuple[tuple[str, bool], ...] = ()

    def of(self, name: str) -> Figures | None:
        """Return the figures of a tool that took part and did not fail."""
        return next((f for f in self.figures if f.name == name and f.runs and not f.failure), None)

    def ratio(self, figures: Figures) -> float | None:
        """How many times faster than the baseline, by median wall time."""
        baseline = self.of(tools.BASELINE)
        return baseline.wall / figures.wall if baseline and figures.runs else None

    def cpu_ratio(self, figures: Figures) -> float | None:
        """How many times less CPU than the baseline: less moved by what else the machine does."""
        baseline = self.of(tools.BASELINE)
        return baseline.cpu / figures.cpu if baseline and figures.runs and figures.cpu else None


def judge(report: Report) -> tuple[tuple[str, bool], ...]:
    """Compare with the targets; empty when our figures or the baseline's are missing."""
    cold, warm = report.of(tools.COLD), report.of(tools.WARM)
    faster, again = cold and report.ratio(cold), warm and report.ratio(warm)
    if not (cold and faster and again):
        return ()
    peak = max(run.peak_mb for f in (cold, warm, report.of(tools.CHANGED)) if f for run in f.runs)
    seen = (cold.seen or 0) / report.files
    return (
        (f"cold {faster:.1f}x {tools.BASELINE}, wanted {COLD_TARGET:.0f}x", faster >= COLD_TARGET),
        (f"warm {again:.1f}x {tools.BASELINE}, wanted {WARM_TARGET:.0f}x", again >= WARM_TARGET),
        (f"peak {peak:.0f} MB, wanted below {PEAK_TARGET_MB:.0f} MB", peak < PEAK_TARGET_MB),
        (f"saw {seen:.1%} of the files, wanted {SEEN_TARGET:.0%}", seen >= SEEN_TARGET),
    )


def spread(values: Iterable[float], digits: int) -> str:
    """Return the median and, of several values, the least and the greatest."""
    ordered = sorted(values)
    middle = f"{median(ordered):.{digits}f}"
    return middle if len(ordered) == 1 else f"{middle} ({ordered[0]:.{digits}f}-{ordered[-1]:.{digits}f})"


COLUMNS: Final = "{:<26} {:>8} {:>20} {:>20} {:>18} {:>9} {:>7} {:>7} {:>6} {:>4}"
HEADINGS: Final = ("", "files/s", "wall s", "CPU s", "tree MB", "largest", "ratio", "CPU x", "saw", "runs")


def row(report: Report, figures: Figures) -> str:
    """Return one line of the table."""
    if figures.failure or not figures.runs:
        return f"{figures.name:<26} failed: {figures.failure or 'no runs'}"
    ratio, cpu_ratio = report.ratio(figures), report.cpu_ratio(figures)
    return COLUMNS.format(
        figures.name,
        f"{report.files / figures.wall:.0f}",
        spread((run.wall for run in figures.runs), 2),
        spread((run.cpu for run in figures.runs), 2),
        spread((run.tree_mb for run in figures.runs), 0),
        f"{max(run.process_mb for run in figures.runs):.0f}",
        f"{ratio:.1f}x" if ratio else "-",
        f"{cpu_ratio:.1f}x" if cpu_ratio else "-",
        figures.seen if figures.seen is not None else "-",
        len(figures.runs),
    ).rstrip()


def show(report: Report) -> None:
    """Print one corpus's table, its limits and its verdicts."""
    before, after = report.contention
    shared = "; OTHER WORK SHARES THE PROCESSORS" if max(before, after) > BUSY else ""
    print(
        f"\n{report.corpus}: {report.files} Python files; contention {before:.2f}, then {after:.2f}{shared}"
    )
    if report.subset:
        print("  A SUBSET of the corpus: fixed costs weigh more here, so these ratios are not the corpus's.")
    print(COLUMNS.format(*HEADINGS).rstrip())
    for figures in report.figures:
        print(row(report, figures))
    print(f"unavoidable, each alone (own parts in {limits.cores()} processes, each with those above it):")
    for figures in report.limits:
        print(row(report, figures))
    print(f"bound: {report.bound:.2f} s, their CPU spread evenly over {limits.cores()} cores")
    if cold := report.of(tools.COLD):
        print(f"ours, cold, takes {cold.wall / report.bound:.2f} times the bound")
    for text, met in report.verdicts:
        print(f"{'met   ' if met else 'MISSED'} {text}")
