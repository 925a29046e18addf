"""A kept answer as it leaves: compressed once, tagged once, with the time of now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.web import compression, conditional
from hefesto_api.web.envelope import CLOSING, OPENING, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.adapters.cache.entry import Entry


def ordered(query: str) -> str:
    """Return a query with its parameters in the order of their names."""
    if "&" not in query:
        return query
    return "&".join(sorted(query.split("&"), key=lambda part: part.partition("=")[0]))


def answered(entry: Entry, environ: Mapping[str, Any]) -> Answer:
    """Return a kept answer as a response of Flask."""
    status, headers, body = told(entry, environ)
    return Answer(body, status=status, headers=headers)


def told(entry: Entry, environ: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return the status, headers and body of a kept answer for a request.

    It is compressed as the client takes it, and without body where he has it.
    """
    headers = [("ETag", f'"{entry.etag}"'), *entry.headers]
    wanted = environ.get("HTTP_IF_NONE_MATCH")
    if wanted is not None and conditional.holds(wanted, entry.etag):
        return "304 NOT MODIFIED", headers, b""
    coding = compression.chosen(environ.get("HTTP_ACCEPT_ENCODING", ""))
    if coding != compression.IDENTITY:
        if len(entry.data) > compression.LEAST:
            headers.append(("Content-Encoding", coding))
        else:
            coding = compression.IDENTITY
    body: bytes = _begun(entry, coding).ended(clock.rfc3339(clock.now()).encode() + b'"}')
    headers.append(("Content-Type", "application/json"))
    headers.append(("Content-Length", str(len(body))))
    return "200 OK", headers, body


def _begun(entry: Entry, coding: str) -> compression.Begun:
    found: compression.Begun | None = entry.bodies.get(coding)
    if found is None:
        found = compression.begun(coding, OPENING + entry.data + CLOSING)
        entry.bodies = {**entry.bodies, coding: found}
    return found
