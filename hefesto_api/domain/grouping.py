"""Which alerts tell of the same trouble: a fingerprint of the code's cause, or of what is said without code.

Left out is what differs between two occurrences of one crash: lines (an edit moves them), addresses, ids,
quoted values. Kept is what differs between two crashes: the types of the errors and the functions on the
way to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b

from msgspec import Struct, structs

from hefesto_api.domain import traces
from hefesto_api.domain.alert import IncomingAlert, ReportedFrame

_MOST_FRAMES = 30  # innermost, that tell one crash from another
_MOST_ERRORS = 5  # of a chain, that differ
_MOST_READ = 50
_LONGEST_MESSAGE = 2_000  # characters looked at
_LONGEST_TRAIT = 500
_TELLING = 3  # characters of a name that no minifier made

_QUOTED = r"""(?<!\w)(?:'[^'\n]*+'|"[^"\n]*+"|`[^`\n]*+`)(?!\w)"""
_IDS = (
    rf"{_QUOTED}"
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"  # a UUID
    r"|[\w.+-]++@[\w-]++\.[\w.-]++"  # an address of mail
    r"|\b0[xX][0-9a-fA-F]++"
    r"|\b(?=[a-fA-F]*+\d)[0-9a-fA-F]{8,}+\b"  # a hash
)
_VALUES = re.compile(_IDS + r"|\d++(?:[.,:]\d++)*+")
_NAMELESS = (
    (re.compile(r"<class '([^'\n]*+)'>"), r"\1"),  # as Python shows a class
    (re.compile(r"[/+@:#]?+\b0[xX][0-9a-fA-F]++"), ""),  # an address
    (re.compile(r"::h[0-9a-f]{16}$"), ""),  # Rust
    (re.compile(r"(?<=@anonymous).*+", re.DOTALL), ""),  # PHP tells where it stands
    (re.compile(r"\$\$?+(?:\d++|[0-9a-f]{6,16})(?=$|\W)"), ""),  # lambdas and inner classes of the JVM
    (re.compile(r"(?<=\$)\d++(?=[^\W\d])"), ""),  # its classes within a function
    (re.compile(r"@[0-9a-f]{5,8}$"), ""),  # and its identities of objects
    (re.compile(r"(?<=AnonymousType)\d++"), ""),  # C#
    (re.compile(r"#\d++(?!\w)"), ""),
    (re.compile(_IDS), "#"),
)
_GENERATED = (
    (re.compile(r"(?:\+\s*+)?0[xX][0-9a-fA-F]++"), ""),
    (re.compile(r"::h[0-9a-f]{16}$"), ""),  # Rust
    (re.compile(r"\+\s*+\d++$"), ""),  # an offset
    (re.compile(r"(?<=func)\d++(?:\.\d++)*+"), ""),  # Go
    (re.compile(r"\$\$?+(?:\d++|[0-9a-f]{6,16})(?=$|\W)"), ""),  # lambdas and inner classes of the JVM
    (re.compile(r"(?<=[gb]__)\d++(?:_\d++)*+"), ""),  # C#
    (re.compile(r"(?<=>d__)\d++"), ""),
    (re.compile(r"(?<=closure) ?#\d++"), ""),  # Swift
    (re.compile(r"\{closure:[^}]*+\}"), "{closure}"),  # PHP
    (re.compile(r" \(\d++ levels?+\) in "), " in "),  # Ruby
)
_COMPREHENSIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})
_QUALIFIED = re.compile(r"^.*(?:[.\\/$]|::)(?=\w)")
_BUILD = re.compile(r"[._-](?=[a-zA-Z]*+\d)[0-9a-zA-Z]{6,}+(?=[._-])|\d{4,}")


_Naming = Callable[[str], str]  # of an error's type


class Traits(Struct, frozen=True):
    """What differs between occurrences of one cause; people part alerts by it. Empty where nothing was said.

    `message` is without values that differ each time, `stack` a digest of every call, ours or not.
    """

    message: str = ""
    stack: str = ""
    error_type: str = ""
    service_name: str = ""
    environment: str = ""
    group: str = ""


class Grouped(Struct, frozen=True):
    """What an alert is grouped by, and its traits besides.

    `former` is what the version before this one made of it, None where that is the same: alerts on record
    were grouped by it.
    """

    fingerprint: str
    traits: Traits
    former: Grouped | None = None


class _Step(Struct, frozen=True):
    """One call of a stack, as far as it counts."""

    function: str
    place: str


class _Error(Struct, frozen=True):
    """One exception of a chain, its type as it was told; the crash is its last frame."""

    type: str
    message: str
    frames: tuple[traces.Frame, ...]


def fingerprint(incoming: IncomingAlert, in_project: traces.IsInApp | None = None) -> str:
    """Return the same text (32 characters) for alerts of one project that have the same cause.

    With a stack: the errors' types and the functions of which `in_project` holds; where none is, those that
    the sender or a guess takes for the application's, else all. Without: the sender's own group, else the
    message without its values, with type and service.
    """
    return _digest(_parts(incoming, _errors(incoming), in_project, plain_type))


def grouped(incoming: IncomingAlert, in_project: traces.IsInApp | None = None) -> Grouped:
    """Return the fingerprint of an alert and its traits, now and formerly: its stack is read once for all."""
    errors = _errors(incoming)
    found = _grouped(incoming, errors, in_project, plain_type)
    told = (incoming.error_type or "", *(error.type for error in errors))
    if all(plain_type(one) == former_type(one) for one in told):
        return found
    former = _grouped(incoming, errors, in_project, former_type)
    return found if former == found else structs.replace(found, former=former)


def basis(incoming: IncomingAlert) -> str:
    """Tell what an alert is grouped by: `stack`, `group` (the sender's) or `words`."""
    return next(_parts(incoming, _errors(incoming), None, plain_type))


def plain_message(text: str) -> str:
    """Return a message without what differs each time: quoted values, ids, addresses, numbers."""
    return " ".join(_VALUES.sub("#", text[:_LONGEST_MESSAGE]).split())


def plain_function(name: str) -> str:
    """Return a function's name without what an edit or a build changes: numbers of closures, hashes."""
    for pattern, instead in _GENERATED:
        name = pattern.sub(instead, name)
    return name.strip()


def plain_type(name: str) -> str:
    """Return the last part of an error type's name: some tools print where it is defined, others do not.

    A digit belongs to the word that it stands in (`Http404`). Left out are addresses, ids, the numbers of
    what has no name, and numbers that stand alone: they are of this occurrence.
    """
    name = name[:_LONGEST_MESSAGE]
    for pattern, instead in _NAMELESS:
        name = pattern.sub(instead, name)
    words = " ".join("#" if _is_number(word) else word for word in name.split())
    return _QUALIFIED.sub("", words.removeprefix("Uncaught ").rstrip(":/"))


def plain_place(file: str) -> str:
    """Return the end of a path (a folder and the file), without the number or hash of a build."""
    path = re.split(r"[?#]", file.replace("\\", "/"), maxsplit=1)[0]
    return _BUILD.sub("", "/".join(path.rstrip("/").split("/")[-2:]))


def _is_number(word: str) -> bool:
    return any(one.isdigit() for one in word) and not any(one.isalpha() for one in word)


def former_type(name: str) -> str:
    """Return an error type's name as the first version of grouping had it: `Http404` was as `Http500`."""
    return _QUALIFIED.sub("", plain_message(name).removeprefix("Uncaught ").rstrip(":"))


def _digest(parts: Iterable[str]) -> str:
    told = "\0".join(parts)
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _grouped(
    incoming: IncomingAlert, errors: Sequence[_Error], in_project: traces.IsInApp | None, named: _Naming
) -> Grouped:
    parts = _parts(incoming, errors, in_project, named)
    return Grouped(_digest(parts), _traits(incoming, errors, named))


def _traits(incoming: IncomingAlert, errors: Sequence[_Error], named: _Naming) -> Traits:
    said = plain_message(incoming.error_message or "") or (errors[0].message if errors else "")
    steps = [f"{one.place}\t{one.function}" for error in errors for one in map(_step, error.frames)]
    group = f"{incoming.source}:{incoming.group_id}" if incoming.group_id is not None else ""
    return Traits(
        message=(said or plain_message(incoming.description or incoming.title))[:_LONGEST_TRAIT],
        stack=_digest(steps) if steps else "",
        error_type=named(incoming.error_type or "")[:_LONGEST_TRAIT],
        service_name=(incoming.service_name or "")[:_LONGEST_TRAIT],
        environment=(incoming.environment or "")[:_LONGEST_TRAIT],
        group=group[:_LONGEST_TRAIT],
    )


def _parts(
    incoming: IncomingAlert, errors: Sequence[_Error], in_project: traces.IsInApp | None, named: _Naming
) -> Iterator[str]:
    if any(error.frames for error in errors):
        yield "stack"
        yield from _of_stack(errors, in_project, named)
    elif incoming.group_id is not None:
        yield from ("group", incoming.source, incoming.group_id)
    else:
        yield from _of_words(incoming, named)


def _of_words(incoming: IncomingAlert, named: _Naming) -> Iterator[str]:
    error_type = named(incoming.error_type or "")
    message = plain_message(incoming.error_message or "") or plain_message(incoming.title)
    yield from ("words", error_type, message, incoming.service_name or "")
    if not error_type and not message.strip("# "):
        yield incoming.alert_id


def _of_stack(errors: Sequence[_Error], in_project: traces.IsInApp | None, named: _Naming) -> Iterator[str]:
    ours = [_steps(error, in_project) for error in errors] if in_project else []
    if not any(ours):
        ours = [[_step(frame) for frame in error.frames if frame.in_app] for error in errors]
    if not any(ours):
        ours = [[_step(frame) for frame in error.frames] for error in errors]
    told = (_told(error, steps, named) for error, steps in zip(errors, ours, strict=True))
    yield from list(dict.fromkeys(told))[:_MOST_ERRORS]
    if not any(len(step.function) >= _TELLING for steps in ours for step in steps):
        yield errors[0].message


def _told(error: _Error, steps: Sequence[_Step], named: _Naming) -> str:
    """Return an exception in one text; of a panic, whose type says nothing, with its message."""
    kind = named(error.type)
    if kind in {"", "panic"}:
        kind = error.message
    return "\n".join([kind, *(f"{step.place}\t{step.function}" for step in _once(steps))])


def _steps(error: _Error, in_project: traces.IsInApp) -> list[_Step]:
    return [_step(frame) for frame in error.frames if in_project(frame)]


def _step(frame: traces.Frame) -> _Step:
    return _Step(plain_function(frame.function or ""), plain_place(frame.file or frame.module or ""))


def _once(steps: Sequence[_Step]) -> list[_Step]:
    """Return each function once, the innermost first: a recursion is as deep as it happens to be."""
    named = (step for step in reversed(steps) if step.function not in _COMPREHENSIONS)
    return list(dict.fromkeys(named))[:_MOST_FRAMES]


def _errors(incoming: IncomingAlert) -> list[_Error]:
    """Return the exception that came out, then those behind it, each type and stack once."""
    if incoming.frames or any(cause.frames for cause in incoming.causes):
        found = [_structured(incoming.error_type, incoming.error_message, incoming.frames)]
        found += [_structured(one.error_type, one.error_message, one.frames) for one in incoming.causes]
    else:
        found = _printed(incoming.stacktrace or "")
    return found[:_MOST_READ]


def _structured(error_type: str | None, message: str | None, frames: tuple[ReportedFrame, ...]) -> _Error:
    return _Error(error_type or "", plain_message(message or ""), tuple(_as_printed(one) for one in frames))


def _as_printed(frame: ReportedFrame) -> traces.Frame:
    return traces.Frame(
        file=frame.abs_path or frame.file,
        line=frame.line,
        function=frame.function,
        module=frame.module,
        in_app=frame.in_app is not False,
    )


def _printed(text: str) -> list[_Error]:
    trace = traces.parse(text)
    if trace.primary is None:
        return []
    primary = trace.exceptions[trace.primary]
    others = [
        one for at, one in enumerate(trace.exceptions) if at != trace.primary and one.relation != "member"
    ]
    return [_read(one) for one in (primary, *reversed(others))]


def _read(raised: traces.Raised) -> _Error:
    end = len(raised.frames) if raised.crash is None else raised.crash + 1
    return _Error(raised.type or "", plain_message(raised.message or ""), raised.frames[:end])
