"""`hefesto explain`: what a rule is about, why it matters, and what to do."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from hefesto_api.cli import failures
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.analyzers.base import RuleInfo

WIDEST = 100
_COLOURS = {"CRITICAL": "red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "cyan"}


@click.command("explain")
@click.argument("rule", required=False)
@click.option("--list", "listed", is_flag=True, help="List every rule.")
def command(rule: str | None, *, listed: bool) -> None:
    """Explain a RULE, named by its id, its short name or a tool's own code (such as S608), in any case."""
    if listed == (rule is not None):
        raise click.UsageError("Name a rule, or use --list.")
    with failures.told():
        lines = _table() if rule is None else _told(found(rule))
        click.echo("\n".join(lines))


def found(name: str) -> RuleInfo:
    """Return the rule of an id, a former id, a slug or a tool's code; raises UsageError with the nearest."""
    from hefesto_api.analyzers.catalogue import RULES  # noqa: PLC0415 - `--help` needs no catalogue

    names = {one.lower(): entry for entry in RULES.values() for one in _names(entry)}
    entry = names.get(name.strip().lower().replace(" ", "_"))
    if entry is not None:
        return entry
    near = difflib.get_close_matches(name.strip().lower(), names, n=12, cutoff=0.5)
    nearest = list(dict.fromkeys(names[one].id for one in near))[:3]
    hint = (
        f" Did you mean {' or '.join(nearest)}?" if nearest else " `hefesto explain --list` names them all."
    )
    raise UsageError(f"there is no rule {name!r}.{hint}")


def _names(entry: RuleInfo) -> Iterator[str]:
    yield from (entry.id, entry.slug, entry.slug.replace("_", "-"), *entry.aliases)
    for source in entry.sources:
        yield from (source, source.partition(":")[2])


def _table() -> Iterator[str]:
    from hefesto_api.analyzers.catalogue import RULES  # noqa: PLC0415 - `--help` needs no catalogue

    width = max(map(len, RULES))
    for entry in sorted(RULES.values(), key=lambda one: one.id):
        severity = click.style(f"{entry.severity:<8}", fg=_COLOURS[entry.severity])
        yield f"{entry.id:<{width}}  {severity}  {entry.title}"


def _told(entry: RuleInfo) -> Iterator[str]:
    severity = click.style(entry.severity, fg=_COLOURS[entry.severity], bold=True)
    group = entry.analyzer.value.replace("_", " ")
    cwes = "".join(f", CWE-{cwe}" for cwe in entry.cwe)
    yield f"{click.style(entry.title, bold=True)}"
    yield f"{entry.id}  {severity}, {group}, confidence {entry.confidence:.0%}{cwes}"
    yield from _paragraph("Why", entry.explanation)
    yield from _paragraph("What to do", entry.recommendation)
    yield from _code("Not so", entry.bad, "red")
    yield from _code("But so", entry.good, "green")
    yield from _paragraph("Languages", ", ".join(entry.languages) or "all")
    yield from _paragraph("Also known as", ", ".join([entry.slug, *entry.aliases, *entry.sources]))


def _paragraph(title: str, text: str) -> Iterator[str]:
    if text.strip():
        width = min(click.get_current_context().terminal_width or _columns(), WIDEST)
        yield ""
        yield click.style(title, bold=True)
        yield click.wrap_text(text.strip(), width, "  ", "  ")


def _code(title: str, code: str, colour: str) -> Iterator[str]:
    if code.strip():
        yield ""
        yield click.style(title, bold=True)
        yield from (click.style(f"  {line}", fg=colour) for line in code.strip("\n").splitlines())


def _columns() -> int:
    import shutil  # noqa: PLC0415 - only where something is wrapped

    return shutil.get_terminal_size().columns
