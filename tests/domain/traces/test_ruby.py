# ruff: noqa: E501, E101 (traces are as wide as they are printed)
"""Ruby: both orders and both quotes, causes, Rails, RSpec, Sidekiq and bare backtraces."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

GEM = "/usr/local/bundle/gems"
CASES = [
    Case(
        "a cause, printed below",
        """\
/srv/shop/order.rb:9:in `rescue in place': order failed (OrderError)
	from /srv/shop/order.rb:5:in `place'
	from /srv/shop/main.rb:3:in `<main>'
/srv/shop/stock.rb:12:in `take': no stock (KeyError)
	from /srv/shop/order.rb:6:in `place'
	from /srv/shop/main.rb:3:in `<main>'
""",
        "OrderError",
        "order failed",
        [
            ("/srv/shop/main.rb", 3, "<main>"),
            ("/srv/shop/order.rb", 6, "place"),
            ("/srv/shop/stock.rb", 12, "take"),
            ("/srv/shop/main.rb", 3, "<main>"),
            ("/srv/shop/order.rb", 5, "place"),
            ("/srv/shop/order.rb", 9, "rescue in place"),
        ],
    ),
    Case(
        "a suggestion below the message, and the code",
        """\
cart.rb:4:in 'Cart#total': undefined local variable or method 'prise' for an instance of Cart (NameError)

    prise * count
    ^^^^^
Did you mean?  price
	from main.rb:2:in '<main>'
""",
        "NameError",
        "undefined local variable or method 'prise' for an instance of Cart",
        [("main.rb", 2, "<main>"), ("cart.rb", 4, "Cart#total")],
    ),
    Case(
        "Rails, with its tag before each line",
        f"""\
F, [2026-03-04T05:06:07.123456 #12] FATAL -- : [1f2e]
F, [2026-03-04T05:06:07.123460 #12] FATAL -- : [1f2e] NoMethodError (undefined method `price' for nil:NilClass):
F, [2026-03-04T05:06:07.123470 #12] FATAL -- : [1f2e]
F, [2026-03-04T05:06:07.123480 #12] FATAL -- : [1f2e] app/models/cart.rb:12:in `total'
[1f2e] app/controllers/carts_controller.rb:8:in `show'
[1f2e] {GEM}/actionpack-7.0.4/lib/action_controller/metal/basic_implicit_render.rb:6:in `send_action'
""",
        "NoMethodError",
        "undefined method `price' for nil:NilClass",
        [
            (
                f"{GEM}/actionpack-7.0.4/lib/action_controller/metal/basic_implicit_render.rb",
                6,
                "send_action",
            ),
            ("app/controllers/carts_controller.rb", 8, "show"),
            ("app/models/cart.rb", 12, "total"),
        ],
    ),
    Case(
        "RSpec",
        f"""\
Failures:

  1) Cart adds up
     Failure/Error: price * count

     NoMethodError:
       undefined method `*' for nil:NilClass
     # ./app/models/cart.rb:12:in `total'
     # ./spec/models/cart_spec.rb:9:in `block (2 levels) in <top (required)>'
     # {GEM}/rspec-core-3.12.0/lib/rspec/core/example.rb:263:in `instance_exec'
""",
        "NoMethodError",
        "undefined method `*' for nil:NilClass",
        [
            (f"{GEM}/rspec-core-3.12.0/lib/rspec/core/example.rb", 263, "instance_exec"),
            ("./spec/models/cart_spec.rb", 9, "block (2 levels) in <top (required)>"),
            ("./app/models/cart.rb", 12, "total"),
        ],
    ),
    Case(
        "Minitest",
        """\
  1) Error:
CartTest#test_total:
ZeroDivisionError: divided by 0
    /srv/shop/cart.rb:5:in `/'
    /srv/shop/cart.rb:5:in `share'
    test/cart_test.rb:9:in `test_total'
""",
        "ZeroDivisionError",
        "divided by 0",
        [
            ("test/cart_test.rb", 9, "test_total"),
            ("/srv/shop/cart.rb", 5, "share"),
            ("/srv/shop/cart.rb", 5, "/"),
        ],
    ),
    Case(
        "a type with modules, and a class method in the new words",
        """\
/srv/shop/cart.rb:12:in 'Shop::Cart.load': no such cart: 7 (Shop::Errors::NotFound)
	from /srv/shop/cart.rb:30:in 'block in Shop::Cart.all'
	from <internal:array>:42:in 'Array#each'
	from -e:1:in '<main>'
""",
        "Shop::Errors::NotFound",
        "no such cart: 7",
        [
            ("-e", 1, "<main>"),
            ("<internal:array>", 42, "Array#each"),
            ("/srv/shop/cart.rb", 30, "block in Shop::Cart.all"),
            ("/srv/shop/cart.rb", 12, "Shop::Cart.load"),
        ],
        in_app=3,
    ),
    Case(
        "at the top of a file, without a function",
        """\
/usr/lib/ruby/2.3.0/rubygems/core_ext/kernel_require.rb:55:in `require': cannot load such file -- till (LoadError)
	from /usr/lib/ruby/2.3.0/rubygems/core_ext/kernel_require.rb:55:in `require'
	from shop.rb:1
""",
        "LoadError",
        "cannot load such file -- till",
        [
            ("shop.rb", 1, None),
            ("/usr/lib/ruby/2.3.0/rubygems/core_ext/kernel_require.rb", 55, "require"),
            ("/usr/lib/ruby/2.3.0/rubygems/core_ext/kernel_require.rb", 55, "require"),
        ],
        in_app=0,
    ),
    Case(
        "a job's warning",
        f"""\
2026-03-04T05:06:07.123Z pid=7 tid=abc class=Charge jid=1f WARN: Stripe::CardError: declined
2026-03-04T05:06:07.124Z pid=7 tid=abc class=Charge jid=1f WARN: {GEM}/stripe-5.1/lib/stripe/client.rb:400:in `handle'
/srv/app/jobs/charge.rb:9:in `perform'
""",
        "Stripe::CardError",
        "declined",
        [
            ("/srv/app/jobs/charge.rb", 9, "perform"),
            (f"{GEM}/stripe-5.1/lib/stripe/client.rb", 400, "handle"),
        ],
        in_app=0,
    ),
    Case(
        "the old order, numbered, with levels left out",
        """\
Traceback (most recent call last):
	10077: from loop.rb:5:in `<main>'
	10076: from loop.rb:2:in `again'
	 ... 10067 levels...
	    1: from loop.rb:2:in `again'
loop.rb:2:in `again': stack level too deep (SystemStackError)
""",
        "SystemStackError",
        "stack level too deep",
        [
            ("loop.rb", 5, "<main>"),
            ("loop.rb", 2, "again"),
            ("loop.rb", 2, "again"),
            ("loop.rb", 2, "again"),
        ],
    ),
    Case(
        "on Windows",
        """\
C:/Ruby31-x64/lib/ruby/gems/3.1.0/gems/till-1.0/lib/till.rb:4:in `open': no drawer (Till::Error)
	from C:/shop/main.rb:3:in `<main>'
""",
        "Till::Error",
        "no drawer",
        [
            ("C:/shop/main.rb", 3, "<main>"),
            ("C:/Ruby31-x64/lib/ruby/gems/3.1.0/gems/till-1.0/lib/till.rb", 4, "open"),
        ],
        in_app=0,
    ),
    Case(
        "a caller's list, as inspected",
        """\
RuntimeError: boom
["/srv/shop/cart.rb:12:in `total'", "/srv/shop/main.rb:3:in `<main>'"]
""",
        "RuntimeError",
        "boom",
        [("/srv/shop/main.rb", 3, "<main>"), ("/srv/shop/cart.rb", 12, "total")],
    ),
    Case(
        "a message without a type",
        """\
shop.rb:3:in `pay': unhandled exception
	from shop.rb:7:in `<main>'
""",
        None,
        "unhandled exception",
        [("shop.rb", 7, "<main>"), ("shop.rb", 3, "pay")],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "ruby")


@pytest.mark.parametrize(
    "text",
    [
        "app/models/cart.rb:12:5: C: Style/StringLiterals: Prefer single-quoted strings\n",
        "rspec ./spec/cart_spec.rb:9 # Cart adds up\n12 examples, 1 failure\n",
        "cart.rb:3: warning: assigned but unused variable - x\ncart.rb:9: warning: x\n",
        "Loaded suite test/cart_test.rb\nFinished in 0.01 seconds.",
        "See lib/till.rb:40 and lib/till.rb:52.",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert places(parse(text)) == []
