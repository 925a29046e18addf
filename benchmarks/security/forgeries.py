"""Every way that is known to make a token which a careless verifier takes, each as (class, token)."""

from __future__ import annotations

import base64
import hmac
import json
import os
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ORDER: Final = 2**252 + 27742317777372353535851937790883648493  # of Ed25519's group
MANY: Final = 2**63
KIDS: Final[tuple[Any, ...]] = (
    "../../../../dev/null",
    "/dev/null",
    "file:///dev/null",
    "..\\..\\nul",
    "' OR '1'='1",
    "x' UNION SELECT 'a'--",
    "1; DROP TABLE signing_keys",
    "$(id)",
    "`id`",
    "|id",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "\0",
    "a" * 2000,
    "",
    None,
    0,
    -1,
    1.5,
    True,
    [],
    {},
    ["a"],
    "\ud800",
    "\u202e",
)


class Good(NamedTuple):
    """A token that is good, another user's, what signed them, and an address that nobody may be led to."""

    token: str
    other: str
    key: Ed25519PrivateKey
    trap: str

    @property
    def parts(self) -> list[str]:
        """Header, payload and signature."""
        return self.token.split(".")

    @property
    def header(self) -> dict[str, Any]:
        """The header, read."""
        return decoded(self.parts[0])

    @property
    def claims(self) -> dict[str, Any]:
        """The payload, read."""
        return decoded(self.parts[1])


def encoded(part: Any) -> str:
    """Write a part: bytes as they are, others as JSON."""
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, Any]:
    """Read a part."""
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return value


def signed(header: Any, claims: Any, sign: Callable[[bytes], bytes]) -> str:
    """Put a token together."""
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(sign(text.encode()))}"


def _hmac(secret: bytes, digest: str, text: bytes) -> bytes:
    return hmac.digest(secret, text, digest)


def all_of(good: Good) -> Iterator[tuple[str, str | bytes]]:
    """Yield every forgery."""
    for maker in (
        unsigned,
        confused,
        own_keys,
        named_keys,
        leading,
        extended,
        mistyped,
        malleable,
        mixed,
        misshapen,
        strange,
        oversized,
        incomplete,
        timely,
        wrong,
        unreadable,
        cut,
        flipped,
    ):
        for token in maker(good):
            yield maker.__name__, token


def unsigned(good: Good) -> Iterator[str]:
    """Tokens without a signature: alg none, in every spelling."""
    _, payload, signature = good.parts
    for alg in ("none", "None", "NONE", "nOnE", "none ", "", None, "null"):
        header = encoded(good.header | {"alg": alg})
        for end in ("", signature, encoded(b"\0" * 64)):
            yield f"{header}.{payload}.{end}"
        yield f"{header}.{payload}"
    yield f"{good.parts[0]}.{payload}."


def confused(good: Good) -> Iterator[str]:
    """The public key, which everybody has, taken for a secret of HMAC."""
    public = good.key.public_key()
    raw = public.public_bytes_raw()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps({"kty": "OKP", "crv": "Ed25519", "x": encoded(raw)}).encode()
    secrets = (
        raw,
        encoded(raw).encode(),
        raw.hex().encode(),
        pem,
        pem.strip(),
        der,
        jwk,
        b"",
        b"secret",
        b"\0",
    )
    for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
        for secret in secrets:
            for header in (good.header | {"alg": alg}, {"alg": alg, "typ": "JWT"}, good.header):
                yield signed(header, good.claims, partial(_hmac, secret, digest))


def own_keys(good: Good) -> Iterator[str]:
    """Tokens signed by a key of the forger's, of every family."""
    edwards, curve = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
    modulus = rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    ways: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("EdDSA", edwards.sign),
        ("Ed25519", edwards.sign),
        ("Ed448", lambda text: edwards.sign(text) + b"\0" * 50),
        ("ES256", lambda text: curve.sign(text, ec.ECDSA(hashes.SHA256()))),
        ("ES256", lambda text: b"\0" * 64),
        ("ES256K", lambda text: b"\0" * 64),
        ("RS256", lambda text: modulus.sign(text, padding.PKCS1v15(), hashes.SHA256())),
        ("PS256", lambda text: modulus.sign(text, pss, hashes.SHA256())),
    )
    for alg, sign in ways:
        for header in (good.header, good.header | {"alg": alg}, {"alg": alg}):
            yield signed(header, good.claims | {"scope": "admin"}, sign)


def named_keys(good: Good) -> Iterator[str]:
    """Key ids that lead elsewhere, signed as if that were the key, and even by ours."""
    own = Ed25519PrivateKey.generate()
    for kid in KIDS:
        header = good.header | {"kid": kid}
        yield signed(header, good.claims, good.key.sign)
        yield signed(header, good.claims, own.sign)
        yield signed(
            header | {"alg": "HS256"}, good.claims, lambda text: hmac.new(b"", text, "sha256").digest()
        )
    yield signed(
        {name: value for name, value in good.header.items() if name != "kid"}, good.claims, good.key.sign
    )


def leading(good: Good) -> Iterator[str]:
    """Headers that bring a key along, or say where to fetch it."""
    own = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encoded(own.public_key().public_bytes_raw())}
    brought: list[dict[str, Any]] = [
        {"jwk": jwk},
        {"jwk": jwk | {"kid": good.header["kid"]}},
        {"jku": f"{good.trap}/jwks.json"},
        {"x5u": f"{good.trap}/cert.pem"},
        {"x5c": [base64.b64encode(b"certificate").decode()]},
        {"x5t": "AAAA"},
        {"x5t#S256": "AAAA"},
        {"iss": good.trap},
        {"kid": f"{good.trap}/key"},
        {"jku": "file:///etc/passwd"},
    ]
    for more in brought:
        for key in (own, good.key):
            yield signed(good.header | more, good.claims, key.sign)
            yield signed(
                {"alg": "EdDSA", "typ": "at+jwt", **more}, good.claims | {"iss": good.trap}, key.sign
            )


def extended(good: Good) -> Iterator[str]:
    """Extensions that change what is signed, or how it is read: b64, crit, zip, nesting, keys named twice."""
    header, payload, _ = good.parts
    extensions: list[dict[str, Any]] = [
        {"b64": False},
        {"b64": False, "crit": ["b64"]},
        {"crit": []},
        {"crit": ["exp"]},
        {"crit": ["unknown"]},
        {"crit": "b64"},
        {"crit": None},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"enc": "A256GCM"},
        {"extra": 1},
    ]
    for more in extensions:
        yield signed(good.header | more, good.claims, good.key.sign)
        unencoded = f"{encoded(good.header | more)}.".encode() + json.dumps(good.claims).encode()
        yield f"{encoded(good.header | more)}..{encoded(good.key.sign(unencoded))}"
    squeezed = zlib.compress(json.dumps(good.claims).encode())[2:-4]
    yield signed(good.header | {"zip": "DEF"}, squeezed, good.key.sign)
    yield signed(good.header | {"cty": "JWT"}, good.token.encode(), good.key.sign)
    for twice in (
        '{"alg":"none",',
        '{"alg":"EdDSA",',
        '{"kid":"x",',
        '{"typ":"JWT",',
        '{"alg":"HS256","alg":"none",',
    ):
        doubled = twice + json.dumps(good.header, separators=(",", ":"))[1:]
        yield signed(doubled.encode(), good.claims, good.key.sign)
    for order in (sorted(good.header, reverse=True), ["typ", "alg", "kid"]):
        yield signed({name: good.header[name] for name in order}, good.claims, good.key.sign)
    yield signed(json.dumps(good.header, indent=1).encode(), good.claims, good.key.sign)
    flattened = {"protected": header, "payload": payload, "signature": good.parts[2]}
    yield json.dumps(flattened, separators=(",", ":"))
    yield json.dumps({"payload": payload, "signatures": [flattened]}, separators=(",", ":"))
    yield f"{header}.{payload}.{encoded(b'iv')}.{encoded(b'text')}.{encoded(b'tag')}"


def mistyped(good: Good) -> Iterator[str]:
    """Tokens of other kinds: the wrong typ, the wrong type, the wrong kind."""
    for typ in (
        "JWT",
        "jwt",
        "AT+JWT",
        "application/at+jwt",
        "refresh+jwt",
        "dpop+jwt",
        "logout+jwt",
        "",
        None,
        1,
    ):
        yield signed(good.header | {"typ": typ}, good.claims, good.key.sign)
    for kind in ("refresh", "id", "ticket", "Access", "ACCESS", "", None, 1, ["access"], True):
        yield signed(good.header, good.claims | {"type": kind}, good.key.sign)
    for kind in ("client", "key", "anonymous", "system", "admin", "", None, 1, ["user"]):
        yield signed(good.header, good.claims | {"kind": kind}, good.key.sign)


def malleable(good: Good) -> Iterator[str]:
    """Signatures that are another writing of a good one, or good for every message under a weak verifier."""
    header, payload, signature = good.parts
    raw = base64.urlsafe_b64decode(signature + "==")
    scalar = int.from_bytes(raw[32:], "little")
    for add in (ORDER, 2 * ORDER, 4 * ORDER, 8 * ORDER):
        if scalar + add < 2**256:
            yield f"{header}.{payload}.{encoded(raw[:32] + (scalar + add).to_bytes(32, 'little'))}"
    identity = (1).to_bytes(32, "little")
    for point in (identity, b"\0" * 32, b"\xff" * 32, (2**255 - 19).to_bytes(32, "little")):
        for number in (0, 1, ORDER, ORDER - 1):
            yield f"{header}.{payload}.{encoded(point + number.to_bytes(32, 'little'))}"
    for other in (raw + b"\0", raw[:-1], raw * 2, b"", raw[32:] + raw[:32]):
        yield f"{header}.{payload}.{encoded(other)}"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(signature[-1])
    for bits in range(1, 16):
        yield f"{header}.{payload}.{signature[:-1]}{alphabet[last ^ bits]}"


def mixed(good: Good) -> Iterator[str]:
    """Parts of two good tokens, and the claims of one user over the session of another."""
    mine, theirs = good.parts, good.other.split(".")
    for pick in ((0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 1)):
        parts = [(mine, theirs)[which][place] for place, which in enumerate(pick)]
        if parts not in (mine, theirs):
            yield ".".join(parts)
    ours, others = good.claims, decoded(theirs[1])
    for name in ("sub", "sid"):
        yield signed(good.header, ours | {name: others[name]}, good.key.sign)
    for change in ({"epoch": 1}, {"epoch": -1}, {"sid": ""}, {"sid": "' OR 1=1"}, {"sid": "\0"}, {"sub": ""}):
        yield signed(good.header, ours | change, good.key.sign)


def misshapen(good: Good) -> Iterator[str | bytes]:
    """Texts that are almost the token; blanks at its ends are HTTP's, which takes them off."""
    header, payload, signature = good.parts
    extras = ("=", "==", "===", ".", "..", ",", ";", '"', "'", "%00", "%2e", "A", "AAAA", "-", "_", "+")
    for extra in extras:
        yield good.token + extra
        yield extra + good.token
    for extra in (*extras, " ", "\t"):
        yield f"{header}{extra}.{payload}.{signature}"
        yield f"{header}.{payload}{extra}.{signature}"
    yield from (
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "e30.e30.e30",
        "null",
        "{}",
        "Bearer",
        good.token + " " + good.token,
    )
    yield f"{good.token}, Bearer {good.token}"
    yield f".{header}.{payload}.{signature}"
    yield f"{signature}.{payload}.{header}"
    yield good.token.replace("-", "+").replace("_", "/") + "="
    yield good.token.upper()
    yield good.token.swapcase()
    yield base64.b64encode(good.token.encode()).decode()
    yield json.dumps(good.token)


def strange(good: Good) -> Iterator[bytes]:
    """Bytes that stand in no token, in its midst and around it."""
    raw = good.token.encode()
    middle = len(raw) // 2
    for extra in (
        b"\0",
        b"\x01",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"\xc3\xa9",
        b"\xe2\x80\x8b",
        b"\xef\xbb\xbf",
        b"\xf0\x9f\x92\xa9",
        b"\xed\xa0\x80",
        b"\xc0\xae",
        b"\r",
        b"\x0b",
        b"\x1b[0m",
        b"\xd0\xb0",
    ):
        yield raw[:middle] + extra + raw[middle:]
        yield raw + extra
        yield extra + raw
        yield raw.replace(b".", extra + b".", 1)
    yield raw.replace(b"a", b"\xd0\xb0")


def oversized(good: Good) -> Iterator[str | bytes]:
    """Tokens that are too long to be looked at, signed by ours where that is possible."""
    for size in (4096, 5 * 1024, 7000, 16_000, 64_000, 300_000):
        yield signed(good.header, good.claims | {"pad": "x" * size}, good.key.sign)
        yield "A" * size
        yield "A." * (size // 2)
        yield "." * size
        yield f"{good.parts[0]}.{'A' * size}.{good.parts[2]}"
    yield signed(good.header, good.claims | {"scope": "admin " * 900}, good.key.sign)
    yield signed(good.header | {"kid": good.header["kid"] * 200}, good.claims, good.key.sign)
    for deep in (100, 900):
        yield signed(
            good.header,
            good.claims | {"deep": json.loads("[" * deep + "]" * deep)},
            Ed25519PrivateKey.generate().sign,
        )


def incomplete(good: Good) -> Iterator[str]:
    """Tokens of ours that lack what every one must say."""
    for name in ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "type", "kind", "sid"):
        yield signed(
            good.header, {key: value for key, value in good.claims.items() if key != name}, good.key.sign
        )
        yield signed(good.header, good.claims | {name: None}, good.key.sign)


def timely(good: Good) -> Iterator[str]:
    """Tokens of ours that are not good now, or whose times are none."""
    now = good.claims["iat"]
    for change in (
        {"exp": now - 1},
        {"exp": now - 86_400},
        {"exp": 0},
        {"exp": -1},
        {"nbf": now + 600},
        {"iat": now + 600},
        {"nbf": now + 86_400},
        {"exp": now + 60, "nbf": now + 59},
        {"exp": now - 1, "iat": now - 3600, "nbf": now - 3600},
    ):
        yield signed(good.header, good.claims | change, good.key.sign)
    for name in ("exp", "iat", "nbf"):
        for value in (str(now + 600), "never", "", 1e308, -MANY * 4, [now + 600], {"at": now}, "2099-01-01"):
            yield signed(good.header, good.claims | {name: value}, good.key.sign)
        for text in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 400):
            written = json.dumps(good.claims | {name: 7777777}).replace("7777777", text)
            yield signed(good.header, written.encode(), good.key.sign)


def wrong(good: Good) -> Iterator[str]:
    """Tokens of ours for others: another issuer, another audience, values of another kind."""
    for name in ("iss", "aud"):
        right = good.claims[name]
        for value in (
            f"{right}x",
            right[:-1],
            right.upper(),
            "",
            "*",
            [right],
            [right, "urn:other"],
            {"": right},
            1,
            True,
        ):
            yield signed(good.header, good.claims | {name: value}, good.key.sign)
    for name in ("sub", "jti", "sid", "kind", "scope", "client_id"):
        for value in (1, True, [], {}, ["admin"]):
            yield signed(good.header, good.claims | {name: value}, good.key.sign)
    for value in ("0", 0.5, [], MANY * 4):
        yield signed(good.header, good.claims | {"epoch": value}, good.key.sign)


def unreadable(good: Good) -> Iterator[str]:
    """Payloads of ours that are no object of JSON."""
    for payload in (
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b"{}",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"{'sub':1}",
        b'{"sub":}',
        b"[" * 2900,
        b'{"a":' * 500,
        os.urandom(64),
        b"\0",
        json.dumps([good.claims]).encode(),
        json.dumps(good.claims).encode("utf-16"),
        json.dumps(good.claims)[:-1].encode(),
    ):
        yield signed(good.header, payload, good.key.sign)


def cut(good: Good) -> Iterator[str]:
    """Every beginning and every end of the token."""
    for length in range(1, len(good.token)):
        yield good.token[:length]
        yield good.token[length:]


def flipped(good: Good) -> Iterator[bytes]:
    """The token with one bit turned, for each of its bits."""
    raw = good.token.encode()
    for index, byte in enumerate(raw):
        for bit in range(8):
            yield raw[:index] + bytes((byte ^ (1 << bit),)) + raw[index + 1 :]
