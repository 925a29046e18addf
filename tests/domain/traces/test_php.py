# ruff: noqa: E501 (traces are as wide as they are printed)
"""PHP: uncaught exceptions and their chains, fatal errors, Xdebug, and what frameworks log."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

CASES = [
    Case(
        "without the log's PHP, in a web page's source",
        """\
Fatal error: Uncaught TypeError: total(): Argument #1 ($cart) must be of type array, null given, called in /srv/app/index.php on line 9 and defined in /srv/app/cart.php:3
Stack trace:
#0 /srv/app/index.php(9): total(NULL)
#1 {main}
  thrown in /srv/app/cart.php on line 3
""",
        "TypeError",
        "total(): Argument #1 ($cart) must be of type array, null given, called in /srv/app/index.php on line 9"
        " and defined",
        [("/srv/app/index.php", 9, "total"), ("/srv/app/cart.php", 3, None)],
    ),
    Case(
        "PHP 5's words",
        """\
PHP Fatal error:  Uncaught exception 'RuntimeException' with message 'no stock' in /srv/app/Cart.php:12
Stack trace:
#0 /srv/app/index.php(4): Cart->take('B-17')
#1 {main}
  thrown in /srv/app/Cart.php on line 12
""",
        "RuntimeException",
        "no stock",
        [("/srv/app/index.php", 4, "Cart->take"), ("/srv/app/Cart.php", 12, None)],
    ),
    Case(
        "a chain: the cause comes first",
        """\
PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /srv/app/Db.php:20
Stack trace:
#0 /srv/app/Db.php(20): PDO->__construct('mysql:host=db', 'shop', Object(SensitiveParameterValue))
#1 /srv/app/index.php(5): App\\Db::open()
#2 {main}

Next App\\Unavailable: no database in /srv/app/Db.php:24
Stack trace:
#0 /srv/app/index.php(5): App\\Db::open()
#1 {main}
  thrown in /srv/app/Db.php on line 24
""",
        "App\\Unavailable",
        "no database",
        [
            ("/srv/app/index.php", 5, "App\\Db::open"),
            ("/srv/app/Db.php", 20, "PDO->__construct"),
            ("/srv/app/Db.php", 20, None),
            ("/srv/app/index.php", 5, "App\\Db::open"),
            ("/srv/app/Db.php", 24, None),
        ],
    ),
    Case(
        "Xdebug",
        """\
PHP Fatal error:  Uncaught Error: Call to undefined function price() in /srv/app/cart.php:7
PHP Stack trace:
PHP   1. {main}() /srv/app/index.php:0
PHP   2. total($cart = []) /srv/app/index.php:3
PHP   3. App\\Cart->sum() /srv/app/cart.php:15
""",
        "Error",
        "Call to undefined function price()",
        [
            ("/srv/app/index.php", 0, "{main}"),
            ("/srv/app/index.php", 3, "total"),
            ("/srv/app/cart.php", 15, "App\\Cart->sum"),
            ("/srv/app/cart.php", 7, None),
        ],
    ),
    Case(
        "Laravel's log",
        """\
[2026-03-04 05:06:07] production.ERROR: Call to a member function price() on null {"userId":7,"exception":"[object] (Error(code: 0): Call to a member function price() on null at /var/www/app/Models/Cart.php:31)
[stacktrace]
#0 /var/www/app/Http/Controllers/CartController.php(18): App\\\\Models\\\\Cart->total()
#1 /var/www/vendor/laravel/framework/src/Illuminate/Routing/Controller.php(54): App\\\\Http\\\\Controllers\\\\CartController->show('7')
#2 [internal function]: Illuminate\\\\Routing\\\\Controller->callAction('show', Array)
#3 /var/www/public/index.php(55): Illuminate\\\\Foundation\\\\Http\\\\Kernel->handle(Object(Illuminate\\\\Http\\\\Request))
#4 {main}
"}
""",
        "Error",
        "Call to a member function price() on null",
        [
            ("/var/www/public/index.php", 55, "Illuminate\\Foundation\\Http\\Kernel->handle"),
            (None, None, "Illuminate\\Routing\\Controller->callAction"),
            (
                "/var/www/vendor/laravel/framework/src/Illuminate/Routing/Controller.php",
                54,
                "App\\Http\\Controllers\\CartController->show",
            ),
            (
                "/var/www/app/Http/Controllers/CartController.php",
                18,
                "App\\Models\\Cart->total",
            ),
            ("/var/www/app/Models/Cart.php", 31, None),
        ],
    ),
    Case(
        "Symfony's console",
        """\
In Cart.php line 31:

  [App\\Exception\\NoStock]
  no stock for B-17

Exception trace:
  at /srv/app/src/Cart.php:31
 App\\Cart->take() at /srv/app/src/Command/Sell.php:22
 App\\Command\\Sell->execute() at /srv/app/vendor/symfony/console/Command/Command.php:255
 Symfony\\Component\\Console\\Command\\Command->run() at /srv/app/vendor/symfony/console/Application.php:1027
""",
        "App\\Exception\\NoStock",
        "no stock for B-17",
        [
            (
                "/srv/app/vendor/symfony/console/Application.php",
                1027,
                "Symfony\\Component\\Console\\Command\\Command->run",
            ),
            (
                "/srv/app/vendor/symfony/console/Command/Command.php",
                255,
                "App\\Command\\Sell->execute",
            ),
            ("/srv/app/src/Command/Sell.php", 22, "App\\Cart->take"),
            ("/srv/app/src/Cart.php", 31, None),
        ],
    ),
    Case(
        "a trace as a string",
        """\
Exception: no stock in /srv/app/Cart.php:12
Stack trace:
#0 /srv/app/index.php(4): {closure}()
#1 [internal function]: Cart->App\\{closure}(Object(Order), 1)
#2 /srv/app/run.php(7): array_map(Object(Closure), Array)
#3 {main}
""",
        "Exception",
        "no stock",
        [
            ("/srv/app/run.php", 7, "array_map"),
            (None, None, "Cart->App\\{closure}"),
            ("/srv/app/index.php", 4, "{closure}"),
            ("/srv/app/Cart.php", 12, None),
        ],
    ),
    Case(
        "PHPUnit's error, without arguments",
        """\
1) CartTest::testTotal
Error: Class "App\\Price" not found

/srv/app/src/Cart.php:12
/srv/app/tests/CartTest.php:20
""",
        "Error",
        'Class "App\\Price" not found',
        [("/srv/app/tests/CartTest.php", 20, None), ("/srv/app/src/Cart.php", 12, None)],
    ),
    Case(
        "memory, behind a web server's prefix",
        "[Wed Mar 04 05:06:07.123456 2026] [php:error] [pid 12] [client 10.0.0.1:51] PHP Fatal error:  "
        "Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes) in "
        "/srv/app/Report.php on line 88\n",
        "Fatal error",
        "Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)",
        [("/srv/app/Report.php", 88, None)],
    ),
    Case(
        "in HTML",
        "<b>Fatal error</b>:  Uncaught Exception: no stock in /srv/app/Cart.php:12\nStack trace:\n"
        "#0 /srv/app/index.php(4): Cart-&gt;take()\n#1 {main}\n  thrown in <b>/srv/app/Cart.php</b> on line"
        " <b>12</b><br />\n",
        "Exception",
        "no stock",
        [("/srv/app/index.php", 4, "Cart->take"), ("/srv/app/Cart.php", 12, None)],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "php")


@pytest.mark.parametrize(
    "text",
    [
        "PHP Warning:  Undefined variable $a in the template",
        "composer.json: phpunit/phpunit (10.1): required",
        "#0 first point (3): a list\n#1 second point (4): of things",
        "OK (12 tests, 30 assertions)",
        "FOUND 2 ERRORS AFFECTING 1 LINE\n 3 | ERROR | Missing doc comment for function total()",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert places(parse(text)) == []
