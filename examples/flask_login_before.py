# mypy: disable-error-code="import-untyped, untyped-decorator, misc"
"""A small Flask application with Flask-Login: a login form, a page for members, and a button that deletes.

``flask_login_after.py`` is the same application with a gate before the deletion; a test counts the lines that differ.

    flask --app examples/flask_login_before.py run
"""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from flask import Flask, abort, redirect, render_template_string, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user

hasher = PasswordHasher()


class User(UserMixin):
    """Somebody who can sign in, and the organizations that are theirs."""

    def __init__(self, number: str, email: str, password: str, organizations: set[str]) -> None:
        self.id = number
        self.email = email
        self.hash = hasher.hash(password)
        self.organizations = organizations


USERS = {"usr_2048": User("usr_2048", "olivia@northstar.example", "seven quiet herons", {"org_7"})}
NOBODY = hasher.hash(secrets.token_hex())  # so that an unknown address takes as long as a wrong password
ORGANIZATIONS = {"org_7": "Northstar", "org_8": "Lodestar"}

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)  # yours outlives a restart
logins = LoginManager(app)
logins.login_view = "login"
logins.user_loader(USERS.get)


@app.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template_string(
            '<form method="post"><input name="email" type="email"><input name="password" type="password"><button>'
        )
    user = next((one for one in USERS.values() if one.email == request.form["email"]), None)
    try:
        hasher.verify(user.hash if user else NOBODY, request.form["password"])
    except VerificationError:
        abort(401)
    login_user(user)
    return redirect(url_for("members"))


@app.post("/logout")
def logout() -> ResponseReturnValue:
    logout_user()
    return redirect(url_for("login"))


@app.get("/")
@login_required
def members() -> ResponseReturnValue:
    mine = {org_id: ORGANIZATIONS[org_id] for org_id in current_user.organizations if org_id in ORGANIZATIONS}
    return render_template_string(
        '{% for id, name in mine.items() %}<form method="post" action="/orgs/{{ id }}/delete">'
        "{{ name }} <button>Delete</button></form>{% else %}Nothing is left.{% endfor %}",
        mine=mine,
    )


def members_only(org_id: str) -> None:
    """The permission check: it comes first."""
    if org_id not in current_user.organizations or org_id not in ORGANIZATIONS:
        abort(404)


@app.post("/orgs/<org_id>/delete")
@login_required
def delete_organization(org_id: str) -> ResponseReturnValue:
    members_only(org_id)
    del ORGANIZATIONS[org_id]
    return redirect(url_for("members"))


if __name__ == "__main__":
    app.run()
