"""The application of ``fastapi_oauth2_before.py`` with a gate before the deletion and the payout.

Besides the gate itself, two lines of each guarded route differ: its arguments, and the line that asks. Getting a token
differs in nothing. A blocked call is answered 401 with the challenge of RFC 9470; what the password opens then is
deleting that organization, or paying that amount to that payee, once.

    uvicorn --app-dir examples fastapi_oauth2_after:app
"""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel, ConfigDict, Field

from stepup import Action, Actor, Resource, Risk, StepUp
from stepup.fastapi import StepUpFastAPI, SyncGate
from stepup.stores.memory import MemoryStore
from stepup.verifiers import Password

hasher = PasswordHasher()


class User(BaseModel):
    """Somebody who can get a token, and the organizations that are theirs."""

    id: str
    email: str
    hash: str
    organizations: set[str]


class Payout(BaseModel):
    """Money on its way to somebody."""

    model_config = ConfigDict(extra="forbid")

    payee: Annotated[str, Field(min_length=1, max_length=80)]
    amount: Annotated[Decimal, Field(gt=0, decimal_places=2)]


USERS = {
    "olivia@northstar.example": User(
        id="usr_2048",
        email="olivia@northstar.example",
        hash=hasher.hash("seven quiet herons"),
        organizations={"org_7"},
    )
}
NOBODY = hasher.hash(secrets.token_hex())  # so that an unknown address takes as long as a wrong password
TOKENS: dict[str, User] = {}  # yours expire, and are kept as hashes
ORGANIZATIONS = {"org_7": "Northstar", "org_8": "Lodestar"}
PAYOUTS: list[Payout] = []

app = FastAPI()
oauth2 = OAuth2PasswordBearer(tokenUrl="token")


def get_current_user(token: Annotated[str, Depends(oauth2)]) -> User:
    if token not in TOKENS:
        raise HTTPException(401, "This token is not known.", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return TOKENS[token]


CurrentUser = Annotated[User, Depends(get_current_user)]


def hash_of(actor: Actor) -> str | None:
    return next((user.hash for user in USERS.values() if user.id == actor.id), None)


gate = StepUp(
    actions=[
        Action("organization.delete", "Delete organization", risk=Risk.CRITICAL),
        Action("payout.create", "Pay", risk=Risk.CRITICAL),
    ],
    verifiers=[Password(hash_of=hash_of)],
    store=MemoryStore(),  # yours is StepUp.sqlite(...), or SQLStore in your database
    secret=secrets.token_bytes(32),  # yours outlives a restart
)
step_up = StepUpFastAPI(app, gate, user_of=get_current_user)
Step = Annotated[SyncGate, Depends(step_up.sync_gate)]  # Gate and step_up.gate, for async def


@app.post("/token")
def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    user = USERS.get(form.username)
    try:
        hasher.verify(user.hash if user else NOBODY, form.password)
    except VerificationError:
        raise HTTPException(400, "Incorrect username or password.") from None
    assert user is not None  # nobody knows NOBODY's password
    made = secrets.token_urlsafe(32)
    TOKENS[made] = user
    return {"access_token": made, "token_type": "bearer"}


@app.get("/orgs")
def organizations(user: CurrentUser) -> dict[str, str]:
    return {org_id: name for org_id, name in ORGANIZATIONS.items() if org_id in user.organizations}


def members_only(org_id: str, user: User) -> None:
    """The permission check: it comes first."""
    if org_id not in user.organizations or org_id not in ORGANIZATIONS:
        raise HTTPException(404)


@app.delete("/orgs/{org_id}", status_code=204)
def delete_organization(org_id: str, user: CurrentUser, step: Step) -> None:
    members_only(org_id, user)
    step.require("organization.delete", resource=Resource("organization", org_id, ORGANIZATIONS[org_id]))
    del ORGANIZATIONS[org_id]


@app.post("/orgs/{org_id}/payouts", status_code=201)
def pay(org_id: str, body: Payout, user: CurrentUser, step: Step) -> Payout:
    members_only(org_id, user)
    step.require("payout.create", resource=Resource("organization", org_id), params=body.model_dump(mode="json"))
    PAYOUTS.append(body)
    return body
