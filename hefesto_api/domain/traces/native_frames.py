"""How debuggers, sanitizers and libraries print one frame of C, C++ and what is compiled likewise."""

import re
from typing import Final

from hefesto_api.domain.traces.model import Frame

NUMBER: Final = re.compile(
    r"(?:\* |-> )?(?:frame )?#(\d{1,6}+):? {1,4}(?:(0x[0-9a-fA-F]++)(?: in | |$))?(.*+)$"
)
_PLACE: Final = re.compile(
    r"((?:[A-Za-z]:[\\/])?[^\s:()'\"][^:()'\"]*+):(\d{1,9}+)(?::(\d{1,9}+))?(?:\s.*+)?$"
)
_BINARY: Final = re.compile(r"\(([^()]+)\+0x[0-9a-f]++\)(?: \(BuildId: [0-9a-f]++\))?$")
_OFFSET: Final = re.compile(r" \+ \d++$")
# The lines of backtrace_symbols, glog, boost::stacktrace and Node.
_OTHERS: Final = (
    re.compile(r"(?P<module>[^\s()]++)\((?P<name>[^()+]++)\+0x[0-9a-f]++\) ?\[0x[0-9a-f]++\]$"),
    re.compile(r"(?:\(.\) )?@ {1,20}0x[0-9a-f]{2,16}+ {1,4}(?:\([^()]++\) )?(?P<name>[^\s(].*+)$"),
    re.compile(r"\d{1,4}+# (?P<name>.+) at (?P<file>\S[^:]*+(?::[\\/][^:]++)?):(?P<line>\d{1,9}+)$"),
    re.compile(r"\d{1,4}+# (?P<name>.+) in (?P<module>\S++)$"),
    re.compile(
        r"#\d{1,4}+ {1,2}pc [0-9a-f]{4,16}+ {1,2}(?P<module>\S+)"
        r"(?: \((?:BuildId: .*|(?P<name>[^()+]+(?:\([^()]*\))?(?: const)?)\+\d++)\))?"
        r"(?: \(BuildId: [0-9a-f]++\))?$"
    ),
    re.compile(
        r"(?:\[<[0-9a-f]{8,16}+>\] )?(?:\? )?(?P<name>[\w.]{1,200}+)\+0x[0-9a-f]++/0x[0-9a-f]++"
        r"(?: (?P<file>[\w./-]+):(?P<line>\d{1,9}+))?(?: \[[\w ]++\])?$"
    ),
    re.compile(
        r"(?:[0-9a-f]{2} )?(?:\(Inline[^)]{0,40}+\) )?(?:[0-9a-f`-]{8,17}+ ){0,3}+(?P<module>[\w.]{1,99}+)!"
        r"(?P<name>[^\[\n]{1,999}?)\+0x[0-9a-f]++(?: \[(?P<file>[^\]\n]+) @ (?P<line>\d{1,9}+)\])?$"
    ),
    re.compile(r"\d{1,4}+: 0x[0-9a-f]++ (?P<name>\S.*) \[(?P<module>[^\[\]]++)\]$"),
)
_ADDRESS: Final = re.compile(
    r"#\d{1,4}+ {1,2}pc [0-9a-f]{4,16}+|[^\s()]++\((?:\+0x[0-9a-f]++)?\) ?\[0x[0-9a-f]++\]$|"
    r"@ {1,20}0x[0-9a-f]{1,16}+(?: {1,4}\(unknown\))?$"
)


def bare(text: str) -> bool:
    """Whether a line is a frame of which only the address is known."""
    return _ADDRESS.match(text) is not None


def symbol(text: str) -> Frame | None:
    """A line of a library's own stack as a frame, or None."""
    for pattern in _OTHERS:
        if found := pattern.match(text):
            parts = found.groupdict()
            if parts["name"] is None:
                return None
            file, line = parts.get("file"), parts.get("line")
            return Frame(file, int(line) if line else None, parts["name"], module=parts.get("module"))
    return None


def frame(text: str) -> Frame | None:
    """A numbered line as a frame; None too for one that is only an address."""
    found = NUMBER.match(text)
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
    binary, sign, name = rest.partition("`")
    if sign and " " not in binary:
        return Frame(None, None, _named(_OFFSET.sub("", name)), module=binary)
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
        rest = rest[: len(rest) - len(binary[0])].strip()
    if cut := _split(rest):
        function, found = cut
        column = int(found[3]) if found[3] else None
        return Frame(found[1], int(found[2]), function or None, column=column)
    if binary:
        return Frame(None, None, rest, module=binary[1]) if rest else None
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
