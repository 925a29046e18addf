"""What web frameworks are told to leave out: cookies' flags, CSRF, origins, the debugger."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.python_checks.matching import Pattern, calls, found, matching, on_call
from hefesto_api.analyzers.python_checks.syntax import constant, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from hefesto_api.analyzers.python_checks.syntax import Call, Site
    from hefesto_api.domain.finding import Detection

COOKIE: Final = "HEF-SEC-INSECURE-COOKIE"
CSRF: Final = "HEF-SEC-CSRF-DISABLED"
CORS: Final = "HEF-SEC-CORS-CREDENTIALS"
ASSERTED: Final = "HEF-SEC-ASSERTED-PERMISSION"

_SESSION: Final = re.compile(r"sess|token|auth|jwt|\bsid\b|login|remember|user_?id|credential", re.IGNORECASE)
_PERMISSION: Final = re.compile(
    r"\b(?:is_admin|is_staff|is_superuser|is_authenticated|is_authorized|is_allowed|has_perms?|has_permission|has_role"
    r"|check_password|can_(?:edit|view|delete|access)|current_user)\b"
)


def _cookie(call: Call, _: Site) -> Iterator[Detection]:
    if any(argument.type == "dictionary_splat" for argument in call.arguments):
        return
    name = constant(call.argument(0, "key", "name")) or ""
    delicate = _SESSION.search(name) is not None
    missing = [flag for flag in ("secure", "httponly") if _lacks(call, flag, delicate=delicate)]
    if missing:
        yield found(COOKIE, call.node, f"the cookie {name!r} is set without {' and '.join(missing)}")


def _lacks(call: Call, flag: str, *, delicate: bool) -> bool:
    return call.says(flag, "False") if flag in call.keywords else delicate


def _exempt(site: Site) -> Iterator[Detection]:
    decorator = site.node
    while decorator.parent is not None and decorator.type not in {"decorator", "block", "module"}:
        decorator = decorator.parent
    if decorator.type == "decorator":
        view = _decorated(decorator)
        yield found(CSRF, decorator, f"{view or 'the view'} takes requests that other sites make")


def _decorated(decorator: Node) -> str:
    definition = None if decorator.parent is None else decorator.parent.child_by_field_name("definition")
    name = None if definition is None else definition.child_by_field_name("name")
    return "" if name is None else text(name)


def _cors(call: Call, _: Site) -> Iterator[Detection]:
    if call.name.startswith("flask_cors.") or call.name == "CORS":
        origins = text(call.keywords["origins"]) if "origins" in call.keywords else "*"
        if call.says("supports_credentials", "True") and re.search(r"""(?:^|['"])\*""", origins):
            yield found(CORS, call.node, "any site may send requests with the visitor's cookies")
    elif call.method == "add_middleware" and call.says("allow_credentials", "True"):
        origins = " ".join(
            text(call.keywords[k]) for k in ("allow_origins", "allow_origin_regex") if k in call.keywords
        )
        if re.search(r"""['"](?:\*|\.\*|https?://\.\*)['"]""", origins):
            yield found(CORS, call.node, "any site may send requests with the visitor's cookies")


def _asserted(site: Site) -> Iterator[Detection]:
    statement = site.node if site.node.type == "assert_statement" else site.node.parent
    if statement is None or statement.type != "assert_statement":
        return
    asked = _PERMISSION.search(text(statement))
    if asked is not None:
        yield found(ASSERTED, statement, f"{asked[0]} is asked for in an assert, which python -O removes")


PATTERNS: Final = (
    Pattern(calls("set_cookie"), on_call(_cookie), words=(b"set_cookie",)),
    Pattern(matching(rb"@\s*(?:\w+\.)*(csrf_exempt|exempt)\b"), _exempt, words=(b"csrf",)),
    Pattern(
        calls("CORS", "cross_origin", "add_middleware"),
        on_call(_cors),
        words=(b"_credentials",),
    ),
    Pattern(
        matching(rb"(assert)\b(?=[^\n]*" + _PERMISSION.pattern.encode() + rb")"),
        _asserted,
        words=(b"assert ",),
    ),
)
