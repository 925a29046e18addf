"""Whether a finding that is seen now is one that was seen before.

A detection is described by a few partial fingerprints that know nothing of line numbers, indentation or
the file's path (`prints`); the findings of one file are paired from the most to the least exact of them
(`matching`); a file that went away and one that came are the same file when their contents say so
(`renames`). All of it is pure. Where the evidence is ambiguous the answer is "a new finding": a false
merge would carry a person's decision over to code that this person never saw.
"""

from hefesto_api.domain.identity.matching import EVIDENCE, Known, Matching, Pair, Seen, match
from hefesto_api.domain.identity.prints import (
    VERSION,
    Fingerprints,
    fingerprints,
    public_fingerprint,
    telling_apart,
)
from hefesto_api.domain.identity.renames import FileTraits, renames, sketch

__all__ = [
    "EVIDENCE",
    "VERSION",
    "FileTraits",
    "Fingerprints",
    "Known",
    "Matching",
    "Pair",
    "Seen",
    "fingerprints",
    "match",
    "public_fingerprint",
    "renames",
    "sketch",
    "telling_apart",
]
