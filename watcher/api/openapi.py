"""The OpenAPI 3.1 document, made of the routes, of what stands beside them, and of the models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

from watcher import __version__
from watcher.api import answers
from watcher.api.describing import ADMIN, DESCRIBED, Answer, Operation
from watcher.api.errors import REFUSALS, TITLES
from watcher.refused import KeyReused, RequestRunning

Json = dict[str, Any]
References = Mapping[tuple[Any, JsonSchemaMode], Json]

TEMPLATE = "#/components/schemas/{model}"
ABOUT = (
    "Amounts are decimal text, `*_units` whole numbers of the smallest unit as text, times are "
    "RFC 3339 in UTC. Lists go on at `next`, sent as `after`. Answers may gain fields; requests "
    "with unknown ones are refused. Errors are RFC 9457 problems, whose `code` is for programs."
)
SECURITY: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "a key, sk_… or, where an operation says so, pk_…",
    },
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "the same"},
    "operator": {"type": "http", "scheme": "bearer", "description": "the admin token"},
}
TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "string", "pattern": r"^\d+$"}
HEADERS: Json = {
    "X-RateLimit-Limit": {"description": "requests within any minute", "schema": WHOLE},
    "X-RateLimit-Remaining": {"description": "left of them", "schema": WHOLE},
    "X-RateLimit-Reset": {"description": "seconds until all are back", "schema": WHOLE},
    "Retry-After": {"description": "seconds to wait", "schema": WHOLE},
    "X-Request-Id": {"description": "as in the log", "required": True, "schema": TEXT},
    "Idempotent-Replayed": {
        "description": "this answer was given before",
        "schema": {"type": "string", "const": "true"},
    },
}
QUOTA = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
IDEMPOTENCY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and request within 24 hours get the same answer, done once.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": r"^[!-~]([ -~]*[!-~])?$",
    },
}


class _Schemas(GenerateJsonSchema):
    """Schemas without defaults of null, which say only that a field may be left out."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Json:
        """As it is, but for null."""
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def build_document(routes: Iterable[web.RouteDef]) -> Json:
    """The document of these routes, in their order; each must be described."""
    listed = [(route, DESCRIBED[route.handler]) for route in routes]
    refs, schemas = models_json_schema(
        _models(each for _, each in listed), ref_template=TEMPLATE, schema_generator=_Schemas
    )
    paths: dict[str, Json] = {}
    for route, operation in listed:
        path = re.sub(r":[^}]+", "", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Deposit Watcher", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": SECURITY,
            "headers": HEADERS,
            "parameters": {"IdempotencyKey": IDEMPOTENCY},
        },
    }


def _models(
    operations: Iterable[Operation],
) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    """Each model once, in the order in which it is met."""
    found: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (answers.Problem, "serialization"): None
    }
    for each in operations:
        if each.body:
            found[each.body, "validation"] = None
        for answer in each.answers.values():
            if isinstance(answer, type):
                found[answer, "serialization"] = None
    return list(found)


def _operation(route: web.RouteDef, described: Operation, refs: References) -> Json:
    group = route.handler.__module__.rpartition(".")[2]
    tag = route.path.split("/")[2] if route.path.startswith("/v1/") else "operator"
    operation: Json = {
        "operationId": f"{group}_{route.handler.__name__}",
        "tags": [tag],
        **_words(route, described),
        "security": _security(described),
        "parameters": [*_parameters(route, described)],
        "responses": {
            **{
                str(status): _answer(answer, described, route, refs)
                for status, answer in described.answers.items()
            },
            **_errors(route, described, refs),
        },
    }
    if described.body:
        content = {"application/json": {"schema": refs[described.body, "validation"]}}
        required = any(each.is_required() for each in described.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _words(route: web.RouteDef, described: Operation) -> Json:
    """The docstring's first line; then the rest of it, and who may ask."""
    summary, _, more = (inspect.getdoc(route.handler) or "").partition("\n")
    who = {None: "Anyone may ask.", ADMIN: "With the admin token."}.get(
        described.scope, f"With a key of the scope `{described.scope}`"
    )
    if described.takes_keys:
        who += ", or a public one." if described.public else "."
    if described.local:
        who = "From this machine, or with the admin token."
    text = " ".join(more.split())
    return {"summary": summary.rstrip("."), "description": f"{text} {who}".strip()}


def _security(described: Operation) -> list[Json]:
    if described.scope is None:
        return []
    if described.scope == ADMIN:
        return [{}, {"operator": []}] if described.local else [{"operator": []}]
    return [{"bearer": [described.scope]}, {"header": [described.scope]}]


def _parameters(route: web.RouteDef, described: Operation) -> Iterable[Json]:
    for name, shape in re.findall(r"{(\w+):?([^}]*)}", route.path):
        text = {"type": "string", "pattern": f"^{shape or '[^/]+'}$"}
        yield {"name": name, "in": "path", "required": True, "schema": text}
    if described.query:
        schema = described.query.model_json_schema(schema_generator=_Schemas)
        for name, each in schema["properties"].items():
            given = _given(each, schema.get("$defs", {}))
            yield {"name": name, "in": "query", "schema": given}
    if route.method == "POST":
        yield {"$ref": "#/components/parameters/IdempotencyKey"}


def _given(schema: Json, definitions: Json) -> Json:
    """What a parameter is where it is sent: null cannot be."""
    given = {key: value for key, value in schema.items() if key != "title"}
    if "anyOf" in given:
        [only] = [each for each in given.pop("anyOf") if each != {"type": "null"}]
        given |= only
    if "$ref" in given:
        given |= definitions[given.pop("$ref").rpartition("/")[2]]
    return given


def _answer(answer: Answer, described: Operation, route: web.RouteDef, refs: References) -> Json:
    if answer is None:
        shown: Json = {"description": "Done."}
    elif isinstance(answer, str):
        shown = {"description": "As it says.", "content": {answer: {"schema": TEXT}}}
    else:
        content = {"application/json": {"schema": refs[answer, "serialization"]}}
        shown = {"description": inspect.getdoc(answer) or answer.__name__, "content": content}
    names = QUOTA if described.takes_keys else ()
    if route.method == "POST":
        names = (*names, "Idempotent-Replayed")
    return {**shown, "headers": _headers(names)} if names else shown


def _errors(route: web.RouteDef, described: Operation, refs: References) -> Json:
    """Every problem that this operation may answer, with the codes for each status."""
    codes: dict[int, set[str]] = {}
    for status in _usual(route, described):
        codes.setdefault(status, set()).add(TITLES[status][1])
    refuses = (*described.refuses, *((RequestRunning, KeyReused) if route.method == "POST" else ()))
    for refusal in refuses:
        status, code = REFUSALS[refusal]
        codes.setdefault(status, set()).add(code)
    if described.asks_chain:
        codes.setdefault(503, set()).add("chain_unavailable")
    return {
        str(status): {
            "description": f"{TITLES[status][0]}: {', '.join(sorted(codes[status]))}",
            "headers": _headers(_headers_of(status)),
            "content": {
                "application/problem+json": {"schema": refs[answers.Problem, "serialization"]}
            },
        }
        for status in sorted(codes)
        if status not in described.answers
    }


def _usual(route: web.RouteDef, described: Operation) -> Iterable[int]:
    """Statuses of what holds everywhere: keys, limits, bodies, filters, the database."""
    if described.scope is not None:
        yield from (401, 429, 503)
    if described.takes_keys:
        yield 403
    if "{" in route.path:
        yield 404
    if described.body or route.method in ("POST", "PATCH"):
        yield from (400, 413, 415, 422)
    if described.query:
        yield 422


def _headers_of(status: int) -> tuple[str, ...]:
    match status:
        case 429:
            return ("X-Request-Id", "Retry-After", *QUOTA)
        case 503:
            return ("X-Request-Id", "Retry-After")
        case _:
            return ("X-Request-Id",)


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
