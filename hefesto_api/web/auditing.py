"""Who acts in a request, for the audit log: what it changes, and what it was refused.

A change that no service noted is told by its route and its body. Refusals are written as they happen, but
bounded, so that nobody can fill the disk or hide in the noise; see `web.refusals`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app, g, request

from hefesto_api.adapters import logs
from hefesto_api.domain import audit
from hefesto_api.domain.errors import HefestoError
from hefesto_api.web import client, context
from hefesto_api.web.refusals import Refusals
from hefesto_api.web.scopes import principal

if TYPE_CHECKING:
    from flask import Response

    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.database import Database

KEY = "hefesto.refusals"
_REFUSED = frozenset({401, 403, 429})
_VERBS = {"POST": "created", "PUT": "replaced", "PATCH": "updated", "DELETE": "deleted"}
_LOGIN = "/api/v1/auth/login"
_OF_PEOPLE = "/api/v1/auth/"
_NAMES = {"slug": "project"}  # of what a part of an address names, where it does not say so
_PLURALS = {"analyses": "analysis"}
_MOST = 300  # characters of an address


def install(app: Flask) -> None:
    """Have every request be an act, and write down what remains of it when it ends."""
    held: Runtime = app.extensions[context.KEY]
    refusals = app.extensions[KEY] = Refusals()
    held.endings.append(lambda: _write_counts(held.db, refusals, everything=True))
    app.before_request(begin)
    app.after_request(end)
    app.teardown_request(leave)


def begin() -> None:
    """Begin the request's act; who acts is asked when something is written."""
    audit.begin(audit.Act(actor, otherwise))


def end(response: Response) -> Response:
    """Write that something was refused, and what was noted but changed nothing."""
    db = context.runtime().db
    refusals = cast("Refusals", current_app.extensions[KEY])
    if _is_refusal(response.status_code):
        refusals.add(_kind(response.status_code), _refusal(response.status_code), actor())
    act = audit.current()
    if (act is not None and act.notes) or refusals.is_due():
        _write_counts(db, refusals)
    return response


def leave(_error: BaseException | None) -> None:
    """End the request's act."""
    audit.begin(None)


def actor() -> audit.Actor:
    """Return who makes this request, from where."""
    caller = principal()
    return audit.Actor(
        user_id=caller.id,
        user_name=caller.name,
        credential=caller.credential,
        ip_address=client.client_address() or None,
        user_agent=request.environ.get("HTTP_USER_AGENT"),
        request_id=g.get("request_id"),
    )


def otherwise() -> audit.Note:
    """Tell what a request changes that no service noted: its route, and its body without secrets."""
    kind, resource_id = _resource()
    verb = _VERBS.get(request.method, "changed")
    told: dict[str, Any] = {"operation": request.endpoint, "request": g.get("body")}
    return audit.Note(f"{kind}.{verb}", kind, resource_id, told, _project())


def _write_counts(db: Database, refusals: Refusals, *, everything: bool = False) -> None:
    """Write what is noted; when that fails the answers stand, for nothing was changed."""
    try:
        with db.write(witnessed=False):
            refusals.tell(everything=everything)
    except HefestoError as error:
        logs.of("audit").error("audit_not_written", reason=error.message)


def _is_refusal(status: int) -> bool:
    """Tell whether an answer keeps something from the caller.

    What lies in other projects does not exist for those who are bound to some, and other people's keys and
    sessions for those who are no admins; so what they do not find may be that.
    """
    if status != 404 or request.url_rule is None:
        return status in _REFUSED
    who = principal()
    return who.projects is not None or (request.path.startswith(_OF_PEOPLE) and not who.has("admin"))


def _kind(status: int) -> tuple[Any, ...]:
    who = principal()
    return status, who.id, who.credential, client.client_network(), request.method, request.endpoint


def _refusal(status: int) -> audit.Note:
    kind, resource_id = _resource()
    if request.path == _LOGIN:
        body = g.get("body")
        email = body.get("email") if isinstance(body, dict) else None
        told = {"email": email if isinstance(email, str) else None, "status": status}
        return audit.Note("login.failed", "user", None, told, outcome=audit.FAILED)
    told = {
        "method": request.method,
        "path": request.path[:_MOST],
        "status": status,
        "required_scope": _scope(),
    }
    told = {name: value for name, value in told.items() if value is not None}
    return audit.Note("access.refused", kind, resource_id, told, _project(), audit.REFUSED)


def _scope() -> str | None:
    view = current_app.view_functions.get(request.endpoint or "")
    scope: str | None = getattr(view, "_apidoc", {}).get("scope")
    return scope


def _resource() -> tuple[str, str | None]:
    """Return what kind of thing an address names, and which one: the last part of it that varies."""
    if request.view_args:
        name, value = list(request.view_args.items())[-1]
        kind = name.removesuffix("_id")
        return _NAMES.get(kind, kind), str(value)
    if request.url_rule is None:
        return "route", request.path[:_MOST]
    last = request.url_rule.rule.rstrip("/").rpartition("/")[2].replace("-", "_")
    return _PLURALS.get(last, last.removesuffix("s")), None


def _project() -> str | None:
    body = g.get("body")
    named = (request.view_args or {}).get("slug") or request.args.get("project")
    named = named or (body.get("project") if isinstance(body, dict) else None)
    return named if isinstance(named, str) else None
