"""Python."""

import re

from tree_sitter import Node

from hefesto_api.analyzers.structure.language import Language

QUERY = """
(decorated_definition) @decorated
(class_definition) @class
(function_definition) @function
[(if_statement) (for_statement) (while_statement)] @branch
(elif_clause) @elif
(else_clause) @else_clause
[(try_statement) (with_statement)] @block
(except_clause) @catch
(conditional_expression) @ternary
(match_statement) @switch
(case_clause) @case
(lambda) @lambda
[(for_in_clause) (if_clause)] @filter
(boolean_operator) @logical
(comment) @comment
"""
MARKERS = frozenset({"comment", "keyword_separator", "positional_separator"})
BOUND = frozenset({b"self", b"cls", b"mcs", b"mcls"})
MARKED = re.compile(rb"[/#\\]|\*\s*[,)]")  # what a marker is made of
IS_BOUND = re.compile(rb"\(\s*(?:self|cls|mcs|mcls)\s*[,)]")


def parameters(function: Node, content: bytes, in_class: bool) -> int:
    """Count the parameters, but for the one that a method is bound by."""
    signature = function.child_by_field_name("parameters")
    if signature is None:
        return 0
    first, last = signature.byte_range
    if last - first == 2:
        return 0
    if MARKED.search(content, first, last) is None:  # asking each node for its type takes half as long again
        return signature.named_child_count - (in_class and IS_BOUND.match(content, first) is not None)
    named = [node for node in signature.named_children if node.type not in MARKERS]
    if in_class and named:
        start, end = named[0].byte_range
        return len(named) - (content[start:end] in BOUND)
    return len(named)


LANGUAGE = Language(
    "python",
    suffixes=(".py", ".pyi", ".pyw"),
    grammar=("tree_sitter_python", "language"),
    query=QUERY,
    parameters=parameters,
    logical=frozenset({"and", "or"}),
    default_case=re.compile(rb"case\s+_\s*:"),
)
