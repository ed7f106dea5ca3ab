"""What every document is made of: ``Document``, and types that several of them have."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field

from stepup.bundle import MAX_ITEMS
from stepup.web.wire import STRICT, AuthorizationDetail

Answer: TypeAlias = BaseModel
"""Any of the models here."""


class Document(BaseModel):
    """A document that a client reads."""

    model_config = STRICT


def absent() -> Any:
    """The default of a member that is left out where there is nothing to say, and never null."""
    return Field(default_factory=lambda: None)


Time = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", json_schema_extra={"format": "date-time"}),
]
Detail = str | int | bool | None
RiskWord = Literal["low", "medium", "high", "critical"]
Details = Annotated[list[AuthorizationDetail], Field(min_length=1, max_length=MAX_ITEMS)]
