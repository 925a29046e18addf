"""A guess from paths and names which frames are the application's own; membership in a project beats it."""

import re
import sys
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from hefesto_api.domain.traces import known
from hefesto_api.domain.traces.model import Frame

IsInApp: TypeAlias = Callable[[Frame], bool]

# Parts of a path (backslashes turned) that only installed code has, whatever the language.
_INSTALLED: Final = re.compile(
    r"/(?:site-packages|dist-packages|node_modules|jspm_packages|bower_components|"
    r"\.cargo/(?:registry|git)|\.rustup|"
    r"rustlib|gems|rubygems|\.rbenv|\.rvm|vendor|\.pub-cache|pkg/mod|deps|compiler-rt|libfuzzer|"
    r"\.pnpm|\.yarn|"
    r"Python\.framework|plugins/python(?:-ce)?/helpers)/|^(?:/usr|/lib|/lib64|"
    r"/opt/homebrew)/(?!src/(?:app|myapp)/|local/(?:src|app))"
)
_PYTHON: Final = re.compile(
    r"/lib(?:64)?/python\d|/[Ll]ib/(?!site-packages)[^/]++\.py$|/Python\d{2,3}/[Ll]ib/|"
    r"^<(?!ipython|stdin|string|module|input|console|doctest)|/pydevd|_pytest/|/lib/pypy"
)
_PYTHON_TOPS: Final = (sys.stdlib_module_names - {"test", "lib"}) | known.PYTHON
_GENERATED: Final = ("$$EnhancerBy", "$$FastClassBy", "$Proxy", "$$SpringCGLIB$$", "GeneratedMethodAccessor")
_JS: Final = re.compile(
    r"^(?:node:|internal/|native|timers\.js|module\.js|events\.js|net\.js|_stream|_http|vm\.js|"
    r"bootstrap_node|\[native|"
    r"chrome-extension:|moz-extension:|safari-extension:|webpack/|[^/]*$(?<=^fs\.js))|/~/|/webpack/bootstrap|"
    r"(?:^|/)(?:jquery|react-dom|react|vue|angular|zone|polyfills|vendors?)(?:[.-][\w.-]*)?\.js|/libraries/|"
    r"/cdn-cgi/|cdnjs\.|unpkg\.com|jsdelivr"
)
_GO: Final = re.compile(
    r"/usr/local/go/|/go/src/(?![^/]*\.[a-z]+/)|/libexec/src/|/pkg/mod/|/vendor/|/toolchain@|"
    r"/Go/src/(?![^/]*\.)|^_cgo|^runtime/|"
    r"/hostedtoolcache/go|/\.goenv/|/sdk/go\d"
)
_RUST: Final = re.compile(
    r"^/rustc/|/library/(?:std|core|alloc|test|proc_macro)/|/src/lib(?:std|core|alloc|test)/|^/build/rust"
)
_NATIVE: Final = re.compile(
    r"\.\./(?:sysdeps|csu|nptl|ports)|/glibc|/libc(?:\.|-)|/csu/|sysdeps/|/sanitizer_common/|/asan_|"
    r"/ubsan_|/c\+\+/|"
    r"fuzzer/Fuzzer\w+\.(?:cpp|h)|libfuzzer/|/bits/|\.so(?:\.|$)|^\?\?"
)
_DOTNET: Final = re.compile(
    r"(?:System|Microsoft|Newtonsoft|MS|Windows|NUnit|Xunit|Mono|Internal|Castle|AutoMapper|Npgsql|MySql|"
    r"MongoDB|Dapper|StackExchange|RabbitMQ|Grpc|Serilog|NLog|log4net|Polly|MediatR|Hangfire|Quartz|Autofac|"
    r"FluentValidation|Swashbuckle|Moq|Azure|Amazon|UnityEngine|UnityEditor|TMPro)[.:]|lambda_method"
)
_DART: Final = re.compile(
    r"^dart:|^package:(?:flutter|flutter_test|test|test_api|stack_trace|async|http|dio|bloc|provider|"
    r"matcher)/|"
    r"org-dartlang-sdk:|/flutter/packages/"
)
_ELIXIR: Final = re.compile(
    r"^(?:gen_server|proc_lib|gen_statem|erl_eval|gen|supervisor|application_master|gen_event|timer|"
    r"lists|maps|erlang|ets)\.erl$"
)
_PHP: Final = re.compile(r"^phar:|^\[internal|/vendor/|/usr/share/php")
_SWIFT: Final = re.compile(r"^(?:/BuildRoot|.*/swift/stdlib/|Swift/)|^lib\w+\.(?:dylib|so)")


def guess(language: str, frames: Iterable[Frame]) -> IsInApp:
    """The guess for the frames of one trace; the others tell which crates are dependencies."""
    if language == "rust":
        crates = _dependencies(frames)
        return lambda frame: _rust(frame, crates)
    return _GUESSES.get(language, _by_path)


def _path(frame: Frame) -> str:
    return (frame.file or "").replace("\\", "/")


def _by_path(frame: Frame) -> bool:
    return (
        bool(frame.file)
        and not _INSTALLED.search("/" + _path(frame).lstrip("/"))
        and not _system(_path(frame))
    )


def _system(path: str) -> bool:
    return path.startswith(
        ("/usr/lib", "/usr/include", "/usr/local/lib", "/lib/", "/lib64/", "/usr/share", "/opt/homebrew/")
    )


def _python(frame: Frame) -> bool:
    path = _path(frame)
    top, slash, _ = path.partition("/")
    return _by_path(frame) and not _PYTHON.search(path) and not (slash and top in _PYTHON_TOPS)


def _jvm(frame: Frame) -> bool:
    name = frame.function or ""
    return not name.startswith(known.JVM) and not any(mark in name for mark in _GENERATED)


def _javascript(frame: Frame) -> bool:
    return _by_path(frame) and not _JS.search(_path(frame)) and frame.line is not None


def _go(frame: Frame) -> bool:
    return (
        bool(frame.file)
        and not _GO.search(_path(frame))
        and not (frame.function or "").startswith("runtime.")
    )


def crate(function: str) -> str:
    """The crate that a Rust path begins with, of the type for an impl: `<a::B as c::D>::f` is of a."""
    return (
        function.lstrip("<&*([ ")
        .removeprefix("mut ")
        .removeprefix("dyn ")
        .partition("::")[0]
        .partition("[")[0]
    )


def _dependencies(frames: Iterable[Frame]) -> frozenset[str]:
    """Crates of which a frame's file stands among the installed ones."""
    found = set()
    for frame in frames:
        parts = _path(frame).split("/registry/src/")
        if len(parts) == 2 and parts[1].count("/") > 1:
            name = parts[1].split("/")[1]
            found.add(re.sub(r"-\d[^/]*+$", "", name).replace("-", "_"))
    return frozenset(found)


def _rust(frame: Frame, crates: frozenset[str]) -> bool:
    path = _path(frame)
    if path:
        return _by_path(frame) and not _RUST.search(path)
    top = crate(frame.function or "")
    return "::" in (frame.function or "") and top not in known.RUST and top not in crates


def _native(frame: Frame) -> bool:
    return _by_path(frame) and not _NATIVE.search(_path(frame))


def _dotnet(frame: Frame) -> bool:
    return not _DOTNET.match(frame.function or "")


def _dart(frame: Frame) -> bool:
    return bool(frame.file) and not _DART.search(_path(frame)) and _by_path(frame)


def _elixir(frame: Frame) -> bool:
    path = _path(frame)
    foreign = (frame.module or "") in known.ELIXIR or _ELIXIR.match(path)
    return bool(path) and not foreign and "/deps/" not in f"/{path}"


def _php(frame: Frame) -> bool:
    return _by_path(frame) and not _PHP.search(_path(frame))


def _ruby(frame: Frame) -> bool:
    path = _path(frame)
    return _by_path(frame) and not path.startswith("<internal:") and "/lib/ruby/" not in path


def _swift(frame: Frame) -> bool:
    return _by_path(frame) and frame.line is not None and not _SWIFT.match(_path(frame))


_GUESSES: Final[dict[str, IsInApp]] = {
    "python": _python,
    "java": _jvm,
    "javascript": _javascript,
    "go": _go,
    "c": _native,
    "csharp": _dotnet,
    "dart": _dart,
    "elixir": _elixir,
    "erlang": _elixir,
    "php": _php,
    "ruby": _ruby,
    "swift": _swift,
}
