"""Certificates and hosts that are not checked, and connections in clear text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.python_checks.matching import Pattern, assigned, calls, found, matching, on_call
from hefesto_api.analyzers.python_checks.syntax import constant, is_built, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from hefesto_api.analyzers.python_checks.syntax import Call, Site
    from hefesto_api.domain.finding import Detection

NOT_VERIFIED: Final = "HEF-SEC-TLS-NOT-VERIFIED"
HOST_KEY: Final = "HEF-SEC-SSH-HOST-KEY"
CLEARTEXT: Final = "HEF-SEC-CLEARTEXT-PROTOCOL"
REMOTE_COMMAND: Final = "HEF-SEC-REMOTE-COMMAND"

_LOCAL: Final = re.compile(
    r"http://(?:localhost|127\.|0\.0\.0\.0|\[::1\]|169\.254\.|[\w-]+(?:[:/]|$)|[^/]*\.(?:local|internal|test|example)\b)"
)
_CLIENT: Final = re.compile(
    r"\b(?:get|post|put|patch|delete|head|options|request|send|\w*Session|\w*Client|HTTPTransport)$"
)
_HTTP_METHODS: Final = ("get", "post", "put", "patch", "delete", "request", "urlopen")


def _switched_off(site: Site) -> Iterator[Detection]:
    """`verify=False` and its relatives, as an argument or an assignment."""
    holder = site.node.parent
    if holder is not None and holder.type == "attribute":
        holder = holder.parent
    elif holder is not None and (holder.type != "keyword_argument" or not _takes_verify(site, holder)):
        return
    if holder is None or holder.type not in {"keyword_argument", "assignment"}:
        return
    value = holder.child_by_field_name("value") or holder.child_by_field_name("right")
    if value is not None and _is_off(text(site.node), text(value)):
        yield found(
            NOT_VERIFIED, holder, f"{text(holder)} accepts the certificate of anyone", confidence=0.85
        )


def _takes_verify(site: Site, keyword: Node) -> bool:
    """Tell whether `verify` means certificates to the function that gets it; the longer names always do."""
    call = keyword.parent.parent if keyword.parent is not None else None
    function = None if call is None else call.child_by_field_name("function")
    return text(site.node) != "verify" or (
        function is not None and _CLIENT.search(text(function)) is not None
    )


def _is_off(name: str, value: str) -> bool:
    if name in {"verify_mode", "cert_reqs"}:
        return value.strip("\"'").endswith("CERT_NONE")
    if name == "_create_default_https_context":
        return value.endswith("_create_unverified_context")
    return value == "False"


def _known_hosts(call: Call, _: Site) -> Iterator[Detection]:
    if call.name == "asyncssh.connect" and call.says("known_hosts", "None"):
        yield found(HOST_KEY, call.node, "known_hosts=None accepts the key of any host")


def _insecure_channel(call: Call, _: Site) -> Iterator[Detection]:
    if call.name.endswith("insecure_channel") or call.method == "add_insecure_port":
        target = constant(call.argument(0, "target", "address")) or ""
        if not re.match(r"unix:|localhost|127\.|\[::1\]", target):
            yield found(CLEARTEXT, call.node, f"{call.method} talks gRPC in clear text", confidence=0.6)


def _cleartext_url(call: Call, _: Site) -> Iterator[Detection]:
    if not call.name.startswith(("requests.", "httpx.", "urllib.request.")):
        return
    url = constant(call.argument(1 if call.method == "request" else 0, "url")) or ""
    if url.startswith("http://") and not _LOCAL.match(url):
        host = url[7:].partition("/")[0]
        yield found(CLEARTEXT, call.node, f"{call.name} talks to {host} in clear text", confidence=0.6)


def _exec_command(call: Call, _: Site) -> Iterator[Detection]:
    command = call.argument(0, "command")
    if command is not None and is_built(command):
        yield found(REMOTE_COMMAND, call.node, "exec_command with a command put together from values")


PATTERNS: Final = (
    Pattern(
        assigned(
            *("verify", "verify_ssl", "check_hostname", "assert_hostname", "verify_mode", "cert_reqs"),
            "_create_default_https_context",
        ),
        _switched_off,
        modules=(b"requests", b"httpx", b"aiohttp", b"ssl", b"urllib3"),
    ),
    Pattern(calls("connect"), on_call(_known_hosts), modules=(b"asyncssh",)),
    Pattern(calls("insecure_channel", "add_insecure_port"), on_call(_insecure_channel), modules=(b"grpc",)),
    Pattern(
        matching(rb"\b(" + "|".join(_HTTP_METHODS).encode() + rb")\((?=[^\n)]*['\"]http://)"),
        on_call(_cleartext_url),
        modules=(b"requests", b"httpx", b"urllib"),
    ),
    Pattern(calls("exec_command"), on_call(_exec_command), words=(b"exec_command",)),
)
