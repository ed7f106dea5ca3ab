"""What importing the verifiers loads, and what they show of themselves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest
from verifier_values import CHEAP

import stepup.verifiers as package
from stepup.mailers import Outbox
from stepup.ports import Portable
from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode


@pytest.mark.parametrize("module", ["stepup.verifiers", "stepup.mailers"])
def test_nothing_heavy_is_imported(module: str) -> None:
    heavy = {"argon2", "asyncio", "cryptography", "pydantic", "pyotp", "smtplib", "ssl", "webauthn"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_public_names() -> None:
    expected = ["TOTP", "Approval", "EmailCode", "EmailCodeMail", "MailTexts", "Passkey", "Password", "RecoveryCode"]
    assert package.__all__ == expected
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.requirement("Z-08", "G-11")
@pytest.mark.parametrize(
    ("verifier", "shown", "amr"),
    [
        (Password(hash_of=lambda actor: "secret", hasher=CHEAP), "Password(hash_of)", ("pwd",)),
        (TOTP(secret_of=lambda actor: "secret"), "TOTP(secret_of)", ("otp",)),
        (EmailCode(mailer=Outbox(sender="secret@x.example")), "EmailCode(mailer)", ("otp",)),
        (RecoveryCode(), "RecoveryCode()", ("otp",)),
    ],
)
def test_a_repr_shows_names_alone(verifier: Portable, shown: str, amr: tuple[str, ...]) -> None:
    assert repr(verifier) == shown
    assert isinstance(verifier, Portable)
    assert isinstance(verifier.hooks, Mapping)
    assert verifier.amr == amr  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        verifier.hooks["check"] = print  # type: ignore[index]
