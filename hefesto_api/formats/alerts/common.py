"""What several tools tell in the same names: where it ran, what broke, which calls led there."""

from collections.abc import Sequence
from typing import TypedDict

from hefesto_api.domain.alert import ReportedFrame
from hefesto_api.domain.slugs import is_slug
from hefesto_api.formats.alerts import texts
from hefesto_api.formats.alerts.payload import Node

_FRAMES_HEAD, _FRAMES_TAIL = 50, 200  # kept of a deeper stack: the crash is at the end
_LINES = 2**31 - 1


class Running(TypedDict):
    """Which code ran, and where."""

    service_name: str | None
    environment: str | None
    release: str | None
    commit_hash: str | None


def running(node: Node) -> Running:
    """Read service, environment, release and commit by their usual names."""
    release = node.text("release", "version", "code_version", "service_version", "service.version")
    commit = node.text(
        "commit_hash", "commit", "commit_sha", "commit_id", "git_sha", "git_commit", "sha", "revision"
    )
    return {
        "service_name": node.text("service_name", "service", "service.name", "app", "application"),
        "environment": node.text(
            "environment", "env", "deployment_environment", "deployment.environment.name"
        ),
        "release": release,
        "commit_hash": texts.commit_of(commit) or texts.commit_in_release(release),
    }


def project(node: Node) -> str | None:
    """Read the slug of the project; a name that is none of ours is as if it were not there."""
    found = node.text("project") or ""
    return found if is_slug(found) else None


def trace(node: Node) -> str | None:
    """Read a stack trace by its usual names."""
    return node.trace("stacktrace", "stack_trace", "traceback", "exception.stacktrace", "exception", "stack")


def stack(nodes: Sequence[Node]) -> tuple[ReportedFrame, ...]:
    """Read frames, given outermost first; of a stack deeper than 250 the middle is left out."""
    kept = list(nodes)
    if len(kept) > _FRAMES_HEAD + _FRAMES_TAIL:
        kept[_FRAMES_HEAD:-_FRAMES_TAIL] = []
    frames = (_frame(node) for node in kept if node.fields)
    return tuple(frame for frame in frames if frame.file or frame.function or frame.module)


def _frame(node: Node) -> ReportedFrame:
    return ReportedFrame(
        file=node.text("filename", "file", limit=texts.URL),
        line=_position(node, "lineno", "line"),
        function=node.text("function", "method", limit=texts.TITLE),
        module=node.text("module", "class_name", limit=texts.TITLE),
        column=_position(node, "colno", "column"),
        in_app=node.flag("in_app"),
        abs_path=node.text("abs_path", limit=texts.URL),
        context_line=_code(node, "context_line", "code"),
    )


def _position(node: Node, *names: str) -> int | None:
    found = node.count(*names, least=1)
    return found if found is not None and found <= _LINES else None


def _code(node: Node, *names: str) -> str | None:
    """Return a line of code with its indentation."""
    found = (node.fields.get(name) for name in names)
    return next(
        (texts.cut(line, texts.CODE) for line in found if isinstance(line, str) and line.strip()), None
    )
