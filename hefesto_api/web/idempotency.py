"""`Idempotency-Key`: a creation that is sent twice is done once, and answered twice the same."""

from __future__ import annotations

import re
from functools import wraps
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

from flask import current_app, request

from hefesto_api.domain.errors import Invalid
from hefesto_api.storage import idempotency
from hefesto_api.web import body, uploads
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer
from hefesto_api.web.scopes import principal

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?', re.ASCII)  # a structured string's quotes are optional
_REPLAYED = ("Location", "ETag", "X-Analysis-ID", "X-Total-Count", "Content-Type")
PARAMETER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same key and body within 24 hours is answered as the first time.",
}


def idempotent(view: Callable[..., Any]) -> Callable[..., Any]:
    """Make a creating route idempotent for clients that name their request; stands above the others.

    Only answers below 500 are kept: a failure of ours may be tried again with the same key.
    """

    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        given = request.headers.get("Idempotency-Key")
        if given is None:
            return view(*args, **kwargs)
        return _once(_checked(given), view, args, kwargs)

    about = getattr(once, "_apidoc", {})
    about.setdefault("manual_doc", {}).setdefault("parameters", []).append(PARAMETER)
    return once


def _once(key: str, view: Callable[..., Any], args: Any, kwargs: Any) -> Answer:
    scope = f"{_who()} {request.method} {request.path}"
    with body.kept(request.environ, _limit(view)) as content:
        digest = _digest(content)
        with runtime().db.write(witnessed=False) as session:
            first = idempotency.claim(session, scope, key, digest)
        if first is not None:
            return Answer(first.body, first.status, {**first.headers, "Idempotent-Replayed": "true"})
        answer = _carry_out(view, args, kwargs)
    with runtime().db.write(witnessed=False) as session:
        if answer.status_code >= 500:
            idempotency.release(session, scope, key)
        else:
            idempotency.keep(session, scope, key, _to_keep(answer))
    return answer


def _who() -> str:
    """Name the caller; one who is bound to other projects since is another, and gets no former answer."""
    caller = principal()
    return caller.id if caller.projects is None else f"{caller.id}@{','.join(sorted(caller.projects))}"


def _carry_out(view: Callable[..., Any], args: Any, kwargs: Any) -> Answer:
    """Call the view; its errors become answers here, so that they can be kept as well."""
    try:
        return current_app.make_response(view(*args, **kwargs))  # type: ignore[return-value] # our response_class
    except Exception as error:
        return current_app.make_response(current_app.handle_user_exception(error))  # type: ignore[return-value]


def _checked(given: str) -> str:
    found = _KEY.fullmatch(given.strip())
    if found is None:
        raise Invalid("Idempotency-Key", "1 to 255 visible ASCII characters, with or without quotes.")
    return found.group(1)


def _limit(view: Callable[..., Any]) -> int:
    settings = runtime().settings
    large = uploads.is_upload(request) or uploads.takes_much(view)
    return (settings.max_upload_mb if large else settings.max_body_mb) * body.MEGABYTE


def _digest(content: IO[bytes]) -> str:
    """Return the hash of all that makes a request the same: its query, its type and its body."""
    digest = sha256(f"{request.query_string!r} {request.content_type}\n".encode())
    while piece := content.read(body.CHUNK):
        digest.update(piece)
    content.seek(0)
    return digest.hexdigest()


def _to_keep(answer: Answer) -> idempotency.Answer:
    headers = {name: answer.headers[name] for name in _REPLAYED if name in answer.headers}
    return idempotency.Answer(answer.status_code, headers, answer.get_data())
