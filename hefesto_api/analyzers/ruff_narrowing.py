"""Which hits of ruff are worth a person's time: what its rules cannot say, said by looking at the place.

A judge answers None (not worth passing on) or the fields of the detection that differ from the catalogue's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from hefesto_api.domain.finding import Severity


class Source:
    """The text of one file, split only when somebody asks."""

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self._content = content

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends, as ruff counts them."""
        text = self._content.decode(errors="replace")
        return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


class Place(Struct, frozen=True):
    """One hit: lines and columns count from 1, `end_column` is one past the last."""

    code: str
    message: str
    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def first_line(self) -> str:
        """The whole line on which the hit begins."""
        lines = self.source.lines
        return lines[self.line - 1] if self.line <= len(lines) else ""

    @property
    def text(self) -> str:
        """What the hit spans."""
        lines = self.source.lines[self.line - 1 : self.end_line]
        if not lines:
            return ""
        lines[-1] = lines[-1][: self.end_column - 1]
        lines[0] = lines[0][self.column - 1 :]
        return "\n".join(lines)

    @property
    def before(self) -> str:
        """What stands before the hit on its first line."""
        return self.first_line[: self.column - 1]

    @property
    def after(self) -> str:
        """What stands behind the hit on its last line."""
        lines = self.source.lines
        return lines[self.end_line - 1][self.end_column - 1 :] if self.end_line <= len(lines) else ""


Verdict = dict[str, Any] | None
Judge = Callable[[Place], Verdict]

_PLAIN: Final[dict[str, Any]] = {}


def judge(place: Place) -> Verdict:
    """Return None when a hit is not worth passing on, else the fields that differ from the catalogue's."""
    judged = _JUDGES.get(place.code)
    return _PLAIN if judged is None else judged(place)


def _kept(condition: bool) -> Verdict:
    return _PLAIN if condition else None


def _only_calls(place: Place) -> Verdict:
    """A name that is only passed on, caught or imported is no use of it."""
    return _kept(place.text.endswith(")"))


_SQL: Final = re.compile(
    r"""\(*\s*[rbuf]{0,2}(?:'''|\"\"\"|['"])\s*(?:select\b.*\bfrom\b|select\s+\{|insert\s+into\b|update\b.+\bset\b"""
    r"""|delete\s+from\b|with\b.+\bselect\b|replace\s+into\b|merge\s+into\b|truncate\s+table\b)""",
    re.IGNORECASE | re.DOTALL,
)


def _sql(place: Place) -> Verdict:
    """A statement begins with its verb; a sentence that has `select` and `from` somewhere does not."""
    return _kept(_SQL.match(place.text) is not None)


def _dynamic_shell(place: Place) -> Verdict:
    """A constant command cannot be injected into."""
    return _kept("seems safe" not in place.message)


_BINDING: Final = re.compile(r"host|bind|listen|interface|addr|\.run\(|serve", re.IGNORECASE)


def _binding(place: Place) -> Verdict:
    """Only where the address is bound to, not where it is compared, parsed or a placeholder."""
    around = place.before + place.after
    if re.search(
        r"[=!]=\s*$|\bin\b|remote|client", place.before, re.IGNORECASE
    ) or place.after.lstrip().startswith("=="):
        return None
    return _kept(_BINDING.search(around) is not None)


_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:pass|password|passwd|passphrase|pwd|secret|secret_?key|api_?key|auth_?token|access_?token)\d*$",
    re.IGNORECASE,
)
_PLACEHOLDER: Final = re.compile(
    r"""^$|^[\s*x.#-]+$|^(?:none|null|true|false|changeme|change_me|todo|example|dummy|test|placeholder|redacted|hidden)$"""
    r"""|^[<\[{(%$].*[>\]})]?$|password|passwd|secret|token|credential|your|\s|://|(?-i:^[A-Z][A-Z_]+$)""",
    re.IGNORECASE,
)


def _credential(place: Place) -> Verdict:
    """The name must be a credential's own and the value must look like one, not like a name for it."""
    name = re.search(r'"(?:[^"]*\.)?([^".]+)"', place.message)
    value = re.search(r"""(['"]{1,3})(.*?)\1""", place.text)
    if name is None or value is None or re.search(r"[=!]=\s*$", place.before):
        return None
    return _kept(
        _SECRET_NAME.search(name[1]) is not None
        and len(value[2]) >= 4
        and _PLACEHOLDER.search(value[2]) is None
        and value[2].lower() != name[1].lower()
    )


def _written_temporary(place: Place) -> Verdict:
    """A fixed name in a shared folder matters where the file is created."""
    return _kept(
        re.search(r"open\([^)]*$", place.before) is not None
        and re.search(r"""['"][rbt]*[wax]""", place.after) is not None
    )


_HASHED_SECRET: Final = re.compile(
    r"passw|passphrase|pwd|secret|token|signature|\bsalt|hmac|credential", re.IGNORECASE
)


def _hash(place: Place) -> Verdict:
    """Over a password or a token a broken hash is a hole, over a cache key it is a habit."""
    if _HASHED_SECRET.search(place.first_line):
        return {"severity": Severity.HIGH, "confidence": 0.75}
    return _PLAIN


def _yaml(place: Place) -> Verdict:
    """A loader class of the project's own usually derives from the safe one."""
    named = re.search(r"loader `([^`]+)`", place.message)
    return _kept(
        named is None
        or named[1].rpartition(".")[2]
        in {"Loader", "CLoader", "UnsafeLoader", "CUnsafeLoader", "FullLoader", "CFullLoader"}
    )


def _old_tls(place: Place) -> Verdict:
    """SSLv23 is the historical name of 'negotiate the best version'."""
    return _kept("SSLv23" not in place.message)


def _opened_url(place: Place) -> Verdict:
    """Preparing a request is not opening it; the opening is reported by itself."""
    return _kept(place.text.endswith(")") and re.match(r"[\w.]*Request\b", place.text) is None)


_CONSTANT_CALL: Final = re.compile(r"""\(\s*[rb]?(['"])[^'"\n]*\1\s*[,)]""")


def _evaluated(place: Place) -> Verdict:
    """Evaluating a literal is odd, not dangerous."""
    _, opening, arguments = (place.text + place.after).partition("(")
    return _kept(_CONSTANT_CALL.match(opening + arguments) is None)


_FROZEN: Final = re.compile(
    r"`[^`]*\b(?:now|utcnow|today|time|time_ns|monotonic|perf_counter|uuid\d|random|randint|token_\w+|getcwd|getenv|environ\.get)`"
)


def _frozen_default(place: Place) -> Verdict:
    """A call whose answer differs from moment to moment, evaluated once; others are a matter of taste."""
    return _kept(_FROZEN.search(place.message) is not None)


def _useless_expression(place: Place) -> Verdict:
    """Reading an attribute may be meant for what the property does."""
    return _kept(re.fullmatch(r"[\w.()]+\.\w+", place.text) is None)


def _undefined(place: Place) -> Verdict:
    """Within a string annotation the name may be for the type checker alone; packages have a `__path__`."""
    quoted = place.before.count('"') % 2 or place.before.count("'") % 2
    return _kept(not quoted and place.text != "__path__")


def _not_reexported(place: Place) -> Verdict:
    """A package's `__init__` imports in order to export; so do stubs and modules made for compatibility."""
    name = place.source.path.rpartition("/")[2]
    return _kept(
        name != "__init__.py"
        and not name.endswith(".pyi")
        and "compat" not in name
        and "consider using `importlib" not in place.message
    )


def _within_function(place: Place) -> Verdict:
    """At module level `name = name` marks an export."""
    return _kept(place.column > 1)


def _none_comparison(place: Place) -> Verdict:
    """In a query `column == None` is the expression IS NULL."""
    return _kept(re.search(r"filter|where|join|query|select|and_|or_|Column|\.c\.", place.first_line) is None)


def _slipped_comma(place: Place) -> Verdict:
    """A comma that ends a tuple of several is a habit; one behind a single value is a slip."""
    return _kept(place.first_line.count(",") == 1)


def _stop(place: Place) -> Verdict:
    """Importing a debugger stops nothing."""
    return _kept(not place.message.startswith("Import for"))


def _own_method(place: Place) -> Verdict:
    """Interfaces that only describe leave `self` out of every method."""
    return _kept(re.search(r"\(\s*(?:self|cls|mcs|\*|/|_)|^\s*$", place.first_line) is not None)


def _closed_elsewhere(place: Place) -> Verdict:
    """A file that is kept in an attribute or handed to the caller is somebody else's to close."""
    return _kept(re.search(r"\bself\.\w+\s*(?::[^=]+)?=\s*$|\b(?:return|yield)\s+$", place.before) is None)


_JUDGES: Final[dict[str, Judge]] = {
    "B008": _frozen_default,
    "B018": _useless_expression,
    "COM818": _slipped_comma,
    "E711": _none_comparison,
    "F401": _not_reexported,
    "F403": _not_reexported,
    "F821": _undefined,
    "PLE0302": _own_method,
    "PLW0127": _within_function,
    "RUF009": _frozen_default,
    "S102": _evaluated,
    "S104": _binding,
    "S105": _credential,
    "S106": _credential,
    "S107": _credential,
    "S108": _written_temporary,
    "S301": _only_calls,
    "S302": _only_calls,
    "S303": _hash,
    "S307": _evaluated,
    "S310": _opened_url,
    "S312": _only_calls,
    "S321": _only_calls,
    "S324": _hash,
    "S503": _old_tls,
    "S506": _yaml,
    "S602": _dynamic_shell,
    "S605": _dynamic_shell,
    "S608": _sql,
    "SIM115": _closed_elsewhere,
    "T100": _stop,
}
