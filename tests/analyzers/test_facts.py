"""Facts of code: what functions call, raise, return, guard and say."""

from __future__ import annotations

import msgspec
import pytest
from hefesto_api.analyzers.facts import extract
from hefesto_api.domain.code import FileFacts, FunctionFacts

PYTHON = b'''
from .base import Base, helper as h
import os.path


class Meta(type):
    pass


class Cart(Base, metaclass=Meta):
    """Not a text."""

    template = "%s OVER (%s)"

    def __init__(self, items, *, limit=3, **more):
        """Not a text either."""
        self.items = items
        self.prices["gross"] = limit

    @property
    def first(self):
        if self.items is None:
            return None
        return self.items[0]

    def find(self, name):
        for item in self.items:
            if item.name == name:
                return item

    def must(self, name):
        try:
            return self.find(name).price
        except (KeyError, ValueError) as error:
            raise LookupError(f"no {name} here") from error

    def all(self):
        assert self.items
        return list(self.items)


def pay(cart, user):
    return charge(cart.total, user, currency=user.money)
'''


@pytest.fixture(scope="module")
def cart() -> FileFacts:
    found = extract("shop/cart.py", PYTHON)
    assert found is not None
    return found


def function(facts: FileFacts, name: str) -> FunctionFacts:
    return next(one for one in facts.functions if one.qualified_name == name)


def test_calls_have_receivers_lines_and_arguments(cart: FileFacts) -> None:
    (call,) = function(cart, "pay").calls
    assert (call.name, call.receiver, call.arguments, call.keywords) == (
        "charge", None, ("cart.total", "user", "user.money"), ("currency",),
    )  # fmt: skip
    (find,) = function(cart, "Cart.must").calls[:1]
    assert (find.name, find.receiver) in {("find", "self"), ("LookupError", None)}
    assert PYTHON.decode().splitlines()[call.line - 1].strip().startswith("return charge(")


def test_signatures_tell_what_is_required(cart: FileFacts) -> None:
    made = function(cart, "Cart.__init__")
    assert (made.parameters, made.required) == (("items", "limit", "**more"), 1)


def test_who_may_return_nothing(cart: FileFacts) -> None:
    returning = {one.qualified_name: one.returns_none for one in cart.functions}
    assert returning["Cart.first"]
    assert returning["Cart.find"]
    assert not returning["Cart.all"]
    assert not returning["Cart.__init__"]
    assert not returning["pay"]


@pytest.mark.parametrize(
    ("value", "may"),
    [
        ("RATES.get(key)", True),
        ("RATES.get(key, 0)", False),
        ("RATES.get(key, None)", True),
        ("PATTERN.match(key)", True),
        ("next(iter(key), None)", True),
        ("next(iter(key))", False),
        ("key.first()", True),
        ("charge(key)", False),
    ],
)
def test_a_lookup_may_return_nothing(value: str, may: bool) -> None:
    facts = extract("rates.py", f"def rate(key):\n    return {value}\n".encode())
    assert facts is not None
    assert facts.functions[0].returns_none is may
    assert facts.functions[0].returns_value


def test_raises_handlers_guards_and_assertions(cart: FileFacts) -> None:
    must = function(cart, "Cart.must")
    assert must.raises == ("LookupError",)
    assert set(must.handlers) == {"KeyError", "ValueError"}
    assert "self.items" in function(cart, "Cart.first").guards
    assert len(function(cart, "Cart.all").assertions) == 1
    assert function(cart, "Cart.first").decorators == ("property",)


def test_what_is_set_and_what_is_said(cart: FileFacts) -> None:
    made = function(cart, "Cart.__init__")
    assert set(made.stores) == {"items", "gross"}
    assert not any("Not a text" in text for one in cart.functions for text in one.texts)
    assert any("here" in text for text in function(cart, "Cart.must").texts)


def test_classes_have_bases_and_files_have_imports(cart: FileFacts) -> None:
    owner = next(one for one in cart.classes if one.qualified_name == "Cart")
    assert set(owner.bases) == {"Base", "Meta"}
    assert owner.attributes == ("template",)
    assert owner.texts == ("%s OVER (%s)",)
    assert {(one.module, one.names) for one in cart.imports} == {
        (".base", ("Base", "helper")),
        ("os.path", ()),
    }


def test_a_body_of_one_call_delegates(cart: FileFacts) -> None:
    assert function(cart, "pay").delegates
    assert not function(cart, "Cart.must").delegates


@pytest.mark.parametrize(
    ("path", "source", "name", "call", "raised", "text"),
    [
        (
            "a.ts",
            ("import {b} from './b';\nclass Cart extends Base {\n  pay(user: User, tip = 1): void {\n"
            "    if (!user) { throw new RangeError('no user'); }\n    this.bank.charge(user);\n  }\n}\n"),
            "Cart.pay", ("charge", "this.bank"), "RangeError", "no user",
        ),
        (
            "a.js",
            "const pay = (user) => { charge(user); throw new Error('late'); };\n",
            "pay", ("charge", None), "Error", "late",
        ),
        (
            "A.java",
            ('class Cart extends Base { void pay(User user) { bank.charge(user); '
            'throw new IllegalStateException("shut"); } }\n'),
            "Cart.pay", ("charge", "bank"), "IllegalStateException", "shut",
        ),
        (
            "a.go",
            'package a\nfunc (c *Cart) Pay(u User) error { c.bank.Charge(u); panic("shut") }\n',
            "Cart.Pay", ("Charge", "c.bank"), "panic", "shut",
        ),
    ],
)  # fmt: skip
def test_other_languages(
    path: str, source: str, name: str, call: tuple[str, str | None], raised: str, text: str
) -> None:
    found = extract(path, source.encode())
    assert found is not None
    one = function(found, name)
    assert call in {(each.name, each.receiver) for each in one.calls}
    assert raised in one.raises
    assert text in one.texts


def test_facts_can_be_kept(cart: FileFacts) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(cart), type=FileFacts) == cart


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x00\xff\xfe", b"def f(:\n" * 1000, b"(" * 200_000, b"class A(" * 5_000, b"x" * 3_000_000,
        b"def f():\n" + b"    a.b(c)\n" * 20_000, b"raise\nreturn\nimport\nfrom . import (\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["a.py", "a.ts", "A.java", "a.go", "a.js", "a.rb"])
def test_hostile_files_are_survived(path: str, content: bytes) -> None:
    found = extract(path, content)
    assert found is None or all(len(one.calls) <= 300 for one in found.functions)


@pytest.mark.parametrize(
    ("path", "line", "into"),
    [
        ("a.py", "def f():\n    x = g(1)\n", ("x",)),
        ("a.py", "async def f(self):\n    self.x = await g(1)\n", ("self.x",)),
        ("a.py", "def f():\n    a, b = q or g(1)\n", ("a", "b")),
        ("a.py", "def f():\n    with g(1) as x:\n        pass\n", ("x",)),
        ("a.py", "def f():\n    for x in g(1):\n        pass\n", ("x",)),
        ("a.py", "def f():\n    x[0] = g(1)\n", ("x",)),
        ("a.py", "def f():\n    return g(1) if q else None\n", ("return",)),
        ("a.py", "def f():\n    x = [g(1)]\n", ()),
        ("a.ts", "function f() { const x = g(1) }", ("x",)),
        ("a.go", "package a\nfunc f() { x, err := g(1) }", ("x", "err")),
        ("A.java", "class A { void f() { int x = g(1); } }", ("x",)),
    ],
)
def test_who_gets_what_a_call_gives(path: str, line: str, into: tuple[str, ...]) -> None:
    found = extract(path, line.encode())
    assert found is not None
    assert [call.into for call in found.functions[0].calls] == [into]


def test_which_names_are_returned() -> None:
    found = extract("a.py", b"def f(a):\n    if a:\n        return a.b\n    return [a]\n")
    assert found is not None
    assert found.functions[0].returned == ("a.b",)
