"""Reading multipart forms: files go to disk as they come, the rest stays small."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

from werkzeug.formparser import FormDataParser

from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.web import body
from hefesto_api.web.context import runtime
from hefesto_api.web.errors import UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    from flask import Request
    from werkzeug.datastructures import FileStorage, MultiDict

FORM = "multipart/form-data"
_FIELD_BYTES = body.MEGABYTE
_PARTS = 100
_MUCH = "takes_much"


def is_upload(request: Request) -> bool:
    """Tell whether a request brings files."""
    return request.mimetype == FORM


def raw(content: Mapping[str, Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Document the raw body that a view reads itself by `whole`: OpenAPI's `content`, by media type."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        about = view.__dict__.setdefault("_apidoc", {})
        about.setdefault("manual_doc", {})["requestBody"] = {"required": True, "content": dict(content)}
        about[_MUCH] = True
        return view

    return decorate


def takes_much(view: Callable[..., Any]) -> bool:
    """Tell whether a view's raw body may be as large as an upload."""
    return bool(getattr(view, "_apidoc", {}).get(_MUCH))


def whole(request: Request, kinds: Container[str]) -> IO[bytes]:
    """Return a body of one of some media types (or of any JSON), as large as an upload may be, to be read.

    Raises UnsupportedMediaType; reading it raises PayloadTooLarge, and MalformedRequest for what is broken
    off.
    """
    kind = request.mimetype
    if kind not in kinds and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType(f"This route does not take {kind[:100] or 'a body without a type'!r}.")
    return body.stream(request.environ, runtime().settings.max_upload_mb * body.MEGABYTE)


@contextmanager
def read(request: Request) -> Iterator[tuple[dict[str, str], dict[str, FileStorage]]]:
    """Yield the form's fields and its files, which are closed at the end.

    Raises UnsupportedMediaType, MalformedRequest, PayloadTooLarge, and Invalid for what is repeated.
    """
    with ExitStack() as opened:
        fields, files = _parsed(request, opened)
        if None in {*fields, *files}:
            raise MalformedRequest("A part of the form has no name.")
        for name in {*fields, *files}:
            if len(fields.getlist(name)) + len(files.getlist(name)) > 1:
                raise Invalid(name, "Given more than once.", "repeated")
        if any("\0" in text for pair in fields.items() for text in pair):
            raise MalformedRequest("The form holds a NUL character.")
        yield fields.to_dict(), files.to_dict()


def _parsed(request: Request, opened: ExitStack) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != FORM or not boundary:
        raise UnsupportedMediaType(f"This route takes {FORM} with a boundary.")

    def keep(**_: object) -> IO[bytes]:
        return cast("IO[bytes]", opened.enter_context(SpooledTemporaryFile(max_size=body.MEGABYTE)))

    parser = FormDataParser(
        cast("Any", keep), max_form_memory_size=_FIELD_BYTES, max_form_parts=_PARTS, silent=False
    )
    stream = body.stream(request.environ, runtime().settings.max_upload_mb * body.MEGABYTE)
    try:
        _, fields, files = parser.parse(stream, FORM, None, {"boundary": boundary})
    except ValueError as error:
        raise MalformedRequest("The body is not a multipart form.") from error
    return fields, files
