"""Making hostile text harmless: what a file is called and contains is written by others."""

import re
from typing import Any

import msgspec

# C0 and C1 controls but for tab and line feed; marks that turn or hide text (bidi, zero width, tags).
_TERMINAL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# What XML 1.0 cannot hold, not even as a reference (production 2, Char).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_INSTEAD = "\ufffd"

_encoder = msgspec.json.Encoder()


def for_terminal(text: str) -> str:
    """Return the text without escapes, control characters and marks that reorder or hide what follows.

    Tab and line feed stay; each other one becomes U+FFFD, so that its place is seen.
    """
    return _TERMINAL.sub(_INSTEAD, text)


def one_line(text: str) -> str:
    """Return the text for a terminal, its runs of white space (line ends too) as one blank each."""
    return for_terminal(" ".join(text.split()))


def for_xml(text: str) -> str:
    """Return the text without the characters that XML 1.0 cannot hold (U+FFFD stands in)."""
    return _NOT_XML.sub(_INSTEAD, text)


def scalar(text: str) -> str:
    """Return the text without lone surrogates, which no UTF-8 can carry."""
    return text if text.isascii() else _SURROGATES.sub(_INSTEAD, text)


def to_json(value: object) -> bytes:
    """Write a value (or Struct) as JSON; lone surrogates in it become U+FFFD."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_scrubbed(msgspec.to_builtins(value)))


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, dict):
        return {scalar(str(key)): _scrubbed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(item) for item in value]
    return value
