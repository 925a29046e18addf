"""All that is Flask and belongs to no feature: the envelope, errors, arguments, paging, conditions, traces.

A feature's routes state the contract in decorators and make one call:

    from hefesto_api.web import fields
    from hefesto_api.web.blueprint import Blueprint
    from hefesto_api.web.context import runtime
    from hefesto_api.web.paging import PageQuery
    from hefesto_api.web.rows import page_answer
    from hefesto_api.web.scopes import require

    blp = Blueprint("projects", url_prefix="/api/v1/projects", description="What findings belong to.")

    @blp.route("", methods=["GET"])
    @require("read:findings")
    @blp.arguments(PageQuery, location="query")
    @blp.response(200, ProjectListSchema)
    def list_projects(query):
        '''List the projects.'''
        return page_answer("projects", service.projects(runtime().db, query), query)

The route's schema documents the answer; a view that returns a value has it dumped by the schema, a view
that returns an `Answer` (lists do) is sent as it is. Errors are raised in the words of the domain.
A module of routes exports `blp` and stands in the table of `hefesto_api.app`.
"""
