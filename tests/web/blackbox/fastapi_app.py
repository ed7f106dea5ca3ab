"""The black-box application in FastAPI, with an async gate."""

from __future__ import annotations

from typing import Annotated, Any

from blackbox_world import OPTIONS, actor, async_gate, organization, who
from fastapi import Body, Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse

from stepup import Actor
from stepup.fastapi import Gate, StepUpFastAPI

app = FastAPI()
gate = async_gate()


def current_user(request: Request) -> Actor | None:
    return who(request.headers.get("authorization"), request.cookies.get("app"))


fast = StepUpFastAPI(app, gate, user_of=current_user, **OPTIONS)
Step = Annotated[Gate, Depends(fast.gate)]


@app.get("/plain")
async def plain() -> PlainTextResponse:
    return PlainTextResponse("plain")


@app.post("/login/{name}")
async def login(name: str, step: Step) -> PlainTextResponse:
    await step.signed_in(actor(name), "password")
    answer = PlainTextResponse("in")
    answer.set_cookie("app", name)
    return answer


@app.post("/logout")
async def logout(step: Step) -> PlainTextResponse:
    await step.signed_out()
    answer = PlainTextResponse("out")
    answer.delete_cookie("app")
    return answer


@app.post("/password")
async def password(step: Step) -> PlainTextResponse:
    await step.signal("password_changed")
    return PlainTextResponse("changed")


@app.post("/orgs/{org_id}/delete", dependencies=[fast.guard("org.delete", resource=organization)])
async def delete(org_id: str) -> PlainTextResponse:
    return PlainTextResponse(f"deleted {org_id}")


@app.post("/members/{member_id}/role")
async def role(member_id: str, body: Annotated[dict[str, Any], Body()], step: Step) -> PlainTextResponse:
    await step.require("member.role", params=body)
    return PlainTextResponse(f"changed {member_id}")


@app.post("/notes/{note_id}", dependencies=[fast.guard("note.edit")])
async def note(note_id: str) -> PlainTextResponse:
    return PlainTextResponse(f"edited {note_id}")


@app.post("/keys/rotate", dependencies=[fast.guard("key.rotate")])
async def rotate() -> PlainTextResponse:
    return PlainTextResponse("rotated")
