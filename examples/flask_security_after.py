# mypy: disable-error-code="import-untyped, no-untyped-call"
"""The application of ``flask_security_before.py`` with a gate before the rotation of the key.

Besides the gate itself, one line of one view differs. Flask-Security says by itself who has signed in, when, and with
what; its users and their passwords stay its own.

    flask --app examples/flask_security_after.py run    (cookies need http://localhost:5000, or TLS)
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
    verify_password,
)
from flask_security.models.sqla import FsModels, FsRoleMixin, FsUserMixin, FsWebAuthnMixin
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import DeclarativeBase, scoped_session, sessionmaker

from stepup import Action, Actor, Risk, StepUp
from stepup.flask import StepUpFlask
from stepup.stores.memory import MemoryStore
from stepup.verifiers import Password


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


def password_of(actor: Actor) -> str | None:
    user = users.find_user(id=int(actor.id))
    return None if user is None else user.password


def is_password(actor: Actor, password: str) -> bool:
    kept = password_of(actor)
    return kept is not None and verify_password(password, kept)


gate = StepUp(
    actions=[Action("key.rotate", "Rotate API key", risk=Risk.HIGH)],
    verifiers=[Password(check=is_password, version_of=password_of)],
    store=MemoryStore(),  # yours is StepUp.sqlite(...), or SQLStore in your database
    secret=secrets.token_bytes(32),  # yours outlives a restart
)
step_up = StepUpFlask(app, gate, user_of=lambda: current_user)


@app.teardown_appcontext
def close(_error: BaseException | None) -> None:
    session.remove()


with app.app_context():
    users.create_user(email="olivia@northstar.example", password=hash_password("seven quiet herons"))
    users.commit()


@app.post("/keys/rotate")
@auth_required("session")
@step_up.guard("key.rotate")
def rotate_key() -> dict[str, Any]:
    KEYS[current_user.email] = f"key_{secrets.token_hex(8)}"
    return {"key": KEYS[current_user.email]}


if __name__ == "__main__":
    app.run()
