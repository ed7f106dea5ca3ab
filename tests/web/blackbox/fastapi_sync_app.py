"""The black-box application in FastAPI, with a sync gate and def routes."""

from __future__ import annotations

from typing import Annotated, Any

from blackbox_world import OPTIONS, actor, organization, sync_gate, who
from fastapi import Body, Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse

from stepup import Actor
from stepup.fastapi import StepUpFastAPI, SyncGate

app = FastAPI()
gate = sync_gate()


def current_user(request: Request) -> Actor | None:
    return who(request.headers.get("authorization"), request.cookies.get("app"))


fast = StepUpFastAPI(app, gate, user_of=current_user, **OPTIONS)
Step = Annotated[SyncGate, Depends(fast.sync_gate)]


@app.get("/plain")
def plain() -> PlainTextResponse:
    return PlainTextResponse("plain")


@app.post("/login/{name}")
def login(name: str, step: Step) -> PlainTextResponse:
    step.signed_in(actor(name), "password")
    answer = PlainTextResponse("in")
    answer.set_cookie("app", name)
    return answer


@app.post("/logout")
def logout(step: Step) -> PlainTextResponse:
    step.signed_out()
    answer = PlainTextResponse("out")
    answer.delete_cookie("app")
    return answer


@app.post("/password")
def password(step: Step) -> PlainTextResponse:
    step.signal("password_changed")
    return PlainTextResponse("changed")


@app.post("/orgs/{org_id}/delete", dependencies=[fast.guard("org.delete", resource=organization)])
def delete(org_id: str) -> PlainTextResponse:
    return PlainTextResponse(f"deleted {org_id}")


@app.post("/members/{member_id}/role")
def role(member_id: str, body: Annotated[dict[str, Any], Body()], step: Step) -> PlainTextResponse:
    step.require("member.role", params=body)
    return PlainTextResponse(f"changed {member_id}")


@app.post("/notes/{note_id}", dependencies=[fast.guard("note.edit")])
def note(note_id: str) -> PlainTextResponse:
    return PlainTextResponse(f"edited {note_id}")


@app.post("/keys/rotate", dependencies=[fast.guard("key.rotate")])
def rotate() -> PlainTextResponse:
    return PlainTextResponse("rotated")
