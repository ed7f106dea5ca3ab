"""Flask: guards for views, the protocol as a blueprint, and a session binding of stepup's own (extra ``flask``).

::

    gate = StepUp.sqlite("stepup.db", actions=..., verifiers=..., secret=...)
    flask_gate = StepUpFlask(app, gate, user_of=lambda: current_user)

    @app.post("/orgs/<org_id>/delete")
    @flask_gate.guard("org.delete", resource=lambda org_id: Resource("organization", org_id))
    def delete_org(org_id): ...

All that is decided is decided in ``stepup.web``; here it is translated. Read on: ``_shim`` (the extension), ``_visits``
(who makes a request), ``_replies`` (to calls and refusals), ``_requests`` (from and to Flask's requests and responses),
``_views`` (what a guard looks at), ``_neighbours`` (Flask-Login, Flask-Security, Flask-WTF), ``_commands``
(``flask stepup ...``).
"""

from __future__ import annotations

from ._shim import StepUpFlask

__all__ = ["StepUpFlask"]
