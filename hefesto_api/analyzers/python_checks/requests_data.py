"""What a client sends, put straight to dangerous use: in the same expression or one assignment away.

It is a pattern, not data flow: a value that went through a function of the project is not followed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.python_checks.matching import Pattern, calls, found, matching, on_call
from hefesto_api.analyzers.python_checks.scopes import enclosing_function, last_value
from hefesto_api.analyzers.python_checks.syntax import text
from hefesto_api.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from hefesto_api.analyzers.python_checks.syntax import Call, Site
    from hefesto_api.domain.finding import Detection

REDIRECT: Final = "HEF-SEC-OPEN-REDIRECT"
PATH: Final = "HEF-SEC-PATH-TRAVERSAL"
SSRF: Final = "HEF-SEC-SSRF"
XSS: Final = "HEF-SEC-REFLECTED-XSS"
MASS_ASSIGNMENT: Final = "HEF-SEC-MASS-ASSIGNMENT"
DESERIALIZATION: Final = "HEF-SEC-UNSAFE-DESERIALIZATION"
CODE: Final = "HEF-SEC-CODE-EXECUTION"
COMMAND: Final = "HEF-SEC-COMMAND-INJECTION"

_SENT_AS: Final = (
    r"(?:args|form|values|json|data|files|cookies|headers|get_json|get_data|stream|view_args|query_string"
    r"|GET|POST|COOKIES|META|FILES|body|query_params|path_params|query|rel_url|match_info|params|full_path|referrer)\b"
)
_ARGUMENTS: Final = r"(?:query_|body_)?arguments?\("
_REQUEST: Final = re.compile(rf"\b(?:flask\.)?request\.{_SENT_AS}|\bself\.get_{_ARGUMENTS}")
_CLEANED: Final = re.compile(
    r"\b(?:int|float|bool|len|UUID|uuid\.UUID|secure_filename|safe_join|basename|escape|quote|quote_plus|urlencode|url_for|reverse"
    r"|bleach\.clean|Decimal|type=int)\b"
)
_CHECKS_HOST: Final = re.compile(
    rb"url_has_allowed_host_and_scheme|is_safe_url|is_safe_redirect|is_allowed_url|netloc"
)
_CHECKS_PATH: Final = re.compile(
    rb"is_relative_to|commonpath|safe_join|secure_filename|realpath|resolve\(|abspath"
)


_PARTS: Final = {"string", "binary_operator", "call", "concatenated_string", "interpolation", "argument_list"}


def _sent(node: Node, *, follow: bool = True) -> str:
    """Return the piece of the request an expression is made of, or an empty text."""
    written = text(node)
    if _CLEANED.search(written):
        return ""
    match = _REQUEST.search(written)
    if match is not None:
        return match[0].rstrip("(")
    if node.type == "identifier":
        values = last_value(written, node) if follow else []
        return _sent(values[-1], follow=False) if values else ""
    if node.type not in _PARTS:
        return ""
    return next((sent for child in node.named_children if (sent := _sent(child, follow=follow))), "")


def _scope(node: Node) -> bytes:
    scope = enclosing_function(node)
    return b"" if scope is None else scope.text or b""


def _redirect(call: Call, _: Site) -> Iterator[Detection]:
    target = call.argument(0, "location", "to", "redirect_to", "url")
    sent = _sent(target) if target is not None else ""
    if sent and not _CHECKS_HOST.search(_scope(call.node)) and not _begins_locally(target):
        yield found(REDIRECT, call.node, f"{call.method} sends the visitor wherever {sent} says")


def _begins_locally(target: Node | None) -> bool:
    return target is not None and re.match(r"""f?['"](?:/\w|https?://[\w.-]+/)""", text(target)) is not None


def _path(call: Call, _: Site) -> Iterator[Detection]:
    if call.method == "join" and call.name not in {"os.path.join", "posixpath.join"}:
        return
    if call.method == "open" and call.name not in {
        "open",
        "io.open",
        "codecs.open",
        "os.open",
        "builtins.open",
    }:
        return
    if call.name.startswith("urllib."):
        return
    arguments = call.arguments if call.method == "join" else call.arguments[:1]
    sent = next((sent for given in arguments if (sent := _sent(given))), "")
    if sent and not _CHECKS_PATH.search(_scope(call.node)):
        yield found(PATH, call.node, f"{call.method} gets a path out of {sent}")


def _fetch(call: Call, _: Site) -> Iterator[Detection]:
    if not call.name.startswith(("requests.", "httpx.", "urllib.request.", "urllib3.")):
        return
    url = call.argument(1 if call.method == "request" else 0, "url")
    sent = _sent(url) if url is not None else ""
    if sent and not _begins_locally(url) and not _CHECKS_HOST.search(_scope(call.node)):
        yield found(SSRF, call.node, f"{call.name} fetches the address that {sent} gives")


def _answered(call: Call, _: Site) -> Iterator[Detection]:
    content = call.argument(0, "content", "response")
    sent = _sent(content) if content is not None else ""
    kind = text(call.keywords["content_type"]) if "content_type" in call.keywords else "html"
    if sent and "html" in kind and (call.method != "Markup" or content is not None):
        yield found(XSS, call.node, f"{call.method} puts {sent} into the page as it came")


def _returned(site: Site) -> Iterator[Detection]:
    """`return f"<p>{request.args['q']}</p>"`: a view's text is HTML."""
    statement = site.node if site.node.type == "return_statement" else site.node.parent
    if statement is None or statement.type != "return_statement" or not statement.named_children:
        return
    answer = statement.named_children[0]
    if answer.type not in {"string", "binary_operator", "call", "concatenated_string"} or "<" not in text(
        answer
    ):
        return
    if answer.type == "call" and not re.match(r"""f?['"(]""", text(answer)):
        return
    sent = _sent(answer)
    if sent:
        yield found(XSS, statement, f"the answer contains {sent} as it came")


def _spread(site: Site) -> Iterator[Detection]:
    """`Model(**request.json)`: the client chooses which fields are set."""
    node = site.node
    while node.type not in {"dictionary_splat", "block", "module"}:
        if node.parent is None:
            return
        node = node.parent
    if node.type == "dictionary_splat" and _REQUEST.search(text(node)):
        yield found(MASS_ASSIGNMENT, node, f"{text(node)} lets the client choose which fields are set")


def _executed(call: Call, _: Site) -> Iterator[Detection]:
    rule_id, wanted = _EXECUTED[call.method]
    if wanted and not call.name.startswith(wanted):
        return
    given = call.arguments[:1] if rule_id != COMMAND else [*call.arguments[:1], *call.keywords.values()]
    if rule_id == COMMAND and given and given[0].type == "list" and not call.says("shell", "True"):
        return
    sent = next((sent for one in given if (sent := _sent(one))), "")
    if sent:
        message = f"{call.name} gets what the client sent in {sent}"
        yield found(rule_id, call.node, message, severity=Severity.CRITICAL, confidence=0.9)


_EXECUTED: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "eval": (CODE, ("eval", "builtins.")),
    "exec": (CODE, ("exec", "builtins.")),
    "load": (DESERIALIZATION, ("pickle.", "dill.", "cloudpickle.", "marshal.")),
    "loads": (DESERIALIZATION, ("pickle.", "dill.", "cloudpickle.", "marshal.")),
    "decode": (DESERIALIZATION, ("jsonpickle.",)),
    "system": (COMMAND, ("os.",)),
    "popen": (COMMAND, ("os.",)),
    "getoutput": (COMMAND, ("subprocess.",)),
    "run": (COMMAND, ("subprocess.",)),
    "call": (COMMAND, ("subprocess.",)),
    "check_output": (COMMAND, ("subprocess.",)),
    "Popen": (COMMAND, ("subprocess.",)),
}

# `_REQUEST` in two that begin with a literal: those are searched for at the speed of a substring.
_SENT: Final = (
    re.compile(rf"request\.(?<!\wrequest\.){_SENT_AS}".encode()),
    re.compile(rf"self\.get_(?<!\wself\.get_){_ARGUMENTS}".encode()),
)
_WORDS: Final = (b"request.", b"self.get_")

PATTERNS: Final = (
    Pattern(
        calls("redirect", "HttpResponseRedirect", "RedirectResponse"),
        on_call(_redirect),
        words=_WORDS,
        only_if=_SENT,
    ),
    Pattern(
        calls("open", "join", "send_file", "FileResponse", "Path", "remove", "unlink", "rmtree"),
        on_call(_path),
        words=_WORDS,
        only_if=_SENT,
    ),
    Pattern(calls("get", "post", "put", "request", "urlopen"), on_call(_fetch), words=_WORDS, only_if=_SENT),
    Pattern(
        calls("HttpResponse", "make_response", "Markup", "mark_safe", "HTMLResponse"),
        on_call(_answered),
        words=_WORDS,
        only_if=_SENT,
    ),
    Pattern(matching(rb"(return)\b(?=[^\n]*<)"), _returned, words=_WORDS, only_if=_SENT),
    Pattern(matching(rb"\*\*\s*(?:flask\.)?(request)\."), _spread, words=_WORDS, only_if=_SENT),
    Pattern(calls(*sorted(_EXECUTED)), on_call(_executed), words=_WORDS, only_if=_SENT),
)
