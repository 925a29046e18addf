"""What facts need to know of a language: a query that marks nodes, and the names of its fields."""

from __future__ import annotations

from functools import cached_property

import tree_sitter

from hefesto_api.analyzers import structure


class Dialect:
    """A language as data.

    `query` captures the nodes that `collector` has a method for. `members` maps the types of nodes that
    name something inside of something else to their two fields, `callee` are the fields of a call that hold
    what is called, `nothing` the texts that stand for no value.
    """

    def __init__(
        self,
        language: str,
        *,
        query: str,
        members: dict[str, tuple[str, str]],
        callee: tuple[str, ...] = ("function", "constructor", "type"),
        bases: tuple[str, ...] = ("superclasses", "superclass", "interfaces"),
        nothing: tuple[str, ...] = ("null",),
    ) -> None:
        self.language = language
        self.query = query
        self.members = members
        self.callee = callee
        self.bases = bases
        self.nothing = nothing

    @cached_property
    def marked(self) -> tree_sitter.Query:
        """Return the compiled query."""
        return tree_sitter.Query(structure.LANGUAGES[self.language].grammar_of, self.query)


PYTHON = Dialect(
    "python",
    query="""
[(for_statement) (for_in_clause) (as_pattern) (named_expression)] @bind
(function_definition) @function
(decorator) @decorator
(class_definition) @class
[(import_statement) (import_from_statement)] @import
(call) @call
(attribute) @attribute
(subscript) @subscript
(raise_statement) @raise
(return_statement) @return
(except_clause) @except
(assert_statement) @assert
[(if_statement) (elif_clause) (while_statement) (conditional_expression)] @guard
(comparison_operator) @comparison
[(assignment) (augmented_assignment)] @assign
(string) @string
""",
    members={"attribute": ("object", "attribute")},
    callee=("function",),
    nothing=("None",),
)
_SCRIPT = """
[(function_declaration) (method_definition) (arrow_function) (function_expression)
 (generator_function_declaration)] @function
(class_declaration) @class
(import_statement) @import
[(call_expression) (new_expression)] @call
(member_expression) @attribute
(subscript_expression) @subscript
(throw_statement) @raise
(return_statement) @return
(catch_clause) @except
[(if_statement) (while_statement) (ternary_expression)] @guard
[(assignment_expression) (augmented_assignment_expression)] @assign
[(variable_declarator) (for_in_statement)] @bind
[(string) (template_string)] @string
"""
_SCRIPT_MEMBERS = {"member_expression": ("object", "property")}
JAVASCRIPT = Dialect(
    "javascript", query=_SCRIPT, members=_SCRIPT_MEMBERS, nothing=("null", "undefined", "void 0")
)
TYPESCRIPT = Dialect(
    "typescript", query=_SCRIPT, members=_SCRIPT_MEMBERS, nothing=("null", "undefined", "void 0")
)
TSX = Dialect("tsx", query=_SCRIPT, members=_SCRIPT_MEMBERS, nothing=("null", "undefined", "void 0"))
JAVA = Dialect(
    "java",
    query="""
[(method_declaration) (constructor_declaration)] @function
[(class_declaration) (interface_declaration) (enum_declaration) (record_declaration)] @class
(import_declaration) @import
[(method_invocation) (object_creation_expression)] @call
(field_access) @attribute
(array_access) @subscript
(throw_statement) @raise
(return_statement) @return
(catch_clause) @except
(assert_statement) @assert
[(if_statement) (while_statement) (ternary_expression)] @guard
(assignment_expression) @assign
[(variable_declarator) (enhanced_for_statement)] @bind
(string_literal) @string
""",
    members={"field_access": ("object", "field"), "method_invocation": ("object", "name")},
    callee=("type",),
)
GO = Dialect(
    "go",
    query="""
[(function_declaration) (method_declaration) (func_literal)] @function
(type_spec) @class
(import_spec) @import
(call_expression) @call
(selector_expression) @attribute
(index_expression) @subscript
(return_statement) @return
(if_statement) @guard
(assignment_statement) @assign
[(short_var_declaration) (var_spec)] @bind
[(interpreted_string_literal) (raw_string_literal)] @string
""",
    members={"selector_expression": ("operand", "field")},
    nothing=("nil",),
)
DIALECTS = {one.language: one for one in (PYTHON, JAVASCRIPT, TYPESCRIPT, TSX, JAVA, GO)}
