# ruff: noqa: E501 (traces are as wide as they are printed)
""".NET: inner and aggregate exceptions, async frames, other languages, Mono, Unity and PowerShell."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

CASES = [
    Case(
        "an aggregate",
        """\
Unhandled exception. System.AggregateException: One or more errors occurred. (no stock) (no price)
 ---> System.InvalidOperationException: no stock
   at Shop.Stock.Take(String sku) in /srv/shop/Stock.cs:line 12
   at Shop.Program.<>c.<Main>b__0_0() in /srv/shop/Program.cs:line 8
   at System.Threading.Tasks.Task.InnerInvoke()
   --- End of inner exception stack trace ---
   at System.Threading.Tasks.Task.WaitAllCore(Task[] tasks, Int32 millisecondsTimeout, CancellationToken cancellationToken)
   at Shop.Program.Main(String[] args) in /srv/shop/Program.cs:line 9
 ---> (Inner Exception #1) System.ArgumentException: no price
   at Shop.Cart.Price(String sku) in /srv/shop/Cart.cs:line 30<---
""",
        "System.AggregateException",
        "One or more errors occurred. (no stock) (no price)",
        [
            (None, None, "System.Threading.Tasks.Task.InnerInvoke"),
            ("/srv/shop/Program.cs", 8, "Shop.Program.<>c.<Main>b__0_0"),
            ("/srv/shop/Stock.cs", 12, "Shop.Stock.Take"),
            ("/srv/shop/Program.cs", 9, "Shop.Program.Main"),
            (None, None, "System.Threading.Tasks.Task.WaitAllCore"),
            ("/srv/shop/Cart.cs", 30, "Shop.Cart.Price"),
        ],
        crash=4,
        in_app=3,
    ),
    Case(
        "async, with stack traces joined",
        """\
System.Net.Http.HttpRequestException: Connection refused (localhost:8080)
 ---> System.Net.Sockets.SocketException (111): Connection refused
   at System.Net.Sockets.Socket.AwaitableSocketAsyncEventArgs.ThrowException(SocketError error, CancellationToken cancellationToken)
   at System.Net.Http.HttpConnectionPool.ConnectToTcpHostAsync(String host, Int32 port, HttpRequestMessage initialRequest, Boolean async, CancellationToken cancellationToken)
   --- End of inner exception stack trace ---
   at System.Net.Http.HttpConnectionPool.ConnectAsync(HttpRequestMessage request, Boolean async, CancellationToken cancellationToken)
   at Shop.Prices.Fetch(String sku) in C:\\shop\\Prices.cs:line 21
--- End of stack trace from previous location where exception was thrown ---
   at Shop.Orders.Place(Order order) in C:\\shop\\Orders.cs:line 40
""",
        "System.Net.Http.HttpRequestException",
        "Connection refused (localhost:8080)",
        [
            (None, None, "System.Net.Http.HttpConnectionPool.ConnectToTcpHostAsync"),
            (None, None, "System.Net.Sockets.Socket.AwaitableSocketAsyncEventArgs.ThrowException"),
            ("C:\\shop\\Orders.cs", 40, "Shop.Orders.Place"),
            ("C:\\shop\\Prices.cs", 21, "Shop.Prices.Fetch"),
            (None, None, "System.Net.Http.HttpConnectionPool.ConnectAsync"),
        ],
        in_app=3,
    ),
    Case(
        "ASP.NET's log",
        """\
fail: Microsoft.AspNetCore.Server.Kestrel[13]
      Connection id "0HM", Request id "0HM:00000002": An unhandled exception was thrown by the application.
      System.NullReferenceException: Object reference not set to an instance of an object.
         at Shop.Pages.CartModel.OnGet(Int32 id) in /src/Pages/Cart.cshtml.cs:line 18
         at lambda_method4(Closure, Object, Object[])
         at Microsoft.AspNetCore.Mvc.RazorPages.Infrastructure.ExecutorFactory.ActionResultHandlerMethod.Execute(Object receiver, Object[] arguments)
""",
        "System.NullReferenceException",
        "Object reference not set to an instance of an object.",
        [
            (
                None,
                None,
                "Microsoft.AspNetCore.Mvc.RazorPages.Infrastructure.ExecutorFactory.ActionResultHandlerMethod.Execute",
            ),
            (None, None, "lambda_method4"),
            ("/src/Pages/Cart.cshtml.cs", 18, "Shop.Pages.CartModel.OnGet"),
        ],
    ),
    Case(
        "generics, operators, constructors and local functions",
        """\
System.InvalidCastException: Unable to cast object
   at Shop.Box`1.op_Implicit(Box`1 box) in /srv/Box.cs:line 9
   at Shop.Map`2.get_Item(TKey key) in /srv/Map.cs:line 20
   at Shop.Prices..ctor(IDictionary`2 all) in /srv/Prices.cs:line 4
   at Shop.Prices.<Load>g__One|3_0[T](String name, T& value) in /srv/Prices.cs:line 33
   at Shop.Program.<Main>$(String[] args) in /srv/Program.cs:line 1
""",
        "System.InvalidCastException",
        "Unable to cast object",
        [
            ("/srv/Program.cs", 1, "Shop.Program.<Main>$"),
            ("/srv/Prices.cs", 33, "Shop.Prices.<Load>g__One|3_0[T]"),
            ("/srv/Prices.cs", 4, "Shop.Prices..ctor"),
            ("/srv/Map.cs", 20, "Shop.Map`2.get_Item"),
            ("/srv/Box.cs", 9, "Shop.Box`1.op_Implicit"),
        ],
    ),
    Case(
        "Mono",
        """\
Unhandled Exception:
System.IndexOutOfRangeException: Index was outside the bounds of the array.
  at Shop.Cart.Total () [0x00012] in /srv/shop/Cart.cs:12
  at Shop.Program.Main (System.String[] args) [0x00001] in <3fd1b2>:0
""",
        "System.IndexOutOfRangeException",
        "Index was outside the bounds of the array.",
        [(None, None, "Shop.Program.Main"), ("/srv/shop/Cart.cs", 12, "Shop.Cart.Total")],
    ),
    Case(
        "Unity",
        """\
NullReferenceException: Object reference not set to an instance of an object
Shop.Cart.Total () (at Assets/Scripts/Cart.cs:12)
Shop.Till+<Open>d__4.MoveNext () (at Assets/Scripts/Till.cs:31)
UnityEngine.SetupCoroutine.InvokeMoveNext (System.Collections.IEnumerator enumerator, System.IntPtr returnValueAddress) (at /Users/bokken/build/output/unity/unity/Runtime/Export/Scripting/Coroutines.cs:17)
""",
        "NullReferenceException",
        "Object reference not set to an instance of an object",
        [
            (
                "/Users/bokken/build/output/unity/unity/Runtime/Export/Scripting/Coroutines.cs",
                17,
                "UnityEngine.SetupCoroutine.InvokeMoveNext",
            ),
            ("Assets/Scripts/Till.cs", 31, "Shop.Till+<Open>d__4.MoveNext"),
            ("Assets/Scripts/Cart.cs", 12, "Shop.Cart.Total"),
        ],
    ),
    Case(
        "no file at all",
        """\
System.FormatException: Input string was not in a correct format.
   at System.Number.ThrowOverflowOrFormatException(ParsingStatus status, TypeCode type)
   at System.Int32.Parse(String s)
   at Shop.Program.Main(String[] args)
""",
        "System.FormatException",
        "Input string was not in a correct format.",
        [
            (None, None, "Shop.Program.Main"),
            (None, None, "System.Int32.Parse"),
            (None, None, "System.Number.ThrowOverflowOrFormatException"),
        ],
        in_app=0,
    ),
    Case(
        "Russian",
        """\
Необработанное исключение: System.NullReferenceException: Ссылка на объект не указывает на экземпляр объекта.
   в Shop.Cart.Total() в C:\\shop\\Cart.cs:строка 12
   в Shop.Program.Main(String[] args) в C:\\shop\\Program.cs:строка 5
""",
        "System.NullReferenceException",
        "Ссылка на объект не указывает на экземпляр объекта.",
        [
            ("C:\\shop\\Program.cs", 5, "Shop.Program.Main"),
            ("C:\\shop\\Cart.cs", 12, "Shop.Cart.Total"),
        ],
    ),
    Case(
        "French",
        """\
Exception non gérée : System.DivideByZeroException: Tentative de division par zéro.
   à Shop.Cart.Share(Int32 n) dans C:\\shop\\Cart.cs:ligne 7
""",
        "System.DivideByZeroException",
        "Tentative de division par zéro.",
        [("C:\\shop\\Cart.cs", 7, "Shop.Cart.Share")],
    ),
    Case(
        "a message of several lines, after a logger's words",
        """\
2026-03-04 05:06:07 [ERR] payment failed
Npgsql.PostgresException (0x80004005): 42703: column "prise" does not exist

POSITION: 8
   at Npgsql.Internal.NpgsqlConnector.ReadMessage()
   at Shop.Db.Load(Int32 id) in /srv/Db.cs:line 12
  Exception data:
    Severity: ERROR
""",
        "Npgsql.PostgresException",
        '42703: column "prise" does not exist\n\nPOSITION: 8',
        [
            ("/srv/Db.cs", 12, "Shop.Db.Load"),
            (None, None, "Npgsql.Internal.NpgsqlConnector.ReadMessage"),
        ],
        in_app=0,
    ),
    Case(
        "F#",
        """\
Unhandled exception. MatchFailureException: The match cases were incomplete
   at Shop.Cart.total@12-1.Invoke(Item item) in /srv/shop/Cart.fs:line 12
   at Microsoft.FSharp.Collections.ListModule.Sum[T](FSharpFunc`2 projection, FSharpList`1 list) in D:\\a\\_work\\1\\s\\src\\FSharp.Core\\list.fs:line 400
   at <StartupCode$shop>.$Program.main@() in /srv/shop/Program.fs:line 3
""",
        "MatchFailureException",
        "The match cases were incomplete",
        [
            ("/srv/shop/Program.fs", 3, "<StartupCode$shop>.$Program.main@"),
            (
                "D:\\a\\_work\\1\\s\\src\\FSharp.Core\\list.fs",
                400,
                "Microsoft.FSharp.Collections.ListModule.Sum[T]",
            ),
            ("/srv/shop/Cart.fs", 12, "Shop.Cart.total@12-1.Invoke"),
        ],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "csharp")


def test_members_and_causes_of_an_aggregate() -> None:
    trace = parse(CASES[0].text)
    assert [(raised.type, raised.relation, raised.of) for raised in trace.exceptions] == [
        ("System.InvalidOperationException", "cause", 1),
        ("System.AggregateException", None, None),
        ("System.ArgumentException", "member", 1),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Cart.cs(12,5): error CS0103: The name 'price' does not exist in the current context [/srv/shop.csproj]\n",
        "   at the office (see plan)\n   at home (in the evening)\n",
        "Passed!  - Failed: 0, Passed: 12, Skipped: 0, Total: 12 - Shop.Tests.dll (net8.0)\n",
        "warn: Microsoft.EntityFrameworkCore.Query[10103]\n      The query uses 'First' without 'OrderBy'.\n",
        "Build started at 12:30 (Debug) in C:\\shop:line up",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert places(parse(text)) == []
