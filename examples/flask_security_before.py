# mypy: disable-error-code="import-untyped, no-untyped-call"
"""A small Flask application with Flask-Security: its login, and a call that rotates an API key.

``flask_security_after.py`` is the same application with a gate before the rotation; a test counts the lines that
differ.

    flask --app examples/flask_security_before.py run
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_security import (
    Security,
    SQLAlchemySessionUserDatastore,
    auth_required,
    current_user,
    hash_password,
)
from flask_security.models.sqla import FsModels, FsRoleMixin, FsUserMixin, FsWebAuthnMixin
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import DeclarativeBase, scoped_session, sessionmaker


class Base(DeclarativeBase):
    pass


FsModels.set_db_info(base_model=Base)


class Role(Base, FsRoleMixin):
    __tablename__ = "role"


class User(Base, FsUserMixin):
    __tablename__ = "user"


class WebAuthn(Base, FsWebAuthnMixin):
    __tablename__ = "webauthn"


engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)  # in memory, for this demonstration
session = scoped_session(sessionmaker(engine))
Base.metadata.create_all(engine)
KEYS = {"olivia@northstar.example": "key_1"}

app = Flask(__name__)
app.config.update(
    SECRET_KEY=secrets.token_hex(),  # yours outlive a restart
    SECURITY_PASSWORD_SALT=secrets.token_hex(),
    SECURITY_PASSWORD_HASH="argon2",
)
CSRFProtect(app)
users = SQLAlchemySessionUserDatastore(session, User, Role)
Security(app, users)


@app.teardown_appcontext
def close(_error: BaseException | None) -> None:
    session.remove()


with app.app_context():
    users.create_user(email="olivia@northstar.example", password=hash_password("seven quiet herons"))
    users.commit()


@app.post("/keys/rotate")
@auth_required("session")
def rotate_key() -> dict[str, Any]:
    KEYS[current_user.email] = f"key_{secrets.token_hex(8)}"
    return {"key": KEYS[current_user.email]}


if __name__ == "__main__":
    app.run()
