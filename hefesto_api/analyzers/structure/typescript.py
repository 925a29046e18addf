"""TypeScript, and TypeScript with JSX: two grammars of one wheel."""

from hefesto_api.analyzers.structure import javascript
from hefesto_api.analyzers.structure.language import Language

QUERY = (
    javascript.QUERY
    + """
[(abstract_class_declaration) (interface_declaration) (enum_declaration)] @class
[(internal_module) (module)] @namespace
(decorator) @decorator
(public_field_definition name: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function) (function_expression) (generator_function) (class) (object)])
"""
)

LANGUAGE = Language(
    "typescript",
    suffixes=(".ts", ".mts", ".cts"),
    grammar=("tree_sitter_typescript", "language_typescript"),
    query=QUERY,
    parameters=javascript.parameters,
    logical=javascript.LANGUAGE.logical,
)
TSX = Language(
    "tsx",
    suffixes=(".tsx",),
    grammar=("tree_sitter_typescript", "language_tsx"),
    query=QUERY,
    parameters=javascript.parameters,
    logical=javascript.LANGUAGE.logical,
)
