# ruff: noqa: E501 (traces are as wide as they are printed)
"""C and C++: debuggers, the sanitizers, glibc's and glog's stacks."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

CASES = [
    Case(
        "gdb, an assertion, with the machinery",
        """\
Thread 1 "shop" received signal SIGABRT, Aborted.
__pthread_kill_implementation (no_tid=0, signo=6, threadid=140737352345408) at ./nptl/pthread_kill.c:44
44	./nptl/pthread_kill.c: No such file or directory.
(gdb) bt
#0  __pthread_kill_implementation (no_tid=0, signo=6, threadid=140737352345408) at ./nptl/pthread_kill.c:44
#1  0x00007ffff7c42476 in __GI_raise (sig=sig@entry=6) at ../sysdeps/posix/raise.c:26
#2  0x00007ffff7c287f3 in __GI_abort () at ./stdlib/abort.c:79
#3  0x00007ffff7c39e96 in __GI___assert_fail (assertion=0x555555556004 "price > 0", file=0x55 "cart.c", line=12, function=0x5 "total") at ./assert/assert.c:101
#4  0x0000555555555190 in total (cart=0x7fffffffe3d0) at cart.c:12
#5  0x00005555555551f2 in main (argc=1, argv=0x7fffffffe4f8) at main.c:7
""",
        "SIGABRT",
        "Aborted",
        [
            ("main.c", 7, "main"),
            ("cart.c", 12, "total"),
            ("./assert/assert.c", 101, "__GI___assert_fail"),
            ("./stdlib/abort.c", 79, "__GI_abort"),
            ("../sysdeps/posix/raise.c", 26, "__GI_raise"),
            ("./nptl/pthread_kill.c", 44, "__pthread_kill_implementation"),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "gdb, C++ templates, operators and wrapped arguments",
        """\
Program terminated with signal SIGSEGV, Segmentation fault.
#0  std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::size (this=0x8) at /usr/include/c++/11/bits/basic_string.h:920
#1  shop::operator== (a=..., b=...) at src/key.cpp:9
#2  0x000055 in shop::Map<std::string, int>::find (this=0x7ffe,
    key=...) at src/map.hpp:31
#3  0x000056 in shop::(anonymous namespace)::run(int)::{lambda()#1}::operator()() const (__closure=0x7f) at src/run.cpp:40
#4  0x000057 in main () at src/main.cpp:4
""",
        "SIGSEGV",
        "Segmentation fault",
        [
            ("src/main.cpp", 4, "main"),
            (
                "src/run.cpp",
                40,
                "shop::(anonymous namespace)::run(int)::{lambda()#1}::operator()() const",
            ),
            ("src/map.hpp", 31, "shop::Map<std::string, int>::find"),
            ("src/key.cpp", 9, "shop::operator=="),
            (
                "/usr/include/c++/11/bits/basic_string.h",
                920,
                "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::size",
            ),
        ],
        in_app=3,
    ),
    Case(
        "lldb",
        """\
* thread #1, queue = 'com.apple.main-thread', stop reason = EXC_BAD_ACCESS (code=1, address=0x0)
  * frame #0: 0x0000000100003f50 shop`total(cart=0x0000000000000000) at cart.c:12:15
    frame #1: 0x0000000100003f84 shop`main(argc=1, argv=0x000000016fdff5a8) at main.c:7:3
    frame #2: 0x000000018f0e60e0 dyld`start + 2360
""",
        "EXC_BAD_ACCESS",
        "code=1, address=0x0",
        [(None, None, "start"), ("main.c", 7, "main"), ("cart.c", 12, "total")],
    ),
    Case(
        "AddressSanitizer, a signal",
        """\
AddressSanitizer:DEADLYSIGNAL
=================================================================
==12==ERROR: AddressSanitizer: SEGV on unknown address 0x000000000000 (pc 0x0000004c3b2f bp 0x7ffd sp 0x7ffc T0)
==12==The signal is caused by a READ memory access.
==12==Hint: address points to the zero page.
    #0 0x4c3b2f in shop::Cart::total() const /src/shop/cart.cpp:12:9
    #1 0x4c3d00 in main /src/shop/main.cpp:7:3
    #2 0x7f1d8a in __libc_start_main (/lib/x86_64-linux-gnu/libc.so.6+0x2082f) (BuildId: 1878e6b4)
    #3 0x41c0a8 in _start (/out/shop+0x41c0a8)

AddressSanitizer can not provide additional info.
SUMMARY: AddressSanitizer: SEGV /src/shop/cart.cpp:12:9 in shop::Cart::total() const
==12==ABORTING
""",
        "SEGV",
        "SEGV on unknown address 0x000000000000 (pc 0x0000004c3b2f bp 0x7ffd sp 0x7ffc T0)",
        [
            (None, None, "_start"),
            (None, None, "__libc_start_main"),
            ("/src/shop/main.cpp", 7, "main"),
            ("/src/shop/cart.cpp", 12, "shop::Cart::total() const"),
        ],
    ),
    Case(
        "LeakSanitizer",
        """\
==9==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 40 byte(s) in 1 object(s) allocated from:
    #0 0x4a in malloc /build/llvm/compiler-rt/lib/asan/asan_malloc_linux.cpp:69:3
    #1 0x4b in price /srv/shop/cart.c:5:13
    #2 0x4c in main /srv/shop/main.c:7:3

SUMMARY: AddressSanitizer: 40 byte(s) leaked in 1 allocation(s).
""",
        "detected memory leaks",
        "detected memory leaks",
        [
            ("/srv/shop/main.c", 7, "main"),
            ("/srv/shop/cart.c", 5, "price"),
            ("/build/llvm/compiler-rt/lib/asan/asan_malloc_linux.cpp", 69, "malloc"),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "MemorySanitizer",
        """\
==7==WARNING: MemorySanitizer: use-of-uninitialized-value
    #0 0x49 in total /srv/shop/cart.c:12:7
    #1 0x4a in main /srv/shop/main.c:4:10

  Uninitialized value was created by a heap allocation
    #0 0x42 in malloc /build/llvm/compiler-rt/lib/msan/msan_interceptors.cpp:911:3
    #1 0x49 in main /srv/shop/main.c:3:12
""",
        "use-of-uninitialized-value",
        "use-of-uninitialized-value",
        [("/srv/shop/main.c", 4, "main"), ("/srv/shop/cart.c", 12, "total")],
    ),
    Case(
        "ThreadSanitizer",
        """\
==================
WARNING: ThreadSanitizer: data race (pid=26327)
  Write of size 4 at 0x7f89554701d0 by thread T1:
    #0 add /srv/shop/stock.cpp:5:9 (shop+0x4a0)
    #1 operator() /srv/shop/stock.cpp:9 (shop+0x4b0)

  Previous write of size 4 at 0x7f89554701d0 by main thread:
    #0 main /srv/shop/main.cpp:12:9 (shop+0x4c0)

  Thread T1 (tid=26328, running) created by main thread at:
    #0 pthread_create /build/tsan_interceptors.cpp:1022:3 (shop+0x42)
    #1 main /srv/shop/main.cpp:10:3 (shop+0x4d0)
""",
        "data race",
        "data race (pid=26327)",
        [("/srv/shop/stock.cpp", 9, "operator()"), ("/srv/shop/stock.cpp", 5, "add")],
    ),
    Case(
        "glibc's backtrace_symbols_fd, by position in the binary",
        """\
*** stack smashing detected ***: terminated
======= Backtrace: =========
/lib/x86_64-linux-gnu/libc.so.6(+0x777e5)[0x7f27a1c7e7e5]
/lib/x86_64-linux-gnu/libc.so.6(__fortify_fail+0x5c)[0x7f27a1d2015c]
./shop(total+0x3d)[0x4005f3]
./shop(main+0x1b)[0x400612]
/lib/x86_64-linux-gnu/libc.so.6(__libc_start_main+0xf0)[0x7f27a1c27830]
./shop(_start+0x29)[0x4004a9]
======= Memory map: ========
00400000-00401000 r-xp 00000000 08:01 1
""",
        "stack smashing detected",
        "terminated",
        [
            (None, None, "_start"),
            (None, None, "__libc_start_main"),
            (None, None, "main"),
            (None, None, "total"),
            (None, None, "__fortify_fail"),
        ],
        crash=3,
        in_app=None,
    ),
    Case(
        "Android's tombstone",
        """\
signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x0
    r0 00000000  r1 00000001
backtrace:
    #00 pc 0001c5a4  /system/lib/libc.so (abort+62)
    #01 pc 00012f30  /data/app/shop/lib/arm/libcart.so (Cart::total(int)+20) (BuildId: 1f2e)
    #02 pc 00012f50  /data/app/shop/lib/arm/libcart.so
""",
        "SIGSEGV",
        "code 1 (SEGV_MAPERR), fault addr 0x0",
        [(None, None, "Cart::total(int)"), (None, None, "abort")],
        crash=0,
        in_app=None,
    ),
    Case(
        "the kernel's",
        """\
BUG: KASAN: use-after-free in sell+0x1a2/0x200 shop/cart.c:40
Read of size 8 at addr ffff8880 by task shop/123

Call Trace:
 dump_stack+0x107/0x163 lib/dump_stack.c:118
 [<ffffffff82c5d5a0>] sell+0x1a2/0x200 shop/cart.c:40
 entry_SYSCALL_64_after_hwframe+0x44/0xae
""",
        "KASAN: use-after-free",
        "sell+0x1a2/0x200 shop/cart.c:40",
        [
            (None, None, "entry_SYSCALL_64_after_hwframe"),
            ("shop/cart.c", 40, "sell"),
            ("lib/dump_stack.c", 118, "dump_stack"),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "WinDbg",
        """\
ChildEBP RetAddr
0030e9a4 6b86ea36 shop!Cart::Total+0x12 [c:\\src\\cart.cc @ 12]
0030e9b8 6b86eb00 shop!main+0x40 [c:\\src\\main.cc @ 7]
0030e9c8 7c9037bf kernel32!BaseThreadInitThunk+0xe
""",
        None,
        None,
        [
            (None, None, "BaseThreadInitThunk"),
            ("c:\\src\\main.cc", 7, "main"),
            ("c:\\src\\cart.cc", 12, "Cart::Total"),
        ],
    ),
    Case(
        "glog",
        """\
F0304 05:06:07.123456 12345 cart.cc:12] Check failed: price > 0 (0 vs. 0)
*** Check failure stack trace: ***
    @     0x7f2a1b2c3d4e  google::LogMessage::Fail()
    @     0x7f2a1b2c5f60  google::LogMessage::SendToLog()
    @           0x4a5b6c  shop::Cart::Total()
    @           0x4a5d7e  main
    @                0x0  (unknown)
""",
        "Check failed",
        "price > 0 (0 vs. 0)",
        [
            (None, None, "main"),
            (None, None, "shop::Cart::Total()"),
            (None, None, "google::LogMessage::SendToLog()"),
            (None, None, "google::LogMessage::Fail()"),
        ],
        crash=1,
        in_app=None,
    ),
    Case(
        "UndefinedBehaviorSanitizer without a stack",
        "src/cart.c:12:17: runtime error: signed integer overflow: 2147483647 + 1 cannot be represented in type"
        " 'int'\n",
        "runtime error",
        "signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'",
        [("src/cart.c", 12, None)],
    ),
    Case(
        "Chromium's fatal log, symbolised",
        """\
[12345:12345:0304/050607.123456:FATAL:cart.cc(12)] Check failed: price.
#0 0x55d0f1e2a3b4 base::debug::CollectStackTrace()
#1 0x55d0f1d9c8d7 logging::LogMessage::~LogMessage()
#2 0x55d0ee1a2b3c shop::Cart::Total() ../../shop/cart.cc:12:3
#3 0x55d0ee1a3c4d main ../../shop/main.cc:7:1
""",
        "Check failed",
        "price",
        [
            ("../../shop/main.cc", 7, "main"),
            ("../../shop/cart.cc", 12, "shop::Cart::Total()"),
            (None, None, "logging::LogMessage::~LogMessage()"),
            (None, None, "base::debug::CollectStackTrace()"),
        ],
        crash=1,
        in_app=1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "c")


def test_where_memory_was_freed_and_allocated_stands_apart() -> None:
    trace = parse("""\
==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x4c bp 0x7f sp 0x7e
READ of size 1 at 0x602000000010 thread T0
    #0 0x4c in total /srv/cart.c:12:3
    #1 0x4d in main /srv/main.c:7:3

0x602000000010 is located 0 bytes inside of 10-byte region [0x602000000010,0x60200000001a)
freed by thread T0 here:
    #0 0x42 in free /build/asan_malloc_linux.cpp:52:3
    #1 0x4e in drop /srv/cart.c:30:3

previously allocated by thread T0 here:
    #0 0x43 in malloc /build/asan_malloc_linux.cpp:69:3
    #1 0x4f in fill /srv/cart.c:20:9

SUMMARY: AddressSanitizer: heap-use-after-free /srv/cart.c:12:3 in total
""")
    assert [(other.note, len(other.frames)) for other in trace.others] == [
        ("freed by thread T0 here", 2),
        ("previously allocated by thread T0 here", 2),
    ]
    assert places(trace) == [("/srv/main.c", 7, "main"), ("/srv/cart.c", 12, "total")]


@pytest.mark.parametrize(
    "text",
    [
        "cart.c:12:5: error: use of undeclared identifier 'price'\n    price();\n    ^\n1 error generated.\n",
        "In file included from main.c:1:\ncart.h:3:1: warning: declaration does not declare anything\n",
        "ld: symbol(s) not found for architecture x86_64\nmake: *** [shop] Error 1\n",
        "@@ -12,3 +12,4 @@ int total(void)\n-  return 0;\n+  return 1;\n",
        '#0 building with "default" instance using docker driver\n#1 [internal] load build definition\n#1 DONE 0.0s\n',
        "[0x7f6b13882bf1]\n[0x7f6b137dadb5]\n",
        "I0304 05:06:07.123456 12345 main.cc:12] started\nW0304 05:06:08.123456 12345 main.cc:20] slow\n",
        "#1 in the charts\n#2 in the charts\n",
        "fixes #1 and #2 at once",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert places(parse(text)) == []
