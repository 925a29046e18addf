"""What an error's type and message tell: its kind, the names in it, and what they are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from hefesto_api.domain.correlation.model import Crash

LONGEST: Final = 4_000
MOST_WORDS: Final = 60
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
QUOTED = re.compile(r"'([^'\n]{1,80})'|\"([^\"\n]{1,80})\"|`([^`\n]{1,80})`")

NONE: Final = "none"
ATTRIBUTE: Final = "attribute"
ARGUMENTS: Final = "arguments"
TYPE: Final = "type"
KEY: Final = "key"
INDEX: Final = "index"
NAME: Final = "name"
IMPORT: Final = "import"
VALUE: Final = "value"
ASSERTION: Final = "assertion"
UNIMPLEMENTED: Final = "unimplemented"
RECURSION: Final = "recursion"
DATABASE: Final = "database"
ENCODING: Final = "encoding"
SYSTEM: Final = "system"
LOOKUP: Final = "lookup"
OTHER: Final = "other"

# Of the type's last name, in lower case; the first that matches is it.
KINDS: Final = (
    (NONE, re.compile(r"nullpointer|nullreference|nil_?pointer|nilerror")),
    (ATTRIBUTE, re.compile(r"attributeerror|nosuchmethod|nosuchfield|nomethoderror")),
    (IMPORT, re.compile(r"importerror|modulenotfound|classnotfound|noclassdef")),
    (KEY, re.compile(r"^keyerror|nosuchelement")),
    (INDEX, re.compile(r"indexerror|outofbounds|rangeerror|stopiteration")),
    (NAME, re.compile(r"nameerror|unboundlocal|referenceerror")),
    (ENCODING, re.compile(r"unicode|decodeerror|encodeerror|jsondecode|binascii")),
    (RECURSION, re.compile(r"recursion|stackoverflow")),
    (ASSERTION, re.compile(r"assert")),
    (UNIMPLEMENTED, re.compile(r"notimplemented|unsupportedoperation")),
    (
        DATABASE,
        re.compile(
            r"integrityerror|programmingerror|operationalerror|dataerror|databaseerror|interfaceerror|sql"
        ),
    ),
    (LOOKUP, re.compile(r"doesnotexist|notfounderror|^notfound|lookuperror|multipleobjects|fielderror")),
    (
        SYSTEM,
        re.compile(
            r"oserror|ioerror|filenotfound|permission|connection|timeout|memoryerror|socket|brokenpipe"
        ),
    ),
    (TYPE, re.compile(r"typeerror|classcast|illegalargument")),
    (VALUE, re.compile(r"valueerror|numberformat|illegalstate")),
)
# Of the whole type: a driver's own errors have names for whatever a database may say.
DRIVERS = re.compile(
    r"^(?:psycopg\d?|asyncpg|sqlite3|mysqldb|pymysql|mysql|cx_oracle|oracledb|pyodbc|sqlalchemy\.exc|pg|mysql2"
    r"|java\.sql|org\.postgresql|com\.mysql|npgsql|microsoft\.data\.sqlclient)(?:\.|::)"
)
NULL = re.compile(
    r"'?NoneType'?|of (?:undefined|null)\b|is (?:undefined|null)\b|nil pointer|because .* is null"
)
SIGNATURE = re.compile(
    r"([\w.<>]+)\(\) (?:takes|got|missing|requires)|unexpected keyword argument|positional argument"
    r"|missing required argument|expected (?:exactly |at (?:least|most) )?\d+ arguments?\b"
)
MISSING = re.compile(
    r"has no attribute:? '?(\w+)'?|reading '(\w+)'|property '(\w+)'|undefined method [`'](\w+)'"
)
OWNER = re.compile(
    r"(?:type object )?'(\w+)' object|type object '(\w+)'|module '([\w.]+)'"
    r"|^(\w+)(?: object)? has no attribute"
)
CALLED = re.compile(r"([A-Za-z_][\w.<>]*)\(\)")
# Words that messages are made of: they point to nothing.
PLAIN: Final = frozenset(
    {
    "after", "and", "another", "are", "argument", "arguments", "attribute", "been", "before", "being",
    "bool", "but", "bytes", "call", "callable", "can", "cannot", "class", "classes", "code", "could",
    "data", "defined", "dict", "did", "does", "during", "error", "errors", "exception", "expected",
    "failed", "false", "file", "float", "for", "from", "function", "given", "got", "had", "handling",
    "has", "have", "import", "index", "instance", "int", "integer", "into", "invalid", "iterable",
    "keyword", "last", "line", "list", "method", "missing", "module", "more", "most", "must", "name",
    "named", "names", "none", "nonetype", "not", "null", "number", "object", "objects", "occurred",
    "only", "operand", "operands", "out", "positional", "properties", "property", "range", "read",
    "reading", "recent", "required", "self", "should", "str", "string", "subscriptable", "takes", "than",
    "that", "the", "this", "traceback", "true", "tuple", "type", "types", "unable", "undefined",
    "unexpected", "unsupported", "value", "values", "was", "when", "while", "with", "write",
    }
)  # fmt: skip


SUBWORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@lru_cache(maxsize=20_000)
def subwords(name: str) -> tuple[str, ...]:
    """Split a name at underscores and capitals; lower case, three letters at least."""
    return tuple(one.lower() for one in SUBWORD.findall(name) if len(one) > 2)


class Told(Struct, frozen=True):
    """What a message tells. `words` are names that may stand in code, `parts` what they
    are made of, `called` the functions it names.

    `member` is the attribute that was not there, `owner` the type (or module) that has it not; `keys` are
    what stands in quotes. `no_collection` is true where something was asked for an item that has none,
    `unpacks` where it was to be taken apart.
    """

    kind: str
    is_none: bool = False
    words: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()
    member: str | None = None
    owner: str | None = None
    keys: tuple[str, ...] = ()
    text: str = ""
    no_collection: bool = False
    unpacks: bool = False


def kind_of(error_type: str | None, text: str) -> str:
    """Return the kind of an error by its type, in whatever language, and its message."""
    name = re.split(r"[.:$\\/]", error_type or "")[-1].lower()
    found = next((kind for kind, pattern in KINDS if pattern.search(name)), OTHER)
    if found == OTHER and DRIVERS.match((error_type or "").lower()):
        return DATABASE
    if found in (TYPE, OTHER) and SIGNATURE.search(text):
        return ARGUMENTS
    if found in (TYPE, OTHER, ATTRIBUTE) and NULL.search(text):
        return NONE
    return found


def read(crash: Crash) -> Told:
    """Read an error's type and message."""
    return _read(crash.error_type, (crash.error_message or "")[:LONGEST])


@lru_cache(maxsize=256)
def _read(error_type: str | None, text: str) -> Told:
    missing, owner = MISSING.search(text), OWNER.search(text)
    names = [one for one in WORD.findall(text) if one.lower() not in PLAIN]
    quoted = [next(filter(None, groups)) for groups in QUOTED.findall(text)]
    kind = kind_of(error_type, text)
    if kind == KEY and not quoted:
        quoted = [text.strip()[:80]]
    return Told(
        kind=kind,
        is_none=bool(NULL.search(text)),
        words=frozenset(list(dict.fromkeys(names))[:MOST_WORDS]),
        parts=frozenset(part for name in names[:MOST_WORDS] for part in subwords(name) if part not in PLAIN),
        called=frozenset(one.rpartition(".")[2] for one in CALLED.findall(text)[:10]),
        member=next(filter(None, missing.groups()), None) if missing else None,
        owner=next(filter(None, owner.groups()), None) if owner else None,
        keys=tuple(quoted[:10]),
        text=text,
        no_collection="subscriptable" in text or "item assignment" in text or "__getitem__" in text,
        unpacks="unpack" in text or "destructure" in text,
    )
