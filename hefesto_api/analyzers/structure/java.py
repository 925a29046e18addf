"""Java."""

import re

from tree_sitter import Node

from hefesto_api.analyzers.structure.language import Language

QUERY = """
[(class_declaration) (interface_declaration) (enum_declaration) (record_declaration)
 (annotation_type_declaration)] @class
(class_body) @anonymous_class
(method_declaration body: (block)) @function
[(constructor_declaration) (compact_constructor_declaration)] @function
[(if_statement) (for_statement) (enhanced_for_statement) (while_statement) (do_statement)] @branch
"else" @else
[(try_statement) (try_with_resources_statement) (synchronized_statement)] @block
(catch_clause) @catch
(ternary_expression) @ternary
(switch_expression) @switch
(switch_label) @case
(lambda_expression) @lambda
(binary_expression) @logical
(break_statement (identifier) @jump)
(continue_statement (identifier) @jump)
[(line_comment) (block_comment)] @comment
"""
PARAMETERS = frozenset({"formal_parameter", "spread_parameter"})


def parameters(function: Node, content: bytes, in_class: bool) -> int:
    """Count the parameters, but for one that only annotates `this`."""
    signature = function.child_by_field_name("parameters")
    if signature is None or signature.end_byte - signature.start_byte == 2:
        return 0
    return sum(1 for node in signature.named_children if node.type in PARAMETERS)


LANGUAGE = Language(
    "java",
    suffixes=(".java",),
    grammar=("tree_sitter_java", "language"),
    query=QUERY,
    parameters=parameters,
    logical=frozenset({"&&", "||"}),
    default_case=re.compile(rb"default\b"),
)
