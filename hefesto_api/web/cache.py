"""Answers that are kept: which route's, made of what, for whom; and giving them without making them.

A route's answer is kept when the table that `declare` is given names it. It is given after all that a request
has to pass (authentication, limits, the route's scope), and instead of all that would make it. Most hits do
not even come as far as Flask: see `web.shortcuts`.
"""

from __future__ import annotations

import time
from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import current_app, g, request
from msgspec import Struct

from hefesto_api.adapters import heap
from hefesto_api.adapters.cache import Asked, Made, name_of, tags_of
from hefesto_api.adapters.cache.entry import Entry
from hefesto_api.storage import projects
from hefesto_api.web import conditional, context, kept, shortcuts, warming
from hefesto_api.web.envelope import Answer
from hefesto_api.web.scopes import demand, principal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask, Response

    from hefesto_api.adapters.cache.entry import Moment
    from hefesto_api.runtime import Runtime

    View = Callable[..., Any]

_TOLD = frozenset({"X-Total-Count"})  # headers that are part of an answer
_USUAL = _TOLD | {"Content-Type", "Content-Length"}
MOST_PROJECTS = 16  # of one caller, that are looked at each by itself
MOST_QUERY = 2048
_WITHIN = "kept_within"


class Keeping(Struct, frozen=True):
    """How a route's answer is kept: the kinds of data that it is made of, and where its project is told.

    `project` is the name of a query parameter or of a part of the address, or "" where an answer is of no
    single project. `seconds` is how long it is kept where it moves with the clock. `ready`: it is made anew
    before somebody asks, as long as it is used.
    """

    kinds: tuple[str, ...]
    project: str = "project"
    seconds: float | None = None
    ready: bool = False


def of_project(kind: str, project_id: str) -> None:
    """Say, while an answer is made, that all it tells of a kind of data belongs to one project.

    For answers whose address does not name their project.
    """
    g.setdefault(_WITHIN, {})[kind] = project_id


def declare(app: Flask, keepings: Mapping[str, Keeping]) -> None:
    """Keep the answers of routes, by their endpoints; call it when all routes are registered."""
    warming.install(app)
    for endpoint, keeping in keepings.items():
        app.view_functions[endpoint] = _kept(app.view_functions[endpoint], keeping)


def _kept(view: View, keeping: Keeping) -> View:
    scope: str = view._apidoc["scope"]  # type: ignore[attr-defined] # noqa: SLF001

    @wraps(view)
    def answer(**parts: Any) -> Any:
        held = context.runtime()
        query = kept.ordered(request.environ.get("QUERY_STRING", ""))
        if not held.answers.is_on or request.method not in {"GET", "HEAD"} or len(query) > MOST_QUERY:
            return view(**parts)
        demand(scope)
        seen = principal().projects
        path = request.environ.get("PATH_INFO", "")
        name = name_of(request.path, query, seen)
        several = bool(request.environ.get("wsgi.multiprocess"))
        asked = Asked((path, query, seen), name, keeping.seconds, several)

        def make(moment: Moment | None) -> Made[Any]:
            if moment is None:
                return Made(view(**parts), None)
            return _made(held, view, parts, keeping, asked, moment)

        made = held.answers.answer(asked, make)
        if made.entry is None:
            return made.answer
        if keeping.ready:
            warming.use(f"{request.path}?{query}" if query else request.path, seen)
        shortcuts.remember(current_app, query, scope)
        return kept.answered(made.entry, request.environ)

    return answer


def _made(
    held: Runtime, view: View, parts: dict[str, Any], keeping: Keeping, asked: Asked, moment: Moment
) -> Made[Any]:
    """Have a view make its answer, and take it down as far as it may be kept."""
    tags = tags_of(keeping.kinds, _scopes(held, keeping, parts))
    made_at = time.time()
    g.pop(_WITHIN, None)
    response = current_app.make_response(view(**parts))
    within = g.pop(_WITHIN, {})
    tags = tuple((kind, scope or within.get(kind, "")) for kind, scope in tags)
    data = _data(response)
    if data is None:
        return Made(response, None)
    headers = tuple((name, value) for name, value in response.headers if name in _TOLD)
    etag = conditional.digest(data)
    entry = Entry(asked.name, tags, moment.head, made_at, etag, headers, heap.fitted(data), moment.restarts)
    return Made(response, entry)


def _data(response: Response) -> bytes | None:
    """Return the data of an answer that may be kept: of a success that says nothing out of the ordinary."""
    data = response.data_json if isinstance(response, Answer) else None
    if data is None or response.status_code != 200:
        return None
    return data if all(name in _USUAL for name, _ in response.headers) else None


def _scopes(held: Runtime, keeping: Keeping, parts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the projects that an answer tells of; ("",) where it may be any."""
    if not keeping.project:
        return ("",)
    named = parts.get(keeping.project) or request.args.get(keeping.project)
    seen = principal().projects
    slugs = [str(named)] if named else sorted(seen or ())
    if not slugs or len(slugs) > MOST_PROJECTS:
        return ("",)
    with held.db.read() as session:
        found = projects.chosen(session, None, slugs)
    return tuple(found) if found else ("",)
