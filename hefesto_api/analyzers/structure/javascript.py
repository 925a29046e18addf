"""JavaScript, and what TypeScript shares with it."""

from tree_sitter import Node

from hefesto_api.analyzers.structure.language import Language

QUERY = """
[(class_declaration) (class)] @class
[(function_declaration) (generator_function_declaration) (function_expression) (generator_function)
 (arrow_function) (method_definition)] @function
(variable_declarator name: (identifier) @name
  value: [(arrow_function) (function_expression) (generator_function) (class) (object)])
(assignment_expression left: [(identifier) (member_expression)] @name
  right: [(arrow_function) (function_expression) (generator_function) (class) (object)])
(pair key: [(property_identifier) (string) (number)] @name
  value: [(arrow_function) (function_expression) (generator_function) (class) (object)])
(object) @object
[(if_statement) (for_statement) (for_in_statement) (while_statement) (do_statement)] @branch
"else" @else
[(try_statement) (with_statement)] @block
(catch_clause) @catch
(ternary_expression) @ternary
(switch_statement) @switch
(switch_case) @case
(binary_expression) @logical
(break_statement label: (_) @jump)
(continue_statement label: (_) @jump)
(comment) @comment
"""
FIELDS = """
(field_definition property: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function) (function_expression) (generator_function) (class) (object)])
"""
FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})


def parameters(function: Node, content: bytes, in_class: bool) -> int:
    """Count the parameters; a lone one without parentheses too, TypeScript's `this` not."""
    signature = function.child_by_field_name("parameters")
    if signature is None:
        return int(function.child_by_field_name("parameter") is not None)
    if signature.end_byte - signature.start_byte == 2:
        return 0
    named = [node for node in signature.named_children if node.type not in ("comment", "decorator")]
    return len(named) - sum(1 for node in named if is_this(node, content))


def is_this(node: Node, content: bytes) -> bool:
    """Tell whether a parameter is the pseudo one that types `this`."""
    start, end = node.byte_range
    return content[start:end].partition(b":")[0].rstrip() == b"this"


LANGUAGE = Language(
    "javascript",
    suffixes=(".js", ".mjs", ".cjs", ".jsx"),
    grammar=("tree_sitter_javascript", "language"),
    query=QUERY + FIELDS,
    parameters=parameters,
    logical=frozenset({"&&", "||", "??"}),
)
