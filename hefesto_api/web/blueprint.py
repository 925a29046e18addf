"""The blueprint that features use: flask-smorest's, with our parser, our envelope and our documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import flask_smorest
import marshmallow as ma

from hefesto_api.web import openapi, schemas
from hefesto_api.web.arguments import Parser
from hefesto_api.web.envelope import Wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    View = Callable[..., Any]
    Decorator = Callable[[View], View]


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc] # flask-smorest is untyped
    """A group of routes, tagged in the documentation with the group's name."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, __name__, **options)
        self._prepare_doc_cbks.append(openapi.complete_operation)
        self._rule = ""

    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
        """Register a route, remembering its rule for the documentation."""
        self._rule = rule
        super().add_url_rule(rule, *args, **options)

    def _store_endpoint_docs(self, endpoint: str, *args: Any, **options: Any) -> None:
        super()._store_endpoint_docs(endpoint, *args, **options)
        methods = {name: about for name, about in self._docs[endpoint].items() if name != "parameters"}
        for method, about in methods.items():
            about["operation_id"] = endpoint if len(methods) == 1 else f"{method}_{endpoint}"
            about["has_path_parameters"] = "<" in f"{self.url_prefix}{self._rule}"

    def route(self, rule: str, *, methods: Sequence[str], **options: Any) -> Decorator:
        """Register a route under some methods."""
        return cast("Decorator", super().route(rule, methods=methods, **options))

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Decorator:
        """Read the body (or the query) by a schema; the value is the view's first argument."""
        # Made once: a class is made into a schema by every request, at the cost of loading by it.
        reader = schema() if isinstance(schema, type) else schema
        return cast("Decorator", super().arguments(reader, location=location, **options))

    def response(self, status_code: int, schema: Any = None, **options: Any) -> Decorator:
        """Document the answer and dump the view's value by its schema, in the envelope."""
        return cast("Decorator", super().response(status_code, schema, **options))

    def alt_response(self, status_code: int, response: str | None = None, **options: Any) -> Decorator:
        """Document another answer; errors in general are documented without it."""
        return cast("Decorator", super().alt_response(status_code, response, **options))

    @staticmethod
    def _prepare_response_content(data: Any) -> Any:
        return Wrapped(data)

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        return schemas.wrapped(schema) if isinstance(schema, ma.Schema) else schema
