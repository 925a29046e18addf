"""What the engine runs: the tools of others, and what the operator may set of our checks (`checks`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from hefesto_api.domain.errors import HefestoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.analyzers.base import BatchTool


class Thresholds(Struct, frozen=True):
    """What the operator may set; part of the key under which a report is kept."""

    complexity: tuple[int, int, int, int] = (5, 10, 15, 20)
    max_function_lines: int = 50
    max_parameters: int = 5


def batch_tools() -> tuple[BatchTool, ...]:
    """Return the tools of others; importing them here spares the parser children a sixth of their start."""
    from hefesto_api.analyzers.ruff import RUFF  # noqa: PLC0415

    return (RUFF,)


def availability() -> dict[str, str]:
    """Tell for each analyzer group's parts whether they can work here: available or unavailable."""
    parts = {tool.name: _works(tool.version) for tool in batch_tools()}
    parts["tree_sitter"] = _works(lambda: import_module("tree_sitter").__name__)
    return parts


def _works(probe: Callable[[], str]) -> str:
    try:
        probe()
    except (HefestoError, ImportError, OSError):
        return "unavailable"
    return "available"
