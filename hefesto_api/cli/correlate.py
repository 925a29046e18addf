"""`hefesto correlate`: from a stack trace on standard input to the function at fault, without a server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hefesto_api.cli import failures
from hefesto_api.domain.errors import AnalysisFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMATS = ("text", "json")
LONGEST = 10_000_000  # bytes of input that are looked at


@click.command("correlate")
@click.argument("file", required=False, default="-", metavar="[FILE]")
@click.option("--repo", default=".", metavar="FOLDER", help="The code that crashed: the current folder.")
@click.option(
    "--format", type=click.Choice(FORMATS, case_sensitive=False), default="text", help="text or json: text."
)
@click.option(
    "--map",
    "mappings",
    multiple=True,
    metavar="FROM=TO",
    help="Where the trace's paths lie in the code, such as /srv/app=src; may be repeated.",
)
@click.option("--color/--no-color", default=None, help="Colours: on a terminal, unless NO_COLOR is set.")
def command(file: str, repo: str, format: str, mappings: tuple[str, ...], color: bool | None) -> None:
    """Find the function at fault for a stack trace, in FILE or on standard input; needs no server.

    Exits with 0 whether or not somebody is suspected, 2 for a wrong use, 3 when FILE cannot be read.
    """
    pairs = [_mapping(one) for one in mappings]
    with failures.told():
        text = _read(file)
        from hefesto_api.cli import correlating  # noqa: PLC0415 - `--help` needs none of it

        answer = correlating.correlate(text, repo, pairs, os.environ)
        if format.lower() == "json":
            from hefesto_api.formats.safe import to_json  # noqa: PLC0415

            _print([to_json(answer.told()), b"\n"])
            return
        from hefesto_api.cli import correlate_text, terminal  # noqa: PLC0415 - a pipe of JSON needs no rich

        console = terminal.console_of(color)
        _print(correlate_text.rendered(answer, console))


def _mapping(given: str) -> tuple[str, str]:
    source, equals, target = given.partition("=")
    if not equals or not source:
        raise click.BadParameter(f"{given!r} is not FROM=TO.", param_hint="--map")
    return source, target


def _read(file: str) -> str:
    """Read the trace; raises AnalysisFailed when that cannot be done."""
    try:
        if file == "-":
            content = sys.stdin.buffer.read(LONGEST)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(LONGEST)
    except (OSError, ValueError) as error:
        raise AnalysisFailed(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    return content.decode("utf-8", "replace")


def _print(pieces: Iterable[bytes]) -> None:
    from hefesto_api.cli import output  # noqa: PLC0415

    output.to_stdout(pieces)
