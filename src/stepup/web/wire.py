"""What clients send, as models, and how it is read: strictly, by these models and nothing else.

A member that is not in the model, or a value of another type or size, is ``BadRequest``, whose text names the member
and what was expected, never what was sent. Keys are camelCase on the wire, but for the registered
``authorization_details``. What clients get back stands in ``answers``; both together are the OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from stepup._engine.offer import Offered
from stepup.bundle import MAX_ITEMS, Item
from stepup.context import MAX_ID, Resource
from stepup.policy import BUNDLE

from .bodies import BadRequest
from .details import MEMBER

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_EVENTS: Final = 100
MAX_INBOX: Final = 50
MAX_MARK: Final = 1024
STRICT: Final = ConfigDict(
    alias_generator=to_camel, extra="forbid", frozen=True, strict=True, hide_input_in_errors=True
)


class Sent(BaseModel):
    """A body, or parameters, that a client sends."""

    model_config = STRICT

    @classmethod
    def meant_by(cls, body: Mapping[str, object]) -> bool:
        """Whether *body* has every member that this one has to have."""
        return all(name in body for name, field in _fields(cls).items() if field)


# -- what clients send ------------------------------------------------------------------

_PLAIN: Final = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
"""``context.require_text`` as a pattern: no control characters, no white space at either end."""

_Name = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=_PLAIN)]
_ActionId = Annotated[str, Field(min_length=1, max_length=128)]
_Reason = Annotated[str, Field(min_length=1, max_length=500)]
_Params = Annotated[
    dict[str, object],
    Field(description="What the action is done with: any JSON that is at most 4096 bytes long in canonical form."),
]


class ResourceName(Sent):
    """What an action is done to."""

    type: _Name
    id: _Name


def _resource(named: ResourceName | None) -> Resource | None:
    return None if named is None else Resource(named.type, named.id)


class Naming(Sent):
    """What names a call."""

    @property
    def call(self) -> Offered:
        """The call it names."""
        raise NotImplementedError


class AuthorizationDetail(Naming):
    """One call, in the form of RFC 9396, with these members and no others. Several together name a bundle."""

    type: Literal["urn:stepup:action"]
    actions: Annotated[list[_ActionId], Field(min_length=1, max_length=1)]
    resource: ResourceName | None = None
    params: _Params | None = None

    @property
    def call(self) -> Offered:
        """The call it names."""
        return Offered(self.actions[0], _resource(self.resource), self.params)


_Details = Annotated[list[AuthorizationDetail], Field(min_length=1, max_length=MAX_ITEMS)]


def _named(details: Sequence[AuthorizationDetail]) -> Offered:
    """The call that one detail names, or the bundle that several do."""
    if len(details) == 1:
        return details[0].call
    calls = [one.call for one in details]
    return Offered(BUNDLE, None, None, tuple(Item(one.action, one.resource, one.params) for one in calls))


class ByCall(Naming):
    """A call, named by its parts."""

    action: _ActionId
    resource: ResourceName | None = None
    params: _Params | None = None

    @property
    def call(self) -> Offered:
        """The call it names."""
        return Offered(self.action, _resource(self.resource), self.params)


class ByDetails(Naming):
    """A call, named by its authorization details."""

    authorization_details: Annotated[_Details, Field(alias=MEMBER)]

    @property
    def call(self) -> Offered:
        """The call it names."""
        return _named(self.authorization_details)


class Starting(Sent):
    """What opens a challenge. ``reason`` is the person's own, for the audit."""

    reason: _Reason | None = None


class StartByCall(ByCall, Starting):
    """A challenge for a call that the client names, where the application lets it."""


class StartByDetails(ByDetails, Starting):
    """A challenge for a call that the client names by its details, where the application lets it."""


class StartByOffer(Starting):
    """A challenge for a blocked call, by the offer in its answer; details, if given, must name the very same call."""

    offer: Annotated[str, Field(min_length=1, max_length=16_384, repr=False)]
    authorization_details: Annotated[_Details | None, Field(alias=MEMBER)] = None

    @property
    def details(self) -> Offered | None:
        """The call that the details name, if there are any."""
        return None if self.authorization_details is None else _named(self.authorization_details)


class Attempt(Sent):
    """An answer to a challenge; what ``response`` is depends on the method."""

    method: Annotated[str, Field(min_length=1, max_length=64)]
    response: Annotated[object, Field(repr=False)]
    remember_device: bool = False


class NewFactor(Sent):
    """Something to prove oneself with, and what the person calls it."""

    label: Annotated[str, Field(max_length=64)] | None = None


class Confirmation(Sent):
    """The first code of a new authenticator."""

    code: Annotated[str, Field(min_length=1, max_length=64, repr=False)]


class Registration(Sent):
    """What the browser's ``credentials.create()`` answered, as its ``toJSON()`` gives it."""

    response: Annotated[object, Field(repr=False)]


class NewLabel(Sent):
    """What the person calls a factor or a device from now on."""

    label: Annotated[str, Field(max_length=64)]


class Nothing(Sent):
    """An empty object."""


NOTHING: Final = Nothing()


class EventsQuery(Sent):
    """Which part of the history."""

    limit: Annotated[int, Field(ge=1, le=MAX_EVENTS, description="How many.")] = 20
    after: Annotated[str | None, Field(description="What the page before said.")] = None


class ApprovalAnswer(Sent):
    """What somebody says to a request for approval, and why."""

    decision: Literal["approve", "deny"]
    reason: _Reason | None = None


class InboxQuery(Sent):
    """Which part of the inbox."""

    limit: Annotated[int, Field(ge=1, le=MAX_INBOX, description="How many.")] = 20
    after: Annotated[
        str | None,
        Field(max_length=MAX_MARK, pattern=r"^[01]:[\x20-\x7e]*$", description="What the page before said."),
    ] = None


# -- reading it -----------------------------------------------------------------------------

_WRONG: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "must be a text",
    "string_unicode": "must be a text in Unicode",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must not have control characters, or white space at either end",
    "bool_type": "must be true or false",
    "int_type": "must be a number",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "too_short": "must have an entry",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
"""What is said of each of pydantic's kinds of error; what stands in braces is ours, never the client's."""

_NUMBER: Final = re.compile("0|[1-9][0-9]{0,8}")


_WITHIN: Final[Mapping[str, type[Sent]]] = {"resource": ResourceName, MEMBER: AuthorizationDetail}
"""The objects within bodies, by the member that holds them."""


def read(kinds: Sequence[type[Sent]], body: Mapping[str, object]) -> Sent:
    """*body* as the first of *kinds* whose members it has, else as the last.

    Raises:
        BadRequest: if it is not that.
    """
    kind = next((one for one in kinds if one.meant_by(body)), kinds[-1])
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    raise BadRequest(_problem(kind, found[0]))


def read_query(kind: type[Sent], query: Mapping[str, str]) -> Sent:
    """The parameters of *kind* in a query; others mean nothing here.

    Raises:
        BadRequest: as ``read``.
    """
    given: dict[str, object] = {name: query[name] for name in _fields(kind) if name in query}
    for name, field in kind.model_fields.items():
        written = query.get(name, "")
        if field.annotation is int and _NUMBER.fullmatch(written):
            given[name] = int(written)
    return read((kind,), given)


def _problem(kind: type[Sent], error: ErrorDetails) -> str:
    """What is wrong, in a sentence."""
    names = [part for part in error["loc"] if isinstance(part, str)]
    if error["type"] == "extra_forbidden":
        *within, _ = names  # the last one is the client's own
        shape = _WITHIN[within[-1]] if within else kind
        return f"{'.'.join(within) or 'The body'} may have: {', '.join(_fields(shape)) or 'no members'}."
    said = _WRONG.get(error["type"], "cannot be read").format_map(error.get("ctx", {}))
    return f"{'.'.join(names) or 'The body'} {said}."


def _fields(kind: type[Sent]) -> dict[str, bool]:
    """The members of *kind* as they are called on the wire, and whether it has to have them."""
    return {field.alias or name: field.is_required() for name, field in kind.model_fields.items()}
