"""The OpenAPI 3.1 document: written from the table of routes and the models of ``wire`` and ``answers``.

A route says what it reads, answers and can refuse. What follows from its form is added here: nobody signed in (401),
another site (403), a part of the path that is none (404), a body that cannot be read (400, 413, 415), parameters that
cannot (400). Each refusal is described by its codes, so a client sees which of them a status may mean.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from stepup.errors import Code

from .answers.about import Problem
from .bodies import JSON
from .call import PART, Operation, Public, Route
from .http import SAFE
from .problems import BLOCKED, PROBLEM_JSON, PROBLEMS, dumps
from .wire import Sent

Json = dict[str, object]

_REF: Final = "#/components/schemas/{model}"
_TAGS: Final = {
    "ceremony": "From a blocked call to the token that opens it.",
    "account": "What a person sees of it: what is protected, unlocked, and what has happened.",
    "devices": "Devices that are remembered. Seeing and ending them takes one fresh proof.",
    "approvals": "What other people are asked to approve. Approving needs a step-up itself where the rule says so.",
    "factors": "What a person can prove themselves with. Each change needs a step-up itself.",
    "about": "What the protocol says of itself. Nobody has to be signed in.",
}
_PARTS: Final = {
    "challenge": "The id of a challenge.",
    "method": "A method, as in the challenge's `allowedMethods`.",
    "grant": "The id of a grant.",
    "approval": "The id of a request for approval.",
    "factor": "The id of a factor.",
    "device": "The id of a remembered device.",
    "code": "A code, as in a problem's `code`.",
}
_WAITING: Final = frozenset({Code.LOCKED_OUT, Code.RATE_LIMITED, Code.NO_USABLE_METHOD})
"""What may pass by waiting."""

_OTHER_MEANING: Final = {
    (Code.LOGIN_REQUIRED, 401): "Nobody is signed in.",
    (Code.BAD_REQUEST, 403): "The call comes from another site.",
    (Code.BAD_REQUEST, 404): "There is no such address.",
    (Code.BAD_REQUEST, 413): "The body is too large.",
    (Code.BAD_REQUEST, 415): "The body is not JSON in UTF-8.",
}
"""What a code means at another status than its own."""

_ABOUT: Final = (
    "Fresh proof before dangerous actions. A blocked call is answered with an offer; the offer opens a challenge, a "
    "right answer to the challenge gives a token, and the call is repeated with it, in the header `StepUp-Token`. "
    "Refusals are problem documents (RFC 9457). State changes on POST, PATCH and DELETE only. A method that an address "
    "does not have is 405, with `Allow`."
)


@functools.lru_cache(maxsize=16)
def document(prefix: str, routes: tuple[Route, ...]) -> bytes:
    """The document of *routes* below *prefix*, as JSON."""
    described = [(route, route.says) for route in routes if route.says is not None]
    paths: dict[str, Json] = {}
    security: list[Mapping[str, list[str]]] = [{"session": []}, {"bearer": []}]
    for route, says in described:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, says)
    made = dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "stepup", "version": "1", "summary": "Step-up authentication.", "description": _ABOUT},
            "servers": [{"url": prefix or "/"}],
            "security": security,
            "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
            "paths": paths,
            "components": {"schemas": _schemas(says for _, says in described), "securitySchemes": _SECURITY},
        }
    )
    return made.replace(b"``", b"`")  # descriptions are docstrings here, and Markdown there


_SECURITY: Final[Json] = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
        "description": "The application's own session; what its cookie is called is the application's business.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The application's own access token (RFC 6750). Blocked calls are answered as in RFC 9470.",
    },
}


# -- one call -----------------------------------------------------------------------------


def _operation(route: Route, says: Operation) -> Json:
    made: Json = {"operationId": says.id, "tags": [says.tag], "summary": says.summary}
    if isinstance(route.handler, Public):
        made["security"] = []
    if parameters := [*_path_parameters(route.path), *_query_parameters(says.query)]:
        made["parameters"] = parameters
    if says.reads:
        schemas = [_ref(kind) for kind in says.reads]
        schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
        made["requestBody"] = {"required": not says.may_be_empty, "content": {JSON: {"schema": schema}}}
    made["responses"] = {str(says.status): _answer(says), **_problems(route, says)}
    return made


def _path_parameters(path: str) -> list[Json]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "description": _PARTS[name], "schema": _part(name)}
        for name in names
    ]


def _part(name: str) -> Json:
    if name == "code":
        return {"type": "string", "enum": [code.value for code in PROBLEMS]}
    return {"type": "string", "pattern": f"^{PART}$"}


def _query_parameters(kind: type[Sent] | None) -> list[Json]:
    if kind is None:
        return []
    properties = cast("dict[str, Json]", kind.model_json_schema(schema_generator=_Schemas)["properties"])
    made: list[Json] = []
    for name, schema in properties.items():
        said = {"description": schema.pop("description")} if "description" in schema else {}
        made.append({"name": name, "in": "query", "required": False, **said, "schema": _not_null(schema)})
    return made


def _not_null(schema: Json) -> Json:
    """The schema of a parameter that can be left out: a query has no null."""
    options = cast("list[Json]", schema.get("anyOf", []))
    return next((one for one in options if one != {"type": "null"}), schema)


def _answer(says: Operation) -> Json:
    if says.answer is None:
        return {"description": "Done."}
    made: Json = {"description": _first_line(says.answer), "content": {JSON: {"schema": _ref(says.answer)}}}
    if says.created:
        made["headers"] = {"Location": _header("Where it is.", "string", required=True)}
    return made


def _first_line(kind: type[BaseModel]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


# -- its refusals -----------------------------------------------------------------------------


def _problems(route: Route, says: Operation) -> Json:
    """The refusals of a call, by status."""
    by_status: dict[int, list[Code]] = {}
    for status, code in sorted({*_by_form(route, says), *_by_codes(says)}):
        by_status.setdefault(status, []).append(code)
    return {str(status): _problem(status, codes) for status, codes in by_status.items()}


def _by_form(route: Route, says: Operation) -> Iterable[tuple[int, Code]]:
    """What can go wrong with any call of this form."""
    if not isinstance(route.handler, Public):
        yield 401, Code.LOGIN_REQUIRED
        if route.method not in SAFE:
            yield 403, Code.BAD_REQUEST
    if "{" in route.path:
        yield 404, Code.BAD_REQUEST
    if says.query is not None:
        yield 400, Code.BAD_REQUEST
    if says.reads:
        yield from ((status, Code.BAD_REQUEST) for status in (400, 413, 415))


def _by_codes(says: Operation) -> Iterable[tuple[int, Code]]:
    for code in says.codes:
        yield PROBLEMS[code].status, code
        if code in BLOCKED:
            yield 401, code


def _problem(status: int, codes: list[Code]) -> Json:
    lines = [f"- `{code.value}`: {_OTHER_MEANING.get((code, status), PROBLEMS[code].title)}" for code in codes]
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": [code.value for code in codes]}}}
    made: Json = {
        "description": "\n".join(lines),
        "content": {PROBLEM_JSON: {"schema": {"allOf": [_ref(Problem), narrowed]}}},
    }
    headers: Json = {}
    if not _WAITING.isdisjoint(codes):
        headers["Retry-After"] = _header("Seconds to wait before trying again.", "integer", minimum=1)
    if status == 401:
        headers["WWW-Authenticate"] = _header("For callers with a bearer token: what is needed (RFC 9470).", "string")
    return made | ({"headers": headers} if headers else {})


def _header(description: str, kind: str, *, required: bool = False, **schema: object) -> Json:
    return {"description": description, "required": required, "schema": {"type": kind, **schema}}


# -- schemas ------------------------------------------------------------------------------------


class _Schemas(GenerateJsonSchema):
    """Without the titles that pydantic makes of names: they say nothing that the names do not."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 -- pydantic's own signature
        return False


def _schemas(operations: Iterable[Operation]) -> Mapping[str, object]:
    kinds: dict[type[BaseModel], None] = {Problem: None}
    for says in operations:
        kinds.update(dict.fromkeys((*says.reads, *([] if says.answer is None else [says.answer]))))
    inputs: list[tuple[type[BaseModel], JsonSchemaMode]] = [(kind, "validation") for kind in kinds]
    _, made = models_json_schema(inputs, schema_generator=_Schemas, ref_template=_REF)
    return cast("Mapping[str, object]", made["$defs"])


def _ref(kind: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=kind.__name__)}
