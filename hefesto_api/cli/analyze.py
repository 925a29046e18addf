"""`hefesto analyze`: look at files and folders, without a server."""

from __future__ import annotations

import gc
import os
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hefesto_api.cli import failures
from hefesto_api.cli.push_options import address, slug
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.analyzers.engine import Engine
    from hefesto_api.cli.failures import Interruption
    from hefesto_api.cli.results import Result
    from hefesto_api.features.analysis.order import TreeSource
    from hefesto_api.features.analysis.selection import Selection
    from hefesto_api.storage.database import Database

SEVERITIES = ("low", "medium", "high", "critical")
FORMATS = ("text", "json", "sarif", "html", "github", "junit", "codeclimate")
GROUPS = ("complexity", "security", "code_smells", "best_practices")


class Wish(NamedTuple):
    """What the command line asks for."""

    paths: tuple[str, ...]
    severity: str | None
    format: str
    output: Path | None
    fail_on: str | None
    exclude: tuple[str, ...]
    diff_base: str | None
    analyzers: tuple[str, ...]
    jobs: int | None
    color: bool | None
    quiet: bool
    all: bool
    push: str | None = None
    project: str | None = None

    @property
    def threshold(self) -> str:
        """The least severity to show: as asked, else medium, or lower where the gate is."""
        if self.severity or not self.fail_on:
            return self.severity or "medium"
        return min(self.fail_on, "medium", key=SEVERITIES.index)


def _groups(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Read a list of analyzer groups."""
    names = tuple(name.strip().lower().replace("-", "_") for name in (value or "").split(",") if name.strip())
    for name in names:
        if name not in GROUPS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(GROUPS)}.")
    return tuple(group for group in GROUPS if group in names)


def _revision(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty name: a variable that was not set must not switch the comparison off."""
    if value is not None and not value.strip():
        raise click.BadParameter("a commit, branch or tag is wanted.")
    return value


@click.command("analyze")
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option(
    "--severity", type=click.Choice(SEVERITIES, case_sensitive=False), help="Least severity to show: medium."
)
@click.option(
    "--format",
    type=click.Choice(FORMATS, case_sensitive=False),
    default="text",
    help="Form of the report: text.",
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to a file."
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES, case_sensitive=False),
    help="Exit with 1 when there are findings from this severity up.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave files out, as .gitignore would; may be repeated.",
)
@click.option(
    "--diff-base",
    callback=_revision,
    metavar="REV",
    help="Show only what is new against this commit, branch or tag.",
)
@click.option("--analyzers", callback=_groups, metavar="A,B", help=f"Only these groups: {', '.join(GROUPS)}.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), help="Parser processes: one for each processor.")
@click.option("--color/--no-color", default=None, help="Colours: on a terminal, unless NO_COLOR is set.")
@click.option("--quiet", "-q", is_flag=True, help="The report alone: no progress, summary or hints.")
@click.option("--all", is_flag=True, help="Show every finding, not the worst fifty, on a terminal.")
@click.option(
    "--push",
    callback=address,
    metavar="URL",
    help="Send what is found to a server; HEFESTO_API_KEY is its key.",
)
@click.option("--project", callback=slug, metavar="SLUG", help="The server's project: the folder's name.")
def command(**options: Any) -> None:
    """Look for what is wrong in files and folders; needs no server.

    Exits with 0, or 1 when --fail-on finds something, 2 for a wrong use, 3 when the analysis
    or --push failed.
    """
    # Nearly all that this process makes lives to its end, or goes without help: looking for cycles after
    # every 700 values took a tenth of its time, and found nothing that memory would have missed.
    gc.set_threshold(20_000, 20, 100)
    with failures.told() as interruption:
        failures.leave(run(Wish(**options), interruption))


def run(wish: Wish, interruption: Interruption) -> int:
    """Analyse, report, and return the exit status."""
    began = time.monotonic()
    if wish.push and (wish.diff_base or wish.analyzers):
        raise UsageError("--push sends all that is found: it goes with neither --diff-base nor --analyzers.")
    if wish.project and not wish.push:
        raise UsageError("--project is that of the server of --push.")
    if wish.output is not None:
        _make_sure_writable(wish.output)
    with ExitStack() as held:
        ready = _ready(wish, interruption, held)
        # What needs SQLAlchemy is imported from here on, while the engine is at work on a first analysis.
        from hefesto_api.cli import output, results, state  # noqa: PLC0415

        db = held.enter_context(state.opened(os.environ, failures.say))
        found = _analyse(db, ready, wish, interruption)
        for result in found:
            if result.record.status != "completed":
                failures.say(results.failure(result))
                return results.status_of(result)
        files = sum(result.record.files_analyzed for result in found)
        cached = max(files - ready.engine.examined, 0)
        findings = results.Findings(found, time.monotonic() - began, cached)
        if output.is_for_eyes(wish):
            from hefesto_api.cli import terminal  # noqa: PLC0415 - a pipe does not pay for rich

            terminal.write(db, findings, wish)
        else:
            output.write(db, findings, wish)
        if wish.push:
            from hefesto_api.cli import push  # noqa: PLC0415

            push.send(db, findings, wish, os.environ)
    return failures.GATE_FAILED if results.gate_fails(found, wish.fail_on) else failures.CLEAN


class _Ready(NamedTuple):
    """What a command has before it opens the database; `listed` are the files of the first selection."""

    selections: Sequence[Selection]
    engine: Engine
    listed: TreeSource | None


def _ready(wish: Wish, interruption: Interruption, held: ExitStack) -> _Ready:
    """Make the engine, and begin with what surely has to be examined."""
    from hefesto_api.analyzers.pool import ParserChild  # noqa: PLC0415 - `--help` needs none of it
    from hefesto_api.analyzers.registry import Thresholds  # noqa: PLC0415
    from hefesto_api.cli import state  # noqa: PLC0415
    from hefesto_api.features.analysis.selection import select  # noqa: PLC0415

    selections = select(wish.paths)
    settings = state.settings_of(os.environ)
    failures.warn(settings.warnings)
    thresholds = Thresholds(
        settings.complexity_thresholds, settings.max_function_lines, settings.max_parameters
    )
    children = [ParserChild(thresholds) for _ in range(wish.jobs or settings.analysis_processes)]
    first = selections[0]
    is_first = state.is_first(os.environ, first.project)
    if is_first:
        with interruption.deferred():
            for child in children:
                child.start()  # they are ready when the files are listed
    from hefesto_api.analyzers.engine import Engine  # noqa: PLC0415 - while the children import theirs
    from hefesto_api.cli import head_start  # noqa: PLC0415

    engine = Engine(thresholds, children=children)
    held.callback(engine.close)
    if not is_first:
        return _Ready(selections, engine, None)
    exclude = _options(wish, first).get("exclude_patterns", ())
    return _Ready(
        selections, engine, held.enter_context(head_start.begun(engine, first, exclude, interruption))
    )


def _analyse(db: Database, ready: _Ready, wish: Wish, interruption: Interruption) -> list[Result]:
    """Carry the analyses out."""
    from hefesto_api.cli import progress, state  # noqa: PLC0415
    from hefesto_api.cli.results import Result  # noqa: PLC0415
    from hefesto_api.features.analysis import local  # noqa: PLC0415

    found: list[Result] = []
    with (
        closing(ready.engine),  # before the report is written
        progress.shown(quiet=wish.quiet or not sys.stderr.isatty()) as hooks_for,
    ):
        for selection in ready.selections:
            listed = None if found else ready.listed
            alone = not os.environ.get(state.VARIABLE)  # a database that is named may be that of a service
            hooks = hooks_for(selection)._replace(stop=interruption, listed=listed, alone=alone)
            with (
                state.exclusive(os.environ, selection.project, failures.say),
                interruption.deferred(),
            ):
                record = local.analyse(
                    db, ready.engine, selection, _options(wish, selection),
                    diff_base=wish.diff_base, hooks=hooks,
                )  # fmt: skip
            found.append(Result(selection, record))
    return found


def _make_sure_writable(path: Path) -> None:
    """Refuse a place for the report that cannot be written, before the work is done."""
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"--output {path}: there is no folder {folder}.")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"--output {path}: it cannot be written.")


def _options(wish: Wish, selection: Selection) -> dict[str, Any]:
    """Return the analysis's options; the report itself is not part of what is analysed."""
    exclude = [*wish.exclude, *_own_report(wish, selection)]
    options = {"analyzers": list(wish.analyzers), "exclude_patterns": exclude}
    return {name: value for name, value in options.items() if value} | {
        "severity_threshold": wish.threshold.upper()
    }


def _own_report(wish: Wish, selection: Selection) -> list[str]:
    """Return the pattern that leaves the report out where it is written into the analysed folder."""
    if wish.output is None:
        return []
    target = Path(os.path.realpath(wish.output))
    for place, is_dir in selection.places:
        if is_dir and target.is_relative_to(selection.top / place):
            relative = target.relative_to(selection.top / place).as_posix()
            return ["/" + "".join(f"\\{letter}" if letter in "\\*?[] !#" else letter for letter in relative)]
    return []
