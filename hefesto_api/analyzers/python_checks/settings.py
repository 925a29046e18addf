"""Switches in configuration: names that get a value nobody should run in production."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.python_checks.matching import Pattern, assigned, calls, found, matching, on_call
from hefesto_api.analyzers.python_checks.scopes import assigned_name
from hefesto_api.analyzers.python_checks.syntax import constant, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.analyzers.python_checks.syntax import Call, Site
    from hefesto_api.domain.finding import Detection

COOKIE: Final = "HEF-SEC-INSECURE-COOKIE"
CSRF: Final = "HEF-SEC-CSRF-DISABLED"
CORS: Final = "HEF-SEC-CORS-CREDENTIALS"
DEBUG: Final = "HEF-SEC-DEBUG-ENABLED"
HOSTS: Final = "HEF-SEC-ANY-HOST"
KEY: Final = "HEF-SEC-HARDCODED-KEY"
PERMISSIONS: Final = "HEF-SEC-FILE-PERMISSIONS"

_SWITCHES: Final = {
    "SESSION_COOKIE_SECURE": ("False", COOKIE),
    "SESSION_COOKIE_HTTPONLY": ("False", COOKIE),
    "CSRF_COOKIE_SECURE": ("False", COOKIE),
    "REMEMBER_COOKIE_SECURE": ("False", COOKIE),
    "WTF_CSRF_ENABLED": ("False", CSRF),
    "WTF_CSRF_CHECK_DEFAULT": ("False", CSRF),
}
_CONFIG: Final = {**_SWITCHES, "DEBUG": ("True", DEBUG)}
_DEVELOPMENT: Final = re.compile(
    r"(?:^|[/_.-])(?:dev|devel|development|local|test|tests|testing|debug|example|sample|ci)(?:$|[/_.-])"
)
_SETTINGS: Final = re.compile(r"(?:^|/)(?:settings|config|configuration|production|prod|base)\w*(?:\.py$|/)")


def _assignment(site: Site) -> tuple[str, str] | None:
    """Return name and value of `NAME = v`, `app.config["NAME"] = v`, `x.name = v` or `update(NAME=v)`."""
    holder = site.node
    while holder.type not in {"assignment", "keyword_argument", "pair"}:
        if holder.type in {"block", "module", "call", "expression_statement", "function_definition"}:
            return None
        if holder.parent is None:
            return None
        holder = holder.parent
    value = holder.child_by_field_name("right") or holder.child_by_field_name("value")
    return None if value is None else (text(site.node), text(value))


def _switch(site: Site) -> Iterator[Detection]:
    name = re.sub(r"\W", "", text(site.node))
    bad, rule_id = _SWITCHES.get(name, ("", ""))
    given = _assignment(site)
    if given is not None and bad and given[1] == bad and not _DEVELOPMENT.search(site.file.path):
        yield found(rule_id, site.node, f"{name} is {bad}", confidence=0.75)


def _debug(site: Site) -> Iterator[Detection]:
    path = site.file.path
    given = _assignment(site)
    if given is None or given[1] != "True" or _DEVELOPMENT.search(path):
        return
    parent = site.node.parent
    of_app = (
        parent is not None
        and parent.type == "attribute"
        and text(parent) in {"app.debug", "application.debug"}
    )
    at_top = parent is not None and parent.type == "assignment" and _SETTINGS.search(path) is not None
    if (text(site.node) == "DEBUG" and at_top) or of_app:
        yield found(DEBUG, site.node, f"{text(site.node)} is True")


def _config(site: Site) -> Iterator[Detection]:
    """`app.config["NAME"] = value`; the place is the bracket."""
    subscript = site.node.parent
    assignment = None if subscript is None else subscript.parent
    if subscript is None or assignment is None or assignment.type != "assignment":
        return
    name = constant(subscript.child_by_field_name("subscript")) or ""
    value = assignment.child_by_field_name("right")
    bad, rule_id = _CONFIG.get(name, ("", ""))
    if value is not None and bad and text(value) == bad and not _DEVELOPMENT.search(site.file.path):
        yield found(rule_id, assignment, f"{name} is {bad}", confidence=0.75)


def _debug_app(call: Call, _: Site) -> Iterator[Detection]:
    if call.method in {"FastAPI", "Starlette"} and call.says("debug", "True"):
        yield found(DEBUG, call.node, f"{call.method} is made with debug=True")


def _hosts(site: Site) -> Iterator[Detection]:
    given = _assignment(site)
    if given is None or _DEVELOPMENT.search(site.file.path):
        return
    if re.fullmatch(r"""[\[(]\s*['"]\*['"]\s*,?\s*[\])]""", given[1]):
        yield found(HOSTS, site.node, "ALLOWED_HOSTS takes any Host header")


def _origins(site: Site) -> Iterator[Detection]:
    given = _assignment(site)
    if (
        given is not None
        and given[1] == "True"
        and re.search(rb"CORS_ALLOW_CREDENTIALS\s*=\s*True", site.file.content)
    ):
        yield found(CORS, site.node, f"{given[0]} together with CORS_ALLOW_CREDENTIALS")


def _secret_key(site: Site) -> Iterator[Detection]:
    target = site.node.parent
    statement = None if target is None else target.parent
    if target is None or target.type != "attribute" or statement is None or statement.type != "assignment":
        return
    if statement.child_by_field_name("left") == target and constant(statement.child_by_field_name("right")):
        yield found(KEY, statement, f"{text(target)} stands in the source")


def _umask(call: Call, _: Site) -> Iterator[Detection]:
    mask = call.argument(0)
    if assigned_name(call.node):
        return  # the old mask is read this way, and set again at once
    if call.name == "os.umask" and mask is not None and re.fullmatch(r"0|0o0+|0o00[0-1]", text(mask)):
        yield found(
            PERMISSIONS, call.node, "with umask 0 every file is made writable for everyone", confidence=0.6
        )


PATTERNS: Final = (
    Pattern(assigned(*_SWITCHES), _switch, words=(b"_COOKIE_", b"WTF_CSRF")),
    Pattern(assigned("DEBUG", "debug"), _debug, words=(b"DEBUG = True", b".debug = True")),
    Pattern(calls("FastAPI", "Starlette"), on_call(_debug_app), modules=(b"fastapi", b"starlette")),
    Pattern(
        matching(rb"config(\[)['\"](?:" + "|".join(_CONFIG).encode() + rb")['\"]\]\s*="),
        _config,
        words=(b"config[",),
    ),
    Pattern(assigned("ALLOWED_HOSTS"), _hosts, words=(b"ALLOWED_HOSTS",)),
    Pattern(assigned("CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL"), _origins, words=(b"CORS_",)),
    Pattern(assigned("secret_key"), _secret_key, words=(b"secret_key",)),
    Pattern(calls("umask"), on_call(_umask), words=(b"umask(0",)),
)
