"""Where the results of a report lie in its text, so that each can be read by itself.

Only strings and brackets are looked at. Whether the rest is JSON is seen when the parts are decoded: every
byte of the text is either within a result or in what is left of the document without its results.
"""

from __future__ import annotations

import mmap
import re
from array import array

from msgspec import Struct

from hefesto_api.domain.errors import Invalid, MalformedRequest, PayloadTooLarge

DEPTH = 64
MAX_REST = 64 * 1024 * 1024  # bytes of a document without its results

_BOM = b"\xef\xbb\xbf"
_RUNS, _RUN, _RESULTS = 2, 3, 4  # how many brackets are open within `runs`, a run, and its `results`
# Up to the next bracket, over all strings; nothing is ever tried twice, so that it takes linear time.
_FLAT = rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+'
_NEXT = re.compile(_FLAT + rb"([{}\[\]])", re.DOTALL)
_RUNS_KEY = re.compile(rb'(?<!\\)"runs"[ \t\r\n]*+:[ \t\r\n]*+\[\Z')
_RESULTS_KEY = re.compile(rb'(?<!\\)"results"[ \t\r\n]*+:[ \t\r\n]*+\[\Z')
_FIRST = re.compile(rb"[ \t\r\n]*+([{\]])")
_FURTHER = re.compile(rb"[ \t\r\n]*+(?:,[ \t\r\n]*+(\{)|(\]))")
_USUAL = 12  # brackets that are open at once within nearly every result, its flows too
_OPENING = (b"{", b"[")
_DEEPEST = DEPTH - _RESULTS
_KEY_ROOM = 256  # bytes before a bracket in which its key is looked for
_AROUND = 64 * 1024  # bytes that come along when one byte of a mapped file is looked at
_HELD = 4 * 1024 * 1024


def _rest_of_object() -> re.Pattern[bytes]:
    """Return what matches the rest of an object in one go, where it is nested no deeper than is usual."""
    within = _FLAT
    for _ in range(_USUAL - 1):
        within = _FLAT + rb"(?:[{\[]" + within + rb"[}\]]" + _FLAT + rb")*+"
    return re.compile(within + rb"[}\]]", re.DOTALL)


_REST_OF_OBJECT = _rest_of_object()


class Pages:
    """Lets go of a mapped file's pages that were read: they would count as this process's memory."""

    def __init__(self, text: bytes | mmap.mmap) -> None:
        mapped = isinstance(text, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED")
        self._map = text if mapped else None
        self._held = 0

    def read(self, count: int) -> None:
        """Note that so many bytes of one place were read."""
        self._held += count + _AROUND
        if self._held > _HELD and isinstance(self._map, mmap.mmap):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._held = 0


class Spans(Struct):
    """Where the results of one run begin and end, as offsets in the text."""

    begins: array[int]
    ends: array[int]

    def __len__(self) -> int:
        return len(self.begins)


class Scanned(Struct):
    """A document without its results, and where these are, by run."""

    rest: bytes
    runs: list[Spans]


def scan(text: bytes | mmap.mmap, *, most: int) -> Scanned:
    """Find the results in a report's text.

    Raises MalformedRequest for brackets that do not pair, for nesting beyond DEPTH and for keys given
    twice, Invalid for results that are no objects, and PayloadTooLarge for more than `most` results or a
    rest beyond MAX_REST.
    """
    return _Scan(text, most).carry_out()


class _Scan:
    """One pass over a text."""

    def __init__(self, text: bytes | mmap.mmap, most: int) -> None:
        self._text, self._pages = text, Pages(text)
        self._left = most
        self._kept: list[bytes] = []
        self._room = MAX_REST
        self._runs: list[Spans] = []
        self._within_runs = False
        self._has_results = False

    def carry_out(self) -> Scanned:
        """Go from bracket to bracket, and over the results in one go."""
        position = held = len(_BOM) if self._text[: len(_BOM)] == _BOM else 0
        depth = 0
        while found := _NEXT.match(self._text, position):
            begin, position = position, found.end()
            depth = self._step(found[1], depth)
            if found[1] == b"[" and self._begins_results(depth, begin, position):
                self._keep(held, position)
                position = self._results(position) - 1
                held = position
        self._keep(held, len(self._text))
        return Scanned(b"".join(self._kept), self._runs)

    def _step(self, bracket: bytes, depth: int) -> int:
        """Return the depth behind a bracket; note where a run begins."""
        if bracket in (b"}", b"]"):
            self._within_runs = self._within_runs and depth > _RUNS
            return depth - 1
        if depth == DEPTH:
            raise MalformedRequest("The report is nested too deeply.")
        if depth + 1 == _RUN and self._within_runs:
            self._runs.append(Spans(array("Q"), array("Q")))
            self._has_results = False
        return depth + 1

    def _begins_results(self, depth: int, begin: int, end: int) -> bool:
        """Tell whether a list that begins is a run's results; note whether it is the document's runs."""
        if depth == _RUNS and self._follows(_RUNS_KEY, begin, end):
            if self._runs:
                raise MalformedRequest("The report holds the key 'runs' twice.")
            self._within_runs = True
        elif depth == _RESULTS and self._within_runs and self._follows(_RESULTS_KEY, begin, end):
            if self._has_results:
                raise MalformedRequest("The report holds the key 'results' twice in one run.")
            self._has_results = True
            return True
        return False

    def _follows(self, key: re.Pattern[bytes], begin: int, end: int) -> bool:
        return key.search(self._text[max(begin, end - _KEY_ROOM) : end]) is not None

    def _keep(self, begin: int, end: int) -> None:
        self._room -= end - begin
        if self._room < 0:
            raise PayloadTooLarge("The report without its results is too large.", limit_bytes=MAX_REST)
        self._kept.append(self._text[begin:end])

    def _results(self, position: int) -> int:
        """Note where each result begins and ends; return the place behind the list."""
        spans, held = self._runs[-1], position
        found = _FIRST.match(self._text, position)
        while found and found[1] == b"{":
            end = self._end_of(found.end())
            self._left -= 1
            if self._left < 0:
                raise PayloadTooLarge("The report has too many results.")
            if end - held > _HELD:
                self._pages.read(end - held)
                held = end
            spans.begins.append(found.end() - 1)
            spans.ends.append(end)
            found = _FURTHER.match(self._text, end)
        if not found:
            place = f"runs[{len(self._runs) - 1}].results[{len(spans)}]"
            raise Invalid(place, "This is no object, or not separated from the one before.", "type_error")
        return found.end()

    def _end_of(self, position: int) -> int:
        """Return the place behind the object that is open."""
        if usual := _REST_OF_OBJECT.match(self._text, position):
            return usual.end()
        text, depth, following = self._text, 1, _NEXT.match
        while depth:
            found = following(text, position)
            if found is None:
                raise MalformedRequest("The report is cut short: a result does not end.")
            position = found.end()
            depth += 1 if found[1] in _OPENING else -1
            if depth > _DEEPEST:
                raise MalformedRequest("The report is nested too deeply.")
        return position
