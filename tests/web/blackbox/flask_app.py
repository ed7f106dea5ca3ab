"""The black-box application in Flask, for gunicorn with two workers."""

from __future__ import annotations

from blackbox_world import OPTIONS, actor, organization, sync_gate, who
from flask import Flask, Response, make_response, request

from stepup import Actor
from stepup.flask import StepUpFlask

app = Flask("blackbox")
gate = sync_gate()


def current_user() -> Actor | None:
    return who(request.headers.get("authorization"), request.cookies.get("app"))


shim = StepUpFlask(app, gate, user_of=current_user, **OPTIONS)


def text(body: str) -> Response:
    return make_response(body, 200, {"content-type": "text/plain; charset=utf-8"})


@app.get("/plain")
def plain() -> Response:
    return text("plain")


@app.post("/login/<name>")
def login(name: str) -> Response:
    shim.signed_in(actor(name), "password")
    answer = text("in")
    answer.set_cookie("app", name)
    return answer


@app.post("/logout")
def logout() -> Response:
    shim.signed_out()
    answer = text("out")
    answer.delete_cookie("app")
    return answer


@app.post("/password")
def password() -> Response:
    shim.signal("password_changed")
    return text("changed")


@app.post("/orgs/<org_id>/delete")
@shim.guard("org.delete", resource=organization)
def delete(org_id: str) -> Response:
    return text(f"deleted {org_id}")


@app.post("/members/<member_id>/role")
def role(member_id: str) -> Response:
    shim.require("member.role", params=request.get_json())
    return text(f"changed {member_id}")


@app.post("/notes/<note_id>")
@shim.guard("note.edit")
def note(note_id: str) -> Response:
    return text(f"edited {note_id}")


@app.post("/keys/rotate")
@shim.guard("key.rotate")
def rotate() -> Response:
    return text("rotated")
