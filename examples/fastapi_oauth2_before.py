"""A small FastAPI application with OAuth 2: a token for a password, and calls that take the token.

``fastapi_oauth2_after.py`` is the same application with a gate before what it does damage with; a test counts the lines
that differ.

    uvicorn --app-dir examples fastapi_oauth2_before:app
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
def delete_organization(org_id: str, user: CurrentUser) -> None:
    members_only(org_id, user)
    del ORGANIZATIONS[org_id]


@app.post("/orgs/{org_id}/payouts", status_code=201)
def pay(org_id: str, body: Payout, user: CurrentUser) -> Payout:
    members_only(org_id, user)
    PAYOUTS.append(body)
    return body
