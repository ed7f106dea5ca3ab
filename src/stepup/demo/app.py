"""The demo's application: an account-security page and a small product around it, guarded by stepup.

It uses stepup as any customer would, and can be read as an example, in this order: ``actions`` (what is guarded, and
by what), ``site`` (who is signed in), ``pages`` (the guards, and what they let through). Everything works in a browser
without JavaScript, and as JSON for programs. Pages run under a strict policy: scripts and styles of this site only.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from stepup import StepUp

from .pages import account, approvals, desk, factors, review, workspace
from .seed import Parts
from .site import Site
from .watch import Watch


def make_app(gate: StepUp, parts: Parts, watch: Watch) -> Starlette:
    """The application. *watch* is what the gate tells its events to."""
    site = Site(gate, parts)
    files = StaticFiles(packages=[("stepup.demo", "static")])
    app = Starlette(
        routes=[
            *account.routes(site, watch),
            *workspace.routes(site),
            *factors.routes(site),
            *review.routes(site),
            *approvals.routes(site),
            *desk.routes(site),
            Mount("/static", files, name="static"),
        ]
    )
    site.step_up.init_app(app)
    # Loopback alone does not keep a page out whose name was made to lead here (DNS rebinding).
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])
    return app
