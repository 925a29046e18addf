# ruff: noqa: E501 (traces are as wide as they are printed)
"""Elixir and Erlang: errors, exits, GenServers, Mix tests, Erlang's own crash reports."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

CASES = [
    Case(
        "a script",
        """\
** (KeyError) key :price not found in: %{sku: "B-17"}
    (shop 0.1.0) lib/shop/cart.ex:12: anonymous fn/2 in Shop.Cart.total/1
    (elixir 1.14.0) lib/enum.ex:2468: Enum."-reduce/3-lists^foldl/2-0-"/3
    (shop 0.1.0) lib/shop/cart.ex:10: Shop.Cart.total/1
    run.exs:3: (file)
""",
        "KeyError",
        'key :price not found in: %{sku: "B-17"}',
        [
            ("run.exs", 3, "(file)"),
            ("lib/shop/cart.ex", 10, "Shop.Cart.total/1"),
            ("lib/enum.ex", 2468, 'Enum."-reduce/3-lists^foldl/2-0-"/3'),
            ("lib/shop/cart.ex", 12, "anonymous fn/2 in Shop.Cart.total/1"),
        ],
    ),
    Case(
        "a message of several lines",
        """\
** (FunctionClauseError) no function clause matching in Shop.Cart.total/1

    The following arguments were given to Shop.Cart.total/1:

        # 1
        nil

    Attempted function clauses (showing 1 out of 1):

        def total(%Shop.Cart{} = cart)

    (shop 0.1.0) lib/shop/cart.ex:8: Shop.Cart.total/1
    (shop 0.1.0) lib/shop_web/controllers/cart_controller.ex:15: ShopWeb.CartController.show/2
""",
        "FunctionClauseError",
        "no function clause matching in Shop.Cart.total/1\n\nThe following arguments were given to"
        " Shop.Cart.total/1:\n\n# 1\nnil\n\nAttempted function clauses (showing 1 out of 1):\n\n"
        "def total(%Shop.Cart{} = cart)",
        [
            ("lib/shop_web/controllers/cart_controller.ex", 15, "ShopWeb.CartController.show/2"),
            ("lib/shop/cart.ex", 8, "Shop.Cart.total/1"),
        ],
    ),
    Case(
        "Phoenix's log",
        """\
05:06:07.123 request_id=F1 [error] #PID<0.500.0> running ShopWeb.Endpoint (connection #PID<0.499.0>, stream id 1) terminated
Server: localhost:4000 (http)
Request: GET /cart/7
** (exit) an exception was raised:
    ** (Ecto.NoResultsError) expected at least one result but got none in query
        (ecto 3.9.4) lib/ecto/repo/queryable.ex:164: Ecto.Repo.Queryable.one!/3
        (shop 0.1.0) lib/shop/carts.ex:21: Shop.Carts.get!/1
        (phoenix 1.7.2) lib/phoenix/router.ex:430: Phoenix.Router.__call__/5
""",
        "Ecto.NoResultsError",
        "expected at least one result but got none in query",
        [
            ("lib/phoenix/router.ex", 430, "Phoenix.Router.__call__/5"),
            ("lib/shop/carts.ex", 21, "Shop.Carts.get!/1"),
            ("lib/ecto/repo/queryable.ex", 164, "Ecto.Repo.Queryable.one!/3"),
        ],
        in_app=1,
    ),
    Case(
        "a failing test",
        """\
  1) test adds up (Shop.CartTest)
     test/shop/cart_test.exs:5
     ** (ArithmeticError) bad argument in arithmetic expression: nil * 2
     code: assert Cart.total(cart) == 3
     stacktrace:
       (shop 0.1.0) lib/shop/cart.ex:12: Shop.Cart.total/1
       test/shop/cart_test.exs:7: (test)
""",
        "ArithmeticError",
        "bad argument in arithmetic expression: nil * 2",
        [("test/shop/cart_test.exs", 7, "(test)"), ("lib/shop/cart.ex", 12, "Shop.Cart.total/1")],
    ),
    Case(
        "without versions, Erlang's functions",
        """\
** (ErlangError) Erlang error: :nxdomain
    :inet.gethostbyname/1
    (kernel) gen_tcp.erl:123: :gen_tcp.connect/4
    (shop) lib/shop/prices.ex:9: Shop.Prices.fetch/1
""",
        "ErlangError",
        "Erlang error: :nxdomain",
        [
            ("lib/shop/prices.ex", 9, "Shop.Prices.fetch/1"),
            ("gen_tcp.erl", 123, ":gen_tcp.connect/4"),
            (None, None, ":inet.gethostbyname/1"),
        ],
        in_app=0,
    ),
    Case(
        "Erlang's shell",
        """\
** exception error: bad argument
     in function  atom_to_list/1
        called as atom_to_list("x")
     in call from cart:total/1 (src/cart.erl, line 12)
     in call from shop:main/0 (src/shop.erl, line 5)
""",
        "error",
        "bad argument",
        [
            ("src/shop.erl", 5, "shop:main/0"),
            ("src/cart.erl", 12, "cart:total/1"),
            (None, None, "atom_to_list/1"),
        ],
        in_app=1,
    ),
    Case(
        "Erlang's crash report",
        """\
=ERROR REPORT==== 4-Mar-2026::05:06:07 ===
Error in process <0.120.0> with exit value:
{{badmatch,{error,enoent}},
 [{shop_prices,load,1,[{file,"src/shop_prices.erl"},{line,22}]},
  {shop_app,start,2,[{file,"src/shop_app.erl"},{line,9}]},
  {lists,map,2,[]}]}
""",
        "badmatch",
        "{error,enoent}",
        [
            (None, None, "lists:map/2"),
            ("src/shop_app.erl", 9, "shop_app:start/2"),
            ("src/shop_prices.erl", 22, "shop_prices:load/1"),
        ],
    ),
    Case(
        "a GenServer, with its function and arguments",
        """\
05:06:07.123 [error] GenServer Shop.Till terminating
** (RuntimeError) drawer stuck
    (shop 0.1.0) lib/shop/till.ex:30: Shop.Till.handle_call/3
    (stdlib 4.2) gen_server.erl:1149: :gen_server.try_handle_call/4
    (stdlib 4.2) proc_lib.erl:240: :proc_lib.init_p_do_apply/3
Last message (from #PID<0.1.0>): :open
State: %{}
""",
        "RuntimeError",
        "drawer stuck",
        [
            ("proc_lib.erl", 240, ":proc_lib.init_p_do_apply/3"),
            ("gen_server.erl", 1149, ":gen_server.try_handle_call/4"),
            ("lib/shop/till.ex", 30, "Shop.Till.handle_call/3"),
        ],
    ),
    Case(
        "a compile error",
        """\
== Compilation error in file lib/shop/cart.ex ==
** (CompileError) lib/shop/cart.ex:12: undefined function price/1
    (elixir 1.13.4) src/elixir_locals.erl:114: anonymous fn/3 in :elixir_locals.ensure/2
    (stdlib 3.17) erl_eval.erl:685: :erl_eval.do_apply/6
""",
        "CompileError",
        "lib/shop/cart.ex:12: undefined function price/1",
        [
            ("erl_eval.erl", 685, ":erl_eval.do_apply/6"),
            ("src/elixir_locals.erl", 114, "anonymous fn/3 in :elixir_locals.ensure/2"),
        ],
        in_app=None,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "erlang" if case.name.startswith("Erlang") else "elixir")


@pytest.mark.parametrize(
    "text",
    [
        'warning: variable "x" is unused\n  lib/shop/cart.ex:12: Shop.Cart.total/1\n',
        'lib/shop/cart.ex:12:5: error: undefined variable "price"\n',
        '** (Mix) The task "shop.sell" could not be found\n',
        "Finished in 0.03 seconds\n3 tests, 0 failures\n",
        "src/cart.erl:12: Warning: function total/1 is unused\n",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert places(parse(text)) == []
