"""The black-box application in Starlette, with an async gate."""

from __future__ import annotations

from blackbox_world import OPTIONS, actor, async_gate, organization, who
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from stepup import Actor
from stepup.starlette import StepUpStarlette

gate = async_gate()


def current_user(connection: HTTPConnection) -> Actor | None:
    return who(connection.headers.get("authorization"), connection.cookies.get("app"))


shim = StepUpStarlette(None, gate, user_of=current_user, **OPTIONS)


async def plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


async def login(request: Request) -> PlainTextResponse:
    name = request.path_params["name"]
    await shim.signed_in(request, actor(name), "password")
    answer = PlainTextResponse("in")
    answer.set_cookie("app", name)
    return answer


async def logout(request: Request) -> PlainTextResponse:
    await shim.signed_out(request)
    answer = PlainTextResponse("out")
    answer.delete_cookie("app")
    return answer


async def password(request: Request) -> PlainTextResponse:
    await (await shim.gate(request)).signal("password_changed")
    return PlainTextResponse("changed")


@shim.guard("org.delete", resource=organization)
async def delete(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"deleted {request.path_params['org_id']}")


async def role(request: Request) -> PlainTextResponse:
    await shim.require(request, "member.role", params=await request.json())
    return PlainTextResponse(f"changed {request.path_params['member_id']}")


@shim.guard("note.edit")
def note(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"edited {request.path_params['note_id']}")


@shim.guard("key.rotate")
async def rotate(request: Request) -> PlainTextResponse:
    return PlainTextResponse("rotated")


@shim.guard("note.edit")
async def console(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("open")
    await websocket.close()


app = Starlette(
    routes=[
        Route("/plain", plain),
        Route("/login/{name}", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/password", password, methods=["POST"]),
        Route("/orgs/{org_id}/delete", delete, methods=["POST"]),
        Route("/members/{member_id}/role", role, methods=["POST"]),
        Route("/notes/{note_id}", note, methods=["POST"]),
        Route("/keys/rotate", rotate, methods=["POST"]),
        WebSocketRoute("/console", console),
    ]
)
shim.init_app(app)
