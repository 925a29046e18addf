"""Swift: the assertion's place, the runtime's stack, the backtrace of Swift 5.9 on, Apple's crash reports."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.runs import first_not, innermost_first, run

_IMAGE: Final = re.compile(r"\d{1,6}+ {1,4}(\S(?:[^ ]| (?! ))*+) {2,}+\t?0x[0-9a-fA-F]++ (.++)$")
_PLAIN: Final = re.compile(r"\d{1,6}+ {1,4}(\S++)[ \t]++0x[0-9a-fA-F]++ (.++)$")
_NEW: Final = re.compile(
    r"\d{1,6}+ (?:\[\w++\] )*+(?:0x[0-9a-fA-F]++ )?(?:\[\w++\] )*+(\S.*?)(?: \+ \d++)? in (\S++)"
    r"(?: at (\S.*+))?$"
)
_PLACE: Final = re.compile(r"([^:\s()][^:()]*+):(\d{1,9}+)(?::(\d{1,9}+))?$")
_OFFSET: Final = re.compile(r"^(.+?) \+ \d++(?: \(([^():]++):(\d{1,9}+)\))?$")
_LOADED: Final = re.compile(r"^(.+?) \(in [^)]++\)(?: \(([^():]++):(\d{1,9}+)\))?$")
_FAILED: Final = re.compile(r"(?:.{0,200}?)(Fatal error|Assertion failed|Precondition failed)(?:: (.*+)|$)")
_SITE: Final = re.compile(r"(\S[^,]*+), line (\d{1,9}+)$")
_PREFIXED: Final = re.compile(
    r"(\S[^:]*\.swift):(\d{1,9}+): (Fatal error|Assertion failed|Precondition failed)(?:: (.*+)|$)"
)
_REPORT: Final = re.compile(
    r"Exception Type: {1,9}+(\S++)(?: \((\w++)\))?|(?:💣 |\*\*\* )?(?:Program crashed|Signal \d++): (.*+)"
    r"|.{0,99}?uncaught exception '(\w++)', reason: '(.*)'"
)
_SILENT: Final = re.compile(r"\d{1,4}+[ │|].*|[│|~^ ]*+\^|…|\.\.\.|\d++ frames? omitted")
_MACHINERY: Final = re.compile(
    r"_?(?:swift_|assertionFailure|fatalError|preconditionFailure)|_assertionFailure|"
    r"closure #\d++ in _assertionFailure|"
    r"Swift\.|__pthread_kill|pthread_kill|abort|raise|objc_exception_throw|__exceptionPreprocess|"
    r"specialized _"
)
_BACK = 12
_NOISE = 8  # the source around a frame


def frame(text: str) -> Frame | None:
    """A numbered line as a frame, or None."""
    text = text[:4_000]
    if found := _IMAGE.match(text) or _PLAIN.match(text):
        if found[1].startswith("["):
            return _new(text)
        return _symbol(found[2], found[1].strip())
    return _new(text)


def _symbol(symbol: str, image: str) -> Frame:
    found = _OFFSET.match(symbol) or _LOADED.match(symbol)
    if found is None:
        return Frame(None, None, symbol, module=image)
    return Frame(found[2], int(found[3]) if found[3] else None, found[1], module=image)


def _new(text: str) -> Frame | None:
    found = _NEW.match(text)
    if found is None or ("0x" not in text and " at " not in text):
        return None
    if "0x" not in text and not found[3]:
        return None
    target, place = found[2], _PLACE.match(found[3]) if found[3] else None
    if place is None:
        return Frame(None, None, found[1], module=target) if "0x" in text else None
    return Frame(place[1], int(place[2]), found[1], module=target, column=int(place[3]) if place[3] else None)


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """A failed assertion with the stack below it, or a stack alone."""
    text = lines[number].strip()
    failed = _failure(text) if " error" in text or " failed" in text else None
    if failed is not None:
        return _failed(lines, number, failed)
    if lines.made(number, frame) is None:
        return None
    frames, end = run(lines, number, frame, _SILENT, _NOISE)
    kind, message = _above(lines, number, floor)
    if kind is None and len(frames) < 2:
        return None
    return Block([innermost_first(kind, message, frames, first_not(frames, _MACHINERY))], end)


def _failure(text: str) -> tuple[str, str, Frame | None] | None:
    text = text[:4_000]
    if found := _PREFIXED.match(text):
        return found[3], found[4] or "", Frame(found[1], int(found[2]), None)
    found = _FAILED.match(text)
    if found is None:
        return None
    message, named, place = (found[2] or "").rpartition("file ")
    site = _SITE.match(place) if named else None
    if site is None:
        return found[1], found[2] or "", None
    return found[1], message.removesuffix(": ") or found[2], Frame(site[1], int(site[2]), None)


def _failed(lines: Lines, number: int, failed: tuple[str, str, Frame | None]) -> Block | None:
    kind, message, site = failed
    start = next((n for n in range(number + 1, number + _BACK) if lines.made(n, frame)), None)
    frames, end = run(lines, start, frame, _SILENT, _NOISE) if start else ([], number + 1)
    if site is None and (len(frames) < 2):
        return None
    known = site is None or any(_same(one, site) for one in frames)
    crash = 0
    if known:
        crash = next(
            (n for n, one in enumerate(frames) if site and _same(one, site)), first_not(frames, _MACHINERY)
        )
    elif site:
        frames = [site, *frames]
    return Block([innermost_first(kind, message, frames, crash)], end)


def _same(one: Frame, site: Frame) -> bool:
    return (
        one.line == site.line and (one.file or "").rpartition("/")[2] == (site.file or "").rpartition("/")[2]
    )


def _above(lines: Lines, number: int, floor: int) -> tuple[str | None, str | None]:
    for above in range(number - 1, max(floor, number - 3 * _BACK) - 1, -1):
        if found := lines.made(above, _REPORT.match):
            return found[1] or found[4] or "crash", found[2] or found[3] or found[5] or ""
    return None, None


SWIFT: Final = Language(
    "swift",
    (
        *((start,) for start in ("Fatal error", "Assertion failed", "Precondition failed")),
        *((start, "0x") for start in ("0   ", "0 ", "0\t")),
        ("0 [",),
        (" in ", " at "),
    ),
    read,
    newest_first=True,
)
