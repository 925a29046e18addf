"""Keys in the source, guessable secrets, unsigned tokens, hashes and comparisons that give secrets away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.python_checks.matching import Pattern, calls, found, matching, on_call
from hefesto_api.analyzers.python_checks.scopes import assigned_name, function_name
from hefesto_api.analyzers.python_checks.syntax import constant, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.analyzers.python_checks.syntax import Call, Site
    from hefesto_api.domain.finding import Detection

WEAK_RANDOM: Final = "HEF-SEC-WEAK-RANDOM"
JWT: Final = "HEF-SEC-JWT-NOT-VERIFIED"
HARDCODED_KEY: Final = "HEF-SEC-HARDCODED-KEY"
STATIC_IV: Final = "HEF-SEC-STATIC-IV"
WEAK_CIPHER: Final = "HEF-SEC-WEAK-CIPHER"
PASSWORD_HASH: Final = "HEF-SEC-FAST-PASSWORD-HASH"  # noqa: S105 - a rule's name
TIMING: Final = "HEF-SEC-TIMING-COMPARISON"

MINIMUM_PBKDF2_ROUNDS: Final = 100_000  # a tenth of what OWASP asks of SHA-1, to be sure of the finding
MINIMUM_BCRYPT_ROUNDS: Final = 10

_RANDOM: Final = (
    "choice",
    "choices",
    "randint",
    "randrange",
    "random",
    "sample",
    "getrandbits",
    "randbytes",
    "uniform",
)
_SECRET_NAME: Final = re.compile(
    r"(?:^|[^a-z])(?:passwords?|passwd|passphrase|pwd|secrets?|otp|nonce|salt|csrf|captcha"
    r"|(?:auth|access|reset|refresh|session|api|csrf|verification|confirm(?:ation)?|activation|invite|bearer|login|user)_?tokens?"
    r"|tokens?|(?:secret|api|private|encryption|signing|session|access)_?keys?|session_?ids?|(?:verification|reset|activation|pin|auth)_?codes?)"
    r"(?:$|[^a-z])"
)
_NO_SECRET: Final = re.compile(
    r"mask|(?:^|_)(?:num|n|max|min|pad|cls|sep|eos|bos|special|word|input|output)_?tokens?|tokenize"
)
_PASSWORD: Final = re.compile(r"passw(?:or)?d|passphrase|\bpwd\b", re.IGNORECASE)


def _words(name: str) -> str:
    """Return a name in lower case with its words apart: `resetToken` becomes `reset_token`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _random(call: Call, site: Site) -> Iterator[Detection]:
    if not call.name.startswith("random."):
        return
    for name in (assigned_name(call.node), function_name(call.node)):
        if _NO_SECRET.search(name):
            return
        if _SECRET_NAME.search(_words(name)):
            yield found(WEAK_RANDOM, call.node, f"{name} comes from {call.name}, which can be predicted")
            return


def _uuid1(call: Call, site: Site) -> Iterator[Detection]:
    name = assigned_name(call.node)
    if call.name == "uuid.uuid1" and _SECRET_NAME.search(_words(name)):
        yield found(
            WEAK_RANDOM, call.node, f"{name} comes from uuid1, which is made of the time and the machine"
        )


def _jwt(call: Call, _: Site) -> Iterator[Detection]:
    if "jwt" not in call.name.lower() and "jws" not in call.name.lower():
        return
    options, algorithms = call.keywords.get("options"), call.argument(2, "algorithms", "algorithm")
    if call.method == "decode" and call.says("verify", "False"):
        yield found(JWT, call.node, "the token's signature is not verified (verify=False)")
    elif call.method == "decode" and options is not None and _unverified(text(options)):
        yield found(JWT, call.node, "the token's signature is not verified (verify_signature: False)")
    elif algorithms is not None and re.search(r"""['"]none['"]""", text(algorithms), re.IGNORECASE):
        yield found(JWT, call.node, f"{call.name} takes the algorithm 'none': tokens without a signature")
    key = call.argument(1, "key")
    literal = constant(key)
    if literal and "-----BEGIN" not in literal:
        yield found(HARDCODED_KEY, call.node, f"{call.name} with a key that stands in the source")


def _unverified(options: str) -> bool:
    return re.search(r"verify_signature['\"]?\s*[:=]\s*False", options) is not None


def _key(call: Call, _: Site) -> Iterator[Detection]:
    crypto = call.name.startswith(("Crypto.", "Cryptodome."))
    keyed = crypto or call.name in {"hmac.new", "hmac.digest"} or call.name.endswith("fernet.Fernet")
    if keyed and constant(call.argument(0, "key")):
        yield found(HARDCODED_KEY, call.node, f"{call.name} with a key that stands in the source")
    if crypto and constant(call.argument(2, "iv", "nonce")):
        yield found(STATIC_IV, call.node, f"{call.name} with the same initialisation vector every time")


def _mode(call: Call, _: Site) -> Iterator[Detection]:
    if ".modes." in call.name and constant(call.argument(0, "initialization_vector", "nonce")):
        yield found(STATIC_IV, call.node, f"{call.method} with the same initialisation vector every time")


def _ecb(site: Site) -> Iterator[Detection]:
    if (
        site.node.type == "identifier"
        and site.node.parent is not None
        and site.node.parent.type == "attribute"
    ):
        yield found(WEAK_CIPHER, site.node.parent, f"{text(site.node.parent)} shows which blocks are equal")


def _password_hash(call: Call, _: Site) -> Iterator[Detection]:
    if call.method == "pbkdf2_hmac":
        rounds = call.argument(3, "iterations")
        if rounds is not None and _below(text(rounds), MINIMUM_PBKDF2_ROUNDS):
            yield found(PASSWORD_HASH, call.node, f"PBKDF2 with only {text(rounds)} rounds", confidence=0.85)
    elif call.name.startswith("hashlib."):
        hashed = call.argument(0, "string", "data")
        if hashed is not None and _PASSWORD.search(text(hashed)):
            yield found(PASSWORD_HASH, call.node, f"{text(hashed)[:60]} is hashed once, with {call.name}")


def _bcrypt(call: Call, _: Site) -> Iterator[Detection]:
    rounds = call.argument(0, "rounds")
    if call.name == "bcrypt.gensalt" and rounds is not None and _below(text(rounds), MINIMUM_BCRYPT_ROUNDS):
        yield found(PASSWORD_HASH, call.node, f"bcrypt with a cost of only {text(rounds)}", confidence=0.9)


def _below(written: str, minimum: int) -> bool:
    digits = written.replace("_", "")
    return digits.isdecimal() and len(digits) < 12 and int(digits) < minimum


def _timing(call: Call, _: Site) -> Iterator[Detection]:
    comparison = call.node.parent
    if comparison is None or comparison.type != "comparison_operator" or call.arguments:
        return
    if any(child.type in {"==", "!="} for child in comparison.children):
        yield found(TIMING, comparison, f"{text(comparison)[:80]} takes longer the more of it is right")


_LIBRARIES: Final = (b"Crypto", b"Cryptodome", b"cryptography")

PATTERNS: Final = (
    Pattern(calls(*_RANDOM), on_call(_random), modules=(b"random",)),
    Pattern(calls("uuid1"), on_call(_uuid1), modules=(b"uuid",)),
    Pattern(
        calls("decode", "encode", "sign", "verify"), on_call(_jwt), modules=(b"jwt", b"jose", b"authlib")
    ),
    Pattern(calls("new", "digest", "Fernet"), on_call(_key), modules=(b"hmac", *_LIBRARIES)),
    Pattern(calls("CBC", "CTR", "CFB", "OFB", "GCM"), on_call(_mode), modules=_LIBRARIES),
    Pattern(matching(rb"(MODE_ECB)\b"), _ecb, modules=_LIBRARIES),
    Pattern(
        calls(
            *("sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s"),
            "pbkdf2_hmac",
        ),
        on_call(_password_hash),
        modules=(b"hashlib",),
    ),
    Pattern(calls("gensalt"), on_call(_bcrypt), modules=(b"bcrypt",)),
    Pattern(calls("hexdigest", "digest"), on_call(_timing), modules=(b"hmac",)),
)
