"""The samples of all languages."""

from typing import Final

from tests.domain.traces import (
    test_beam,
    test_dotnet,
    test_go,
    test_javascript,
    test_jvm,
    test_native,
    test_others,
    test_php,
    test_python,
    test_ruby,
    test_rust,
    test_swift_dart,
)
from tests.domain.traces.cases import Case

_MODULES: Final = (
    *(test_beam, test_dotnet, test_go, test_javascript, test_jvm, test_native, test_others, test_php),
    *(test_python, test_ruby, test_rust, test_swift_dart),
)
ALL: Final[tuple[Case, ...]] = tuple(case for module in _MODULES for case in module.CASES)
LINES: Final = tuple(sorted({line for case in ALL for line in case.text.splitlines() if line.strip()}))
