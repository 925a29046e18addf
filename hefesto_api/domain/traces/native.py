"""C, C++ and what is compiled likewise: gdb, lldb, and the sanitizers' reports."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.runs import back, first_not, innermost_first, run

_NUMBER: Final = re.compile(
    r"(?:\* |-> )?(?:frame )?#(\d{1,6}+):? {1,4}(?:(0x[0-9a-fA-F]++)(?: in | |$))?(.*+)$"
)
_PLACE: Final = re.compile(
    r"((?:[A-Za-z]:[\\/])?[^\s:()'\"][^:()'\"]*+):(\d{1,9}+)(?::(\d{1,9}+))?(?:\s.*+)?$"
)
_BINARY: Final = re.compile(r"\(([^()]++)\+0x[0-9a-f]++\)(?: \(BuildId: [0-9a-f]++\))?$")
_SILENT: Final = re.compile(r"(?!)")
_HEADER: Final = re.compile(
    r"(?:==\d++==)?(?:ERROR|WARNING): (\w+Sanitizer): (\S++)(.*+)"
    r"|()(\S[^:]*+):(\d++)(?::\d++)?: runtime error: (.*+)"
    r"|.{0,100}?(?:Program (?:received|terminated with) signal|received signal|"
    r"stop reason = signal) (SIG[A-Z]++)(?:[,:]? ?(.*+))$"
)
_OTHER: Final = re.compile(
    r"(?:freed by|previously allocated by|allocated by|Previous \w++|Thread .{0,80}created by|"
    r"Uninitialized value was|"
    r"Memory was marked|Location is|Mutex|Thread \d++ \(|thread #\d++)"
)
_MACHINERY: Final = re.compile(
    r"(?:__)?(?:GI_)?_{0,2}(?:raise|abort|gsignal|pthread_kill|assert_fail|assert|cxa_throw|"
    r"cxa_rethrow|kernel_vsyscall)\b|"
    r"__(?:asan|interceptor|sanitizer|ubsan|msan|tsan|libc_message|pthread_kill|assert|fortify|"
    r"chk_fail|stack_chk|GI_)|"
    r"<signal handler called>|(?:__gnu_cxx::|__cxxabiv1::|std::terminate)|(?:malloc_printerr|"
    r"_int_free|__libc_fatal)|ABRT"
)


def frame(text: str) -> Frame | None:
    """A numbered line as a frame; None too for one that is only an address."""
    found = _NUMBER.match(text[:8_000])
    if found is None or not found[3]:
        return None
    rest = found[3]
    return _gdb(rest) or _sanitizer(rest, with_address=found[2] is not None)


def _gdb(rest: str) -> Frame | None:
    if rest == "<signal handler called>":
        return Frame(None, None, rest)
    head, at, place = rest.rpartition(" at ")
    if at and (" (" in head or "`" in head):
        found = _PLACE.match(place)
        if found is None:
            return None
        function = head.partition("`")[2] or head
        column = int(found[3]) if found[3] else None
        return Frame(found[1], int(found[2]), _named(function), column=column)
    head, from_, binary = rest.rpartition(" from ")
    if from_ and head.endswith(")"):
        return Frame(None, None, _named(head), module=binary)
    if rest.endswith(" ()") and " " not in rest[:-3]:
        return Frame(None, None, rest[:-3])
    return None


def _named(function: str) -> str | None:
    """The name without the arguments gdb prints behind it."""
    name, opened, _ = function.partition(" (")
    return (name if opened else function.partition("(")[0]).strip() or None


def _sanitizer(rest: str, *, with_address: bool) -> Frame | None:
    binary = _BINARY.search(rest[-600:])
    if binary:
        function = rest[: len(rest) - len(binary[0])].strip()
        return Frame(None, None, function, module=binary[1]) if function and with_address else None
    cut = _split(rest)
    if cut:
        function, found = cut
        column = int(found[3]) if found[3] else None
        return Frame(found[1], int(found[2]), function or None, column=column)
    if with_address and " " not in rest and not rest.startswith("("):
        return Frame(None, None, rest)
    return None


def _split(rest: str) -> tuple[str, re.Match[str]] | None:
    """A demangled name, blanks and all, and the path behind it: at the last blank before the path."""
    closing = rest.rfind(")")
    start = rest.find(" ", max(closing, 0))
    if rest.startswith(("operator ", "non-virtual ", "virtual ", "decltype", "void ")) and closing < 0:
        start = rest.rfind(" ")
    while start >= 0:
        path = rest[start + 1 :]
        if path[:1] in "/.~<" or path[1:2] == ":" or " " not in path or "/" in path.partition(" ")[0]:
            found = _PLACE.match(path)
            return (rest[:start], found) if found else None
        start = rest.find(" ", start + 1)
    return None


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """The stack whose frame 0 stands here."""
    found = _NUMBER.match(lines[number].strip()[:8_000]) if lines.made(number, frame) else None
    if found is None or (found[1] != "0" and floor):
        return None
    frames, end = run(lines, number, _next, _SILENT, noise=2)
    frames = [one for one in frames if one.function != ""]
    header = back(lines, number, floor, _HEADER, 10)
    real = found[2] is not None or len(frames) > 1 or header is not None
    if not frames or not real:
        return None
    above = next(
        (lines[n].strip() for n in range(number - 1, max(floor, number - 3) - 1, -1) if lines[n].strip()), ""
    )
    if floor and _OTHER.match(above) and header is None:
        return Block([], end, others=[innermost_first(None, None, frames, note=above[:120].rstrip(":"))])
    kind, message = _what(header[0]) if header else (None, None)
    if header is None and floor and above and found[1] == "0" and _OTHER.match(above):
        return None
    return Block([innermost_first(kind, message, frames, first_not(frames, _MACHINERY))], end)


def _next(text: str) -> Frame | None:
    """A frame, or an empty one that keeps the place of an address without a name."""
    return frame(text) or (Frame(None, None, "") if _NUMBER.match(text[:8_000]) else None)


def _what(header: re.Match[str]) -> tuple[str, str]:
    if header[1]:
        return header[2].rstrip(":"), (header[2] + header[3]).strip()
    if header[7] is not None:
        return "runtime error", header[7]
    return header[8], (header[9] or "").strip(" .")


NATIVE: Final = Language("c", (("#0 ",), ("#0: ",), ("#1 ",)), read, newest_first=True)
