"""The shipped ways to prove. Each serves both faces: sync and async hooks alike.

============== ================= ======================== ==================================================
method         class             factors                  notes
============== ================= ======================== ==================================================
passkey        ``Passkey``       stored                   WebAuthn; signs what is approved; extra ``passkeys``
password       ``Password``      the application's own    its own check, or an Argon2 hash it looks up
totp           ``TOTP``          stored, or a hook        RFC 6238; a step counts once
email_code     ``EmailCode``     the application's own    the weakest; mailed, newest only
recovery_code  ``RecoveryCode``  stored                   stands in for the factor it was issued with
approval       ``Approval``      nobody's                 other people say yes; judged by the engine
============== ================= ======================== ==================================================

``Passkey`` makes its factors in a ceremony of their own (``register``, ``registered``);
``new_totp`` (in ``.totp``) and ``new_codes`` (in ``.recovery_code``) make what enrolment stores.
Behind them: ``_hooked`` (hooks of either colour), ``_codes`` (the canonical form of typed codes),
``_mail`` and ``_mail_texts`` (what the mail says), ``_webauthn`` and its neighbours (the relying party's steps).
Argon2, pyotp, cryptography and webauthn load when first used.
"""

from __future__ import annotations

from ._mail import EmailCodeMail
from ._mail_texts import MailTexts
from .approval import Approval
from .email_code import EmailCode
from .passkey import Passkey
from .password import Password
from .recovery_code import RecoveryCode
from .totp import TOTP

__all__ = ["TOTP", "Approval", "EmailCode", "EmailCodeMail", "MailTexts", "Passkey", "Password", "RecoveryCode"]
