"""Statements, commands and templates that are put together from values, where ruff does not see it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.python_checks.matching import Pattern, calls, found, matching, on_call
from hefesto_api.analyzers.python_checks.scopes import last_value
from hefesto_api.analyzers.python_checks.syntax import bare, constant, is_built, leading_text, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from hefesto_api.analyzers.python_checks.syntax import Call, Site
    from hefesto_api.domain.finding import Detection

SQL: Final = "HEF-SEC-SQL-INJECTION"
COMMAND: Final = "HEF-SEC-COMMAND-INJECTION"
TEMPLATE: Final = "HEF-SEC-TEMPLATE-INJECTION"
XXE: Final = "HEF-SEC-XXE"
LOGGED_SECRET: Final = "HEF-SEC-LOGGED-SECRET"  # noqa: S105 - a rule's name

_VERB: Final = re.compile(
    r"\s*(?:select|insert\s+into|update|delete\s+from|replace\s+into|merge|with|create|drop|alter|truncate|grant|revoke"
    r"|call|exec|execute|pragma|show|explain|set|use|copy|lock|vacuum|attach)\b",
    re.IGNORECASE,
)
_SHELLS: Final = re.compile(r"(?:/\w+/)*(?:ba|da|z|k|c)?sh|cmd(?:\.exe)?|powershell(?:\.exe)?|pwsh")
_SECRETS: Final = re.compile(
    r"(?:^|[._])(?:password|passwd|passphrase|secret(?:_?key)?|api_?key|private_?key|access_?token|auth_?token"
    r"|refresh_?token|credit_?card|card_?number|cvv|ssn)$",
    re.IGNORECASE,
)


def _sql(call: Call, _: Site) -> Iterator[Detection]:
    statement = call.argument(0, "sql", "query", "statement", "operation", "text")
    if statement is None:
        return
    statement = bare(statement)
    if is_built(statement):
        if _VERB.match(leading_text(statement)):
            yield found(SQL, statement, f"{call.method} gets a statement put together from values")
    elif statement.type == "identifier":
        yield from _grown(call, statement)


def _grown(call: Call, name: Node) -> Iterator[Detection]:
    """A statement that grows over several lines; one that is built at once is reported where it is built."""
    values = last_value(text(name), name)
    if len(values) < 2 or not any(_VERB.match(leading_text(value)) for value in values):
        return
    grown = next((value for value in values[1:] if is_built(value) and not _is_own_format(value)), None)
    if grown is not None and not _VERB.match(leading_text(grown)):
        message = f"{text(name)} grows by values on line {grown.start_point[0] + 1} and is executed here"
        yield found(SQL, call.node, message, confidence=0.5)


def _is_own_format(value: Node) -> bool:
    """Adding placeholders (`", ".join("?" * n)`) is the right way to build a list of parameters."""
    return re.search(r"""(['"])(?:%s|\?|\$\d|:\w+)\s*,?\s*\1""", text(value)) is not None


def _shell_list(call: Call, _: Site) -> Iterator[Detection]:
    if call.name.rpartition(".")[0] not in {"subprocess", "asyncio.subprocess"} and call.method != "Popen":
        return
    command = call.argument(0, "args")
    parts = command.named_children if command is not None and command.type in {"list", "tuple"} else []
    program, option = (constant(part) for part in parts[:2]) if len(parts) > 2 else (None, None)
    runs_text = option in {"-c", "/c", "/C", "-Command", "-lc", "-ec"}
    if program and _SHELLS.fullmatch(program) and runs_text and is_built(parts[2]):
        yield found(COMMAND, call.node, f"{program} {option} runs a command put together from values")


def _async_shell(call: Call, _: Site) -> Iterator[Detection]:
    command = call.argument(0, "cmd")
    if call.name.startswith("asyncio") and command is not None and constant(command) is None:
        sure = 0.75 if is_built(command) else 0.5
        yield found(
            COMMAND, call.node, "create_subprocess_shell with a command that is not constant", confidence=sure
        )


def _template(call: Call, _: Site) -> Iterator[Detection]:
    if call.method == "Template" and not call.name.startswith(("jinja2", "mako.")):
        return
    source = call.argument(0, "source", "text")
    if source is None or constant(source) is not None or source.type in {"list_splat", "dictionary_splat"}:
        return
    built = is_built(source) or (
        source.type == "identifier" and any(is_built(value) for value in last_value(text(source), source))
    )
    if built or call.method == "render_template_string":
        sure = 0.85 if built else 0.5
        yield found(
            TEMPLATE, call.node, f"{call.method} compiles a template that is not constant", confidence=sure
        )


def _entities(call: Call, _: Site) -> Iterator[Detection]:
    for option in ("resolve_entities", "load_dtd", "dtd_validation"):
        if call.says(option, "True"):
            yield found(
                XXE, call.node, f"{call.method} with {option}=True follows entities to files and addresses"
            )
            return
    if call.says("no_network", "False"):
        yield found(XXE, call.node, f"{call.method} with no_network=False fetches what the document names")


def _feature(call: Call, _: Site) -> Iterator[Detection]:
    feature, value = call.argument(0), call.argument(1)
    if feature is None or value is None or text(value) not in {"True", "1"}:
        return
    if "external_ges" in text(feature) or "external-general-entities" in text(feature):
        yield found(XXE, call.node, "the parser is told to follow external entities")


def _logged(call: Call, site: Site) -> Iterator[Detection]:
    if not re.search(r"(?:^|[._?])_?log(?:ger|ging)?\.\w+$", call.name, re.IGNORECASE):
        return
    for argument in call.arguments:
        for node in _spoken(argument):
            if _SECRETS.search(text(node)):
                yield found(LOGGED_SECRET, call.node, f"{text(node)} is written to the log")
                return


def _spoken(argument: Node) -> Iterator[Node]:
    """Yield the names whose values an argument prints: itself, and what an f-string or % fills in."""
    if argument.type in {"identifier", "attribute"}:
        yield argument
    elif argument.type in {"string", "binary_operator", "concatenated_string", "interpolation", "tuple"}:
        for child in argument.named_children:
            yield from _spoken(child)


PATTERNS: Final = (
    Pattern(calls("execute", "executemany", "executescript"), on_call(_sql), words=(b"execute",)),
    Pattern(calls("raw"), on_call(_sql), words=(b".raw(",)),
    Pattern(calls("text", "exec_driver_sql"), on_call(_sql), modules=(b"sqlalchemy",)),
    Pattern(calls("read_sql", "read_sql_query"), on_call(_sql), modules=(b"pandas",)),
    Pattern(calls("fetch", "fetchrow", "fetchval"), on_call(_sql), modules=(b"asyncpg",)),
    Pattern(
        calls("run", "call", "check_call", "check_output", "Popen"),
        on_call(_shell_list),
        modules=(b"subprocess",),
    ),
    Pattern(calls("create_subprocess_shell"), on_call(_async_shell), modules=(b"asyncio",)),
    Pattern(
        calls("render_template_string", "from_string", "Template"),
        on_call(_template),
        modules=(b"flask", b"jinja2", b"mako", b"quart"),
    ),
    Pattern(calls("XMLParser", "iterparse", "ETCompatXMLParser"), on_call(_entities), modules=(b"lxml",)),
    Pattern(calls("setFeature"), on_call(_feature), modules=(b"xml",)),
    Pattern(
        matching(
            rb"log(?:ger|ging)?\.(debug|info|warning|warn|error|exception|critical)\("
            rb"(?=[^()]{0,400}(?:pass|secret|key|token|card|cvv|ssn|PASS|SECRET|KEY|TOKEN))"
        ),
        on_call(_logged),
        modules=(b"logging", b"loguru", b"structlog"),
    ),
)
