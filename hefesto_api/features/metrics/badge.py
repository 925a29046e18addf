"""A project's grade as a picture for its readme: one small SVG of our own."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from hefesto_api.domain import clock
from hefesto_api.storage import measures, quality

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

LABEL = "quality"
UNKNOWN = "unknown"
_COLOURS = {"A": "#2da44e", "B": "#7a9a01", "C": "#b58900", "D": "#d2691e", "F": "#cf222e"}
_GREY = "#6e7781"
_CHARACTER = 7  # pixels, about what one takes at this size
_PADDING = 12
_TEMPLATE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{all}" height="20" role="img" '
    'aria-label="{label}: {value}">'
    "<title>{label}: {value}</title>"
    '<rect width="{all}" height="20" rx="3" fill="#444d56"/>'
    '<rect x="{left}" width="{right}" height="20" rx="3" fill="{colour}"/>'
    '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
    '<text x="{at_label}" y="14">{label}</text><text x="{at_value}" y="14">{value}</text></g></svg>'
)


def badge(session: Session, project_id: str) -> bytes:
    """Return the badge of a project: its grade and its score, or that nothing is known of it."""
    today = clock.now().date().isoformat()
    if not measures.is_known_by(session, [project_id], today):
        return _svg(UNKNOWN, _GREY)
    found = quality.current(session, project_id)
    return _svg(f"{found.grade} {found.score:.0f}", _COLOURS[found.grade])


def _svg(value: str, colour: str) -> bytes:
    left, right = (len(text) * _CHARACTER + _PADDING for text in (LABEL, value))
    drawn = _TEMPLATE.format(
        all=left + right,
        left=left,
        right=right,
        at_label=left / 2,
        at_value=left + right / 2,
        colour=colour,
        label=escape(LABEL),
        value=escape(value),
    )
    return drawn.encode()
