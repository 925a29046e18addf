"""C, C++ and what is compiled likewise: gdb, lldb, the sanitizers' reports, and what crash handlers print."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.native_frames import NUMBER, bare, frame, symbol
from hefesto_api.domain.traces.runs import first_not, innermost_first

_RUNTIME: Final = re.compile(r"(\S[^:]*+):(\d{1,9}+)(?::(\d{1,9}+))?: runtime error: (.*+)")
_SANITIZER: Final = re.compile(r"(?:(?:==\d++==)?(?:ERROR|WARNING): )?(\w+Sanitizer): (\S.*+)")
_KIND: Final = re.compile(r"(?:detected memory leaks|[^(:]+?(?= \(pid=)|\S++)")
_SIGNAL: Final = re.compile(
    r".{0,100}?(?:Program (?:received|terminated with) signal|received signal|stop reason = signal) "
    r"(SIG[A-Z]++)(?:[,:]? ?(.*+))$"
    r"|.{0,200}?stop reason = (EXC_\w++)(?: \(([^()]*+)\))?"
    r"|\*\*\* (SIG[A-Z]++) (.*?);? ?stack trace: \*\*\*"
    r"|.{0,100}?signal \d++ \((SIG[A-Z]++)\)(?:, (.*+))?$"
    r"|.{0,100}?BUG: (KASAN: [\w-]++|KMSAN: [\w-]++|[^:]{4,60}?)(?::| in) (.*+)$"
)
_FAILED: Final = re.compile(
    r".{0,200}?(?<!\w)((?:Debug check|D?CHECK|Check|Assertion) failed)[:.] (.*+)$"
    r"|.{0,200}?: (Assertion) [`'](.*+)' failed\.$"
    r"|\*\*\* (stack smashing detected|buffer overflow detected|Error in [`'][^']*+'|[a-z()! ]{4,60}?)"
    r"(?: \*\*\*)?: (.*+)$"
)
_THROWN: Final = re.compile(r"terminate called after throwing an instance of '([^']++)'")
_WHAT: Final = re.compile(r"what\(\): +(.*+)$")
_OTHER: Final = re.compile(
    r"(?:freed by|previously allocated by|allocated by|Previous \w++|Thread .{0,80}created by|"
    r"Uninitialized value was|Memory was marked|Location is|Mutex|Thread \d++ \(|thread #\d++)"
)
_MACHINERY: Final = re.compile(
    r"(?:__)?(?:GI_)?_{0,2}(?:raise|abort|gsignal|pthread_kill|assert_fail|assert|cxa_throw|"
    r"cxa_rethrow|kernel_vsyscall)\b|"
    r"__(?:asan|interceptor|sanitizer|ubsan|msan|tsan|libc_message|pthread_kill|assert|fortify|"
    r"chk_fail|stack_chk|GI_)|"
    r"<signal handler called>|(?:__gnu_cxx::|__cxxabiv1::|std::terminate)|(?:malloc_printerr|"
    r"_int_free|__libc_fatal)|ABRT|(?:malloc|calloc|realloc|free|strdup|operator new(?:\[\])?)(?:\(|$)|"
    r"dump_stack|kasan_|google::|logging::|base::debug::|V8_Fatal|v8::base::"
)
_BACK = 10
_NOISE = 2
_JOINED = 3  # lines that one call's arguments may be wrapped onto


def read(lines: Lines, number: int, floor: int) -> Block | int | None:
    """The stack whose frame 0 stands here, or an undefined behaviour that was told of without one."""
    raw = lines.raw[number]
    if ": runtime error: " in raw and (found := lines.made(number, _RUNTIME.match)):
        return _place_alone(lines, number, found)
    if ("#" not in raw[:9] or "# " in raw or " pc " in raw) and lines.made(number, symbol):
        return _library(lines, number, floor)
    found = NUMBER.match(lines[number].strip()[:8_000]) if lines.made(number, frame) else None
    if found is None or (found[1] != "0" and floor):
        return None
    frames, end = _stack(lines, number)
    title = next(
        (lines[n].strip() for n in range(number - 1, max(floor, number - 3) - 1, -1) if lines[n].strip()), ""
    )
    header = _above(lines, number, floor)
    if found[2] is None and len(frames) < 2 and header is None:
        return None
    if floor and header is None and _OTHER.match(title):
        return Block([], end, others=[innermost_first(None, None, frames, note=title[:120].rstrip(":"))])
    kind, message = header or (None, None)
    return Block([innermost_first(kind, message, frames, first_not(frames, _MACHINERY))], end)


def _place_alone(lines: Lines, number: int, found: re.Match[str]) -> Block | None:
    if any(lines.made(n, frame) for n in range(number + 1, number + 3)):
        return None
    site = Frame(found[1], int(found[2]), None, column=int(found[3]) if found[3] else None)
    return Block([innermost_first("runtime error", found[4], [site])], number + 1)


def _stack(lines: Lines, at: int) -> tuple[list[Frame], int]:
    """The frames from line `at` on to the next frame 0, with arguments that were wrapped onto other lines."""
    frames: list[Frame] = []
    start = end = at
    while at < len(lines) and at - end <= _NOISE:
        text = lines[at].strip()
        found, numbered = lines.made(at, frame), lines.made(at, NUMBER.match)
        if _OTHER.match(text) or (numbered and numbered[1] == "0" and at > start):
            break
        first = at
        if numbered and found is None and text.count("(") > text.count(")"):
            found, at = _wrapped(lines, at)
        if found:
            for skipped in range(end, first):
                lines.skip(skipped, "between the frames")
            frames.append(found)
        at += 1
        if found or numbered:
            end = at
    return frames, end


def _wrapped(lines: Lines, at: int) -> tuple[Frame | None, int]:
    text = lines[at].strip()[:4_000]
    for further in range(at + 1, at + 1 + _JOINED):
        text = f"{text} {lines[further].strip()[:4_000]}"
        if found := frame(text):
            return found, further
    return None, at


def _library(lines: Lines, number: int, floor: int) -> Block | int:
    """The stack that the program, or a library in it, printed itself."""
    frames: list[Frame] = []
    at = number
    while at < len(lines) and ((found := lines.made(at, symbol)) or lines.made(at, bare)):
        frames += [found] if found else []
        at += 1
    header = _above(lines, number, floor)
    if header is None and len(frames) < 2:
        return at
    kind, message = header or (None, None)
    return Block([innermost_first(kind, message, frames, first_not(frames, _MACHINERY))], at)


def _above(lines: Lines, number: int, floor: int) -> tuple[str, str] | None:
    """What happened, and what is told of it, in the nearest line above that says so."""
    said = ""
    for above in range(number - 1, max(floor, number - _BACK) - 1, -1):
        if found := lines.made(above, _WHAT.match):
            said = found[1]
        elif found := lines.made(above, _THROWN.match):
            return found[1], said
        elif header := lines.made(above, _what):
            return header
    return None


def _what(text: str) -> tuple[str, str] | None:
    if found := _RUNTIME.match(text):
        return "runtime error", found[4]
    if found := _SANITIZER.match(text):
        kind = _KIND.match(found[2])
        return (kind[0].rstrip(":") if kind else found[1]), found[2].strip()
    if found := _SIGNAL.match(text) or _FAILED.match(text):
        kind, message = next(
            (one, two or "") for one, two in zip(*[iter(found.groups())] * 2, strict=True) if one
        )
        return kind.strip(), message.removesuffix("***").strip(" .")
    return None


NATIVE: Final = Language(
    "c",
    (
        *((start,) for start in ("#0 ", "#0: ", "#1 ", "0# ")),
        (": runtime error: ",),
        ("(", "+0x", "[0x"),
        ("@ ", " 0x"),
        ("#00 pc ",),
        ("+0x", "/0x"),
        ("!", "+0x"),
        (": 0x", " [", "]"),
    ),
    read,
    newest_first=True,
)
