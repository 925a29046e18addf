"""Types are prepared for msgspec by one thread at a time: two at once end the process."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hefesto_api

PACKAGE = Path(hefesto_api.__file__).parent
PLAIN = {"str", "bytes", "dict"}
# A thread of a process that has no other, as the module is imported; a type that is prepared already.
ALONE = {"analyzers/catalogue.py", "analyzers/child.py", "formats/sarif/reader.py", "domain/decoding.py"}


def test_structs_are_decoded_by_decoders_made_with_their_module() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).as_posix() not in ALONE
        for line in typed_calls(ast.parse(path.read_bytes()))
    ]
    assert found == []


def typed_calls(tree: ast.AST) -> Iterator[int]:
    """Yield the lines in which msgspec is handed a type by a call of its own."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        types = [ast.unparse(one.value) for one in node.keywords if one.arg == "type"]
        if called == "msgspec.convert" or (
            called.startswith("msgspec.") and called.endswith(".decode") and types and types[0] not in PLAIN
        ):
            yield node.lineno


MANY = """\
from __future__ import annotations

import sys
import threading
import types

from hefesto_api.domain import decoding

SOURCE = '''
from __future__ import annotations
import msgspec
class Inner(msgspec.Struct):
    a: int = 0
    b: dict[str, int] | None = None
class Middle(msgspec.Struct):
    a: list[Inner] = []
    b: dict[str, Inner] | None = None
class Outer(msgspec.Struct):
    x: Inner
    y: Middle
    z: list[Middle]
'''
TEXT = b'{"x": {"b": {"q": 1}}, "y": {"a": [{}], "b": {"k": {}}}, "z": [{"a": []}]}'

sys.setswitchinterval(1e-6)
for number in range(300):
    module = sys.modules[f"m{number}"] = types.ModuleType(f"m{number}")
    exec(SOURCE, module.__dict__)
    together = threading.Barrier(4)

    def decode():
        together.wait()
        decoding.of_json(module.Outer).decode(TEXT)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_that_prepare_the_same_type_live() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
