"""Go."""

from tree_sitter import Node

from hefesto_api.analyzers.structure.language import Language

QUERY = """
(type_spec type: [(struct_type) (interface_type)]) @class
(function_declaration body: (block)) @function
[(method_declaration) (func_literal)] @function
(short_var_declaration left: (expression_list . (identifier) @name)
  right: (expression_list . (func_literal)))
(assignment_statement left: (expression_list . [(identifier) (selector_expression)] @name)
  right: (expression_list . (func_literal)))
(var_spec . name: (identifier) @name value: (expression_list . (func_literal)))
(keyed_element (literal_element (identifier) @name) (literal_element (func_literal)))
[(if_statement) (for_statement)] @branch
"else" @else
[(expression_switch_statement) (type_switch_statement) (select_statement)] @switch
[(expression_case) (type_case) (communication_case)] @case
(binary_expression) @logical
(break_statement (label_name) @jump)
(continue_statement (label_name) @jump)
(goto_statement) @jump
(comment) @comment
"""


def parameters(function: Node, content: bytes, in_class: bool) -> int:
    """Count the names of the parameters (`a, b int` has two), and those without a name."""
    signature = function.child_by_field_name("parameters")
    if signature is None or signature.end_byte - signature.start_byte == 2:
        return 0
    declarations = [node for node in signature.named_children if node.type != "comment"]
    return sum(len(node.children_by_field_name("name")) or 1 for node in declarations)


def owner(function: Node, content: bytes) -> str | None:
    """Return the receiver's type without pointer and type arguments."""
    receiver = function.child_by_field_name("receiver")
    if receiver is None:
        return None
    kind = next((n.child_by_field_name("type") for n in receiver.named_children if n.type != "comment"), None)
    if kind is None:
        return None
    start, end = kind.byte_range
    return content[start:end].partition(b"[")[0].strip(b"*() \t\n").decode("utf-8", "replace")


LANGUAGE = Language(
    "go",
    suffixes=(".go",),
    grammar=("tree_sitter_go", "language"),
    query=QUERY,
    parameters=parameters,
    owner=owner,
    logical=frozenset({"&&", "||"}),
)
