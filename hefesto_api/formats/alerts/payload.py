"""Reading a foreign JSON document: strictly as JSON, leniently as to its fields, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from msgspec import Struct

from hefesto_api.domain.alert import Link
from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.formats.alerts import texts

DEPTH = 64
ITEMS = 20_000  # looked at of one list

_LINKS = 20
_MOST = 2**63 - 1


def loads(body: bytes) -> Any:
    """Read a JSON text: UTF-8 (a byte order mark is passed over), at most 64 deep, no NaN.

    Raises MalformedRequest. Of a key that stands twice the last counts.
    """
    try:
        value = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"The body is not JSON: {error}.") from None
    if body.count(b"[") + body.count(b"{") > DEPTH and _deeper(value):
        raise MalformedRequest(f"The body is nested more than {DEPTH} deep.")
    return value


def _deeper(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH):
        level = [child for item in level for child in _children(item)]
    return any(isinstance(item, dict | list) for item in level)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def read_object(body: bytes) -> Node:
    """Read a body that is one JSON object. Raises MalformedRequest, also for other JSON."""
    value = loads(body)
    if not isinstance(value, dict):
        raise MalformedRequest("The body is not a JSON object.")
    return Node(value)


class Node(Struct, frozen=True):
    """A value of a document and its dotted place there, as `alerts[2].labels`.

    Of several names the first that holds something usable counts. What is optional and of another type
    than asked for is as if it were not there; `required_...` raise Invalid, naming the place.
    """

    value: Any
    path: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """The object's own fields; none when this is no object."""
        return self.value if isinstance(self.value, dict) else {}

    def place(self, name: str) -> str:
        """Return the dotted place of a field."""
        return f"{self.path}.{name}" if self.path else name

    def required_object(self) -> Node:
        """Return this node if it is an object."""
        if not isinstance(self.value, dict):
            raise Invalid(self.path, "An object is expected here.", "type")
        return self

    def child(self, name: str) -> Node:
        """Return the node of a field, whatever it is."""
        return Node(self.fields.get(name), self.place(name))

    def items(self, name: str, most: int = ITEMS) -> list[Node]:
        """Return the nodes of a list, `most` of them."""
        value = self.fields.get(name)
        if not isinstance(value, list):
            return []
        return [Node(item, f"{self.place(name)}[{at}]") for at, item in enumerate(value[:most])]

    def required_items(self, name: str) -> list[Node]:
        """Return the nodes of a list that must be there."""
        if not isinstance(self.fields.get(name), list):
            raise Invalid(self.place(name), "A list is expected here.", "type")
        return self.items(name)

    def text(self, *names: str, limit: int = texts.NAME) -> str | None:
        """Return a text (an integer as its digits), clean, cut, without outer white space, not empty."""
        for name in names:
            found = _text(self.fields.get(name), limit)
            if found:
                return found
        return None

    def raw(self, *names: str) -> str | None:
        """Return a text as it stands, uncut: for ids, which `texts.identifier` bounds."""
        for name in names:
            value = self.fields.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
            if isinstance(value, str) and value.strip():
                return value
        return None

    def required_raw(self, *names: str) -> str:
        """Return a text as it stands, which must be there."""
        found = self.raw(*names)
        if found is None:
            raise Invalid(self.place(names[0]), "A text is required here.", "required")
        return found

    def count(self, *names: str, least: int = 0) -> int | None:
        """Return an integer (also as digits in a text) of at least `least` that fits 64 bits."""
        for name in names:
            found = _integer(self.fields.get(name))
            if found is not None and least <= found <= _MOST:
                return found
        return None

    def flag(self, name: str) -> bool | None:
        """Return a boolean."""
        value = self.fields.get(name)
        return value if isinstance(value, bool) else None

    def trace(self, *names: str) -> str | None:
        """Return a stack trace: a text, or a list of its lines, at most `texts.TRACE` characters."""
        for name in names:
            value = self.fields.get(name)
            if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
                value = "\n".join(line.rstrip("\n") for line in value)
            if isinstance(value, str) and value.strip():
                return texts.cut_middle(value, texts.TRACE)
        return None

    def links(self, *names: str) -> tuple[Link, ...]:
        """Return the http(s) addresses in these fields, each with its field's name."""
        pairs = ((self.fields.get(name), name) for name in names)
        return tuple(link for href, name in pairs if (link := link_to(href, name)))[:_LINKS]


def link_to(href: Any, text: str = "") -> Link | None:
    """Return a link, or None when the address is not http(s) or longer than 2000 characters."""
    if not isinstance(href, str) or len(href) > texts.URL or not href.startswith(("http://", "https://")):
        return None
    return Link(texts.clean(href), texts.cut(text, texts.NAME))


def _text(value: Any, limit: int) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return texts.cut(value.strip(), limit).strip() if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
