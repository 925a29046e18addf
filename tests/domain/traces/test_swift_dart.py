# ruff: noqa: E501 (traces are as wide as they are printed)
"""Swift and Dart: fatal errors, crash reports, Flutter's boxes, the stack_trace package."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

SWIFT = [
    Case(
        "the backtrace of Swift 5.9",
        """\
shop/Cart.swift:12: Fatal error: Unexpectedly found nil while unwrapping an Optional value

*** Signal 4: Backtracing from 0x7f8a1b2c3d4e... done ***

*** Program crashed: Illegal instruction at 0x00007f8a1b2c3d4e ***

Thread 0 "shop" crashed:

0 [RA] 0x00007f8a1b2c3d4e _assertionFailure(_:_:file:line:flags:) + 351 in libswiftCore.so
1 0x000055d0c7c5ff3a Cart.total() + 120 in shop at /srv/shop/Sources/shop/Cart.swift:12:31

    10│     func total() -> Int {
    12│         return prices["B-17"]!
      │                              ▲
2 [RA] 0x000055d0c7c60044 static Main.main() + 44 in shop at /srv/shop/Sources/shop/Main.swift:5:9
""",
        "Fatal error",
        "Unexpectedly found nil while unwrapping an Optional value",
        [
            ("/srv/shop/Sources/shop/Main.swift", 5, "static Main.main()"),
            ("/srv/shop/Sources/shop/Cart.swift", 12, "Cart.total()"),
            (None, None, "_assertionFailure(_:_:file:line:flags:)"),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "Apple's crash report",
        """\
Process:               Shop [4321]
Exception Type:        EXC_BREAKPOINT (SIGTRAP)
Exception Codes:       0x0000000000000001, 0x0000000185a5b8c0
Crashed Thread:        0  Dispatch queue: com.apple.main-thread

Thread 0 Crashed:: Dispatch queue: com.apple.main-thread
0   libswiftCore.dylib            	       0x185a5b8c0 _assertionFailure(_:_:file:line:flags:) + 308
1   Shop                          	       0x1042f3a10 Cart.total() + 120 (Cart.swift:12)
2   Shop                          	       0x1042f3b44 closure #1 in CartView.body.getter + 44 (CartView.swift:31)
3   SwiftUI                       	       0x18f3a2b10 0x18f000000 + 3812112
""",
        "EXC_BREAKPOINT",
        "SIGTRAP",
        [
            (None, None, "0x18f000000"),
            ("CartView.swift", 31, "closure #1 in CartView.body.getter"),
            ("Cart.swift", 12, "Cart.total()"),
            (None, None, "_assertionFailure(_:_:file:line:flags:)"),
        ],
        crash=2,
        in_app=2,
    ),
    Case(
        "Xcode's console",
        "Shop/Cart.swift:12: Fatal error: Index out of range\n",
        "Fatal error",
        "Index out of range",
        [("Shop/Cart.swift", 12, None)],
    ),
    Case(
        "an uncaught exception of Foundation",
        """\
*** Terminating app due to uncaught exception 'NSInvalidArgumentException', reason: '-[Cart total]: unrecognized selector sent to instance 0x6000'
*** First throw call stack:
(
	0   CoreFoundation                      0x00007fff204a8fba __exceptionPreprocess + 242
	1   libobjc.A.dylib                     0x00007fff20193ff5 objc_exception_throw + 48
	2   Shop                                0x0000000100003f50 -[Till open:] + 64
	3   Shop                                0x0000000100003f84 main + 36
)
libc++abi: terminating with uncaught exception of type NSException
""",
        "NSInvalidArgumentException",
        "-[Cart total]: unrecognized selector sent to instance 0x6000",
        [
            (None, None, "main"),
            (None, None, "-[Till open:]"),
            (None, None, "objc_exception_throw"),
            (None, None, "__exceptionPreprocess"),
        ],
        crash=1,
        in_app=None,
    ),
]
DART = [
    Case(
        "the virtual machine",
        """\
Unhandled exception:
RangeError (index): Invalid value: Not in inclusive range 0..2: 9
#0      List.[] (dart:core-patch/growable_array.dart:264:36)
#1      Cart.total (package:shop/cart.dart:12:18)
#2      main.<anonymous closure> (file:///srv/shop/bin/main.dart:5:3)
<asynchronous suspension>
#3      _delayEntrypointInvocation.<anonymous closure> (dart:isolate-patch/isolate_patch.dart:297:19)
""",
        "RangeError",
        "Invalid value: Not in inclusive range 0..2: 9",
        [
            (
                "dart:isolate-patch/isolate_patch.dart",
                297,
                "_delayEntrypointInvocation.<anonymous closure>",
            ),
            ("file:///srv/shop/bin/main.dart", 5, "main.<anonymous closure>"),
            ("package:shop/cart.dart", 12, "Cart.total"),
            ("dart:core-patch/growable_array.dart", 264, "List.[]"),
        ],
        in_app=2,
    ),
    Case(
        "Flutter's box",
        """\
══╡ EXCEPTION CAUGHT BY WIDGETS LIBRARY ╞═══════════════════════════════════════════════════════════
The following _TypeError was thrown building CartPage(dirty):
Null check operator used on a null value

The relevant error-causing widget was:
  CartPage CartPage:file:///home/ana/shop/lib/main.dart:20:14

When the exception was thrown, this was the stack:
#0      CartPage.build (package:shop/cart_page.dart:31:22)
#1      StatelessElement.build (package:flutter/src/widgets/framework.dart:4949:49)
#2      ComponentElement.performRebuild (package:flutter/src/widgets/framework.dart:4878:15)
...     Normal element mounting (142 frames)
#144    Element.inflateWidget (package:flutter/src/widgets/framework.dart:3851:20)
(elided 3 frames from dart:async)
════════════════════════════════════════════════════════════════════════════════════════════════════
""",
        "_TypeError",
        "Null check operator used on a null value",
        [
            ("package:flutter/src/widgets/framework.dart", 3851, "Element.inflateWidget"),
            ("package:flutter/src/widgets/framework.dart", 4878, "ComponentElement.performRebuild"),
            ("package:flutter/src/widgets/framework.dart", 4949, "StatelessElement.build"),
            ("package:shop/cart_page.dart", 31, "CartPage.build"),
        ],
    ),
    Case(
        "a phone's log",
        """\
E/flutter ( 4321): [ERROR:flutter/runtime/dart_vm_initializer.cc(41)] Unhandled Exception: Bad state: No element
E/flutter ( 4321): #0      List.first (dart:core-patch/growable_array.dart:343:5)
E/flutter ( 4321): #1      _CartState.load (package:shop/cart.dart:44:29)
E/flutter ( 4321): <asynchronous suspension>
""",
        "StateError",
        "No element",
        [
            ("package:shop/cart.dart", 44, "_CartState.load"),
            ("dart:core-patch/growable_array.dart", 343, "List.first"),
        ],
        in_app=0,
    ),
    Case(
        "terse, of a test",
        """\
00:01 +0 -1: adds up [E]
  Exception: no price
  package:shop/cart.dart 12:7   Cart.total
  test/cart_test.dart 9:17      main.<fn>
""",
        "Exception",
        "no price",
        [("test/cart_test.dart", 9, "main.<fn>"), ("package:shop/cart.dart", 12, "Cart.total")],
    ),
    Case(
        "a browser's names",
        """\
DartError: Exception: no price
package:shop/cart.dart 12:7                        total
dart-sdk/lib/async/zone.dart 1407:47               _rootRun
""",
        "DartError",
        "Exception: no price",
        [("dart-sdk/lib/async/zone.dart", 1407, "_rootRun"), ("package:shop/cart.dart", 12, "total")],
        in_app=1,
    ),
]
ALL = {"swift": SWIFT, "dart": DART}
CASES = [case for cases in ALL.values() for case in cases]


@pytest.mark.parametrize(
    ("language", "case"),
    [(language, case) for language, cases in ALL.items() for case in cases],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_reads(language: str, case: Case) -> None:
    check(case, language)


@pytest.mark.parametrize(
    "text",
    [
        "/srv/shop/Sources/shop/Cart.swift:12:5: error: cannot find 'price' in scope\n",
        "Test Case '-[ShopTests.CartTests testTotal]' passed (0.003 seconds).\n",
        "lib/cart.dart:12:7: Error: The getter 'price' isn't defined for the class 'Cart'.\n",
        "warning - lib/cart.dart:3:8 - Unused import: 'dart:io'. - unused_import\n",
        "00:02 +12: All tests passed!\n",
        "Fatal error handling is described in chapter 3.\n",
        "0   1   2   3\n1   2   4   9\n",
        "import 'package:shop/cart.dart' as cart;\n",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert places(parse(text)) == []
