"""The languages that are read, in the order in which a line is offered to them."""

from typing import Final

from hefesto_api.domain.traces.dart import DART
from hefesto_api.domain.traces.dotnet import DOTNET
from hefesto_api.domain.traces.elixir import ELIXIR
from hefesto_api.domain.traces.erlang import ERLANG
from hefesto_api.domain.traces.go import GO
from hefesto_api.domain.traces.javascript import JAVASCRIPT
from hefesto_api.domain.traces.jvm import JVM
from hefesto_api.domain.traces.machine import Language
from hefesto_api.domain.traces.native import NATIVE
from hefesto_api.domain.traces.opera import OPERA
from hefesto_api.domain.traces.php import PHP
from hefesto_api.domain.traces.python import PYTHON
from hefesto_api.domain.traces.ruby import RUBY
from hefesto_api.domain.traces.rust import RUST
from hefesto_api.domain.traces.swift import SWIFT

# Those whose lines are the plainest come first; C's numbered lines are the least particular.
LANGUAGES: Final[tuple[Language, ...]] = (
    PYTHON,
    RUST,
    GO,
    JVM,
    JAVASCRIPT,
    OPERA,
    DOTNET,
    RUBY,
    ELIXIR,
    ERLANG,
    DART,
    PHP,
    NATIVE,
    SWIFT,
)
