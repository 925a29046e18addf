"""The kinds of values on the wire, read strictly: a number is a number, an instant has a zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import marshmallow as ma
from marshmallow import fields

from hefesto_api.domain import emails, slugs

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAST, MOST = -(2**63), 2**63 - 1
_DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_SLUG = re.compile(rf"^{slugs.SLUG.pattern}$(?!\n)", re.ASCII)
_CWE = re.compile(r"^(?:[Cc][Ww][Ee]-)?([0-9]{1,6})$(?!\n)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Integer(fields.Integer):
    """An integer of a JSON body: no text, no fraction, within 64 bits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strict=True, **options)

    def _validated(self, value: Any) -> int:
        if isinstance(value, str | float):
            raise self.make_error("invalid", input=value)
        return int(super()._validated(value))


class QueryInteger(fields.Integer):
    """An integer of a query: digits alone, within 64 bits."""

    def _validated(self, value: Any) -> int:
        if not isinstance(value, str) or not _DIGITS.fullmatch(value) or not LEAST <= int(value) <= MOST:
            raise self.make_error("invalid", input=value)
        return int(value)


class Number(fields.Float):
    """A number of a JSON body: no text, finite."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return float(super()._validated(value))


class Flag(fields.Boolean):
    """`true` or `false` of a JSON body, and nothing like them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class QueryFlag(fields.Boolean):
    """`true` or `false` of a query."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if value not in {"true", "false"}:
            raise self.make_error("invalid", input=value)
        return bool(value == "true")


class Moment(fields.Field[datetime]):
    """A date or a date-time (UTC when it names no zone); a date is its first instant, its last with `end`."""

    default_error_messages = {"invalid": "Not a date or a date-time."}  # noqa: RUF012 - the library's way

    def __init__(self, *, end: bool = False, **options: Any) -> None:
        options.setdefault("metadata", {}).setdefault("description", "A date or an RFC 3339 date-time.")
        super().__init__(**options)
        self._end = end

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> datetime:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            return self._read(value)
        except (ValueError, OverflowError):
            raise self.make_error("invalid") from None

    def _read(self, value: str) -> datetime:
        if _DAY.fullmatch(value):
            return datetime.combine(date.fromisoformat(value), time.max if self._end else time.min, UTC)
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


class Choice(fields.String):
    """One of some words; with `upper` in any case, read as upper case."""

    def __init__(self, known: Iterable[str], *, upper: bool = False, **options: Any) -> None:
        super().__init__(validate=ma.validate.OneOf(tuple(known)), **options)
        self._upper = upper

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        word = str(super()._deserialize(value, attr, data, **options))
        return word.upper() if self._upper else word


class Weakness(fields.Field[int]):
    """A CWE: `89` or `CWE-89`."""

    default_error_messages = {"invalid": "Not the number of a CWE."}  # noqa: RUF012 - the library's way

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        found = _CWE.match(str(value)) if isinstance(value, str | int) else None
        if found is None:
            raise self.make_error("invalid")
        return int(found.group(1))


class Words(fields.Field[tuple[str, ...]]):
    """Words separated by commas in one query parameter; with `upper` in any case, read as upper case."""

    default_error_messages = {"invalid": "Not words separated by commas.", "unknown": "Unknown: {names}."}  # noqa: RUF012

    def __init__(self, *, known: tuple[str, ...] = (), upper: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._known = known
        self._upper = upper

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> tuple[str, ...]:
        text = str(value).upper() if self._upper else str(value)
        words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
        if not all(words):
            raise self.make_error("invalid")
        if self._known and (strange := [word for word in words if word not in self._known]):
            raise self.make_error("unknown", names=", ".join(strange))
        return words


def register(plugin: Any) -> None:
    """Tell the OpenAPI plugin what the fields of ours are."""
    plugin.map_to_openapi_type(Moment, "string", None)
    plugin.map_to_openapi_type(Weakness, "string", None)
    plugin.map_to_openapi_type(Words, "string", None)


def text(most: int, *, least: int = 0, **options: Any) -> fields.String:
    """Return a field of text with a length, free of NUL (which PostgreSQL cannot keep)."""
    return fields.String(validate=[ma.validate.Length(least, most), _no_nul], **options)


def slug(**options: Any) -> fields.String:
    """Return the field of a project's short name."""
    return fields.String(validate=ma.validate.Regexp(_SLUG, error=slugs.RULE), **options)


def email(**options: Any) -> fields.String:
    """Return a field of an address of mail."""
    options.setdefault("metadata", {}).setdefault("format", "email")
    return fields.String(validate=[ma.validate.Length(3, emails.MOST), _address], **options)


def _address(value: str) -> None:
    if not emails.is_email(value):
        raise ma.ValidationError("Not an address of mail.")


def _no_nul(value: str) -> None:
    if "\0" in value:
        raise ma.ValidationError("May not hold a NUL character.")
