"""Refusals (RFC 9457), what their codes mean, and the description of the protocol."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, RootModel

from stepup.errors import Code
from stepup.web.details import MEMBER

from .document import Detail, Details, Document, Time, absent


class Problem(Document):
    """A refusal (RFC 9457). Members that have nothing to say are left out."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    code: Code
    detail: str = absent()
    action: str = absent()
    methods: list[str] = absent()
    unavailable: dict[str, str] = absent()
    offer: str = absent()
    max_age: int = absent()
    acr_values: str = absent()
    reasons: list[dict[str, Detail]] = absent()
    retry_at: Time = absent()
    attempts_left: Annotated[int, Field(ge=0)] = absent()
    enrol_url: str = absent()
    login_url: str = absent()
    authorization_details: Annotated[Details, Field(alias=MEMBER)] = absent()


class ProblemDescription(Document):
    """What a code means."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    code: Code
    status: Annotated[int, Field(ge=400, le=599)]
    title: str
    detail: str


class OpenApi(RootModel[dict[str, object]]):
    """The description of the protocol."""
