"""The ports: what stepup needs from outside, as protocols. Their docstrings are the contract.

======================= ============================ ====================================================
port                    async twin                   shipped
======================= ============================ ====================================================
``Store``               ``AsyncStore``               ``stepup.stores.memory``, ``stepup.stores.sql``
``Verifier``            ``AsyncVerifier``            ``stepup.verifiers`` (each serves both faces)
``Mailer``              ``AsyncMailer``              ``stepup.mailers``
``RiskAssessor``        ``AsyncRiskAssessor``        none: without one, session risk is what the context says
``HistoryAssessor``     the same                     ``stepup.risk.Signals``
``Clock``               the same                     ``stepup.clock.SystemClock``
======================= ============================ ====================================================

Protocols are structural: an adapter needs no base class. ``stepup.testing`` has the contract tests that
prove a store or a verifier. The sync face takes sync ports only; the async face takes either, and runs
sync ones that may block (verifier hooks, mailers, password hashes) in a worker thread.

They stand in ``store``, ``verifier``, ``mailer``, ``risk``, ``clock`` and ``approval``; import them from here. What a
verifier answers with is in ``stepup.ceremony``.
"""

from __future__ import annotations

from stepup.ceremony import MAX_EVIDENCE as MAX_EVIDENCE
from stepup.ceremony import REJECTED as REJECTED
from stepup.ceremony import Begun as Begun
from stepup.ceremony import Ceremony as Ceremony
from stepup.ceremony import Checked as Checked
from stepup.ceremony import Prompt as Prompt
from stepup.ceremony import Registered as Registered
from stepup.ceremony import Registering as Registering
from stepup.ceremony import State as State
from stepup.ceremony import Verdict as Verdict

from .approval import Addresses as Addresses
from .approval import ApprovalHooks as ApprovalHooks
from .approval import Notify as Notify
from .approval import RolesOf as RolesOf
from .clock import Clock as Clock
from .mailer import AsyncMailer as AsyncMailer
from .mailer import Mailer as Mailer
from .mailer import Message as Message
from .risk import AsyncRiskAssessor as AsyncRiskAssessor
from .risk import HistoryAssessor as HistoryAssessor
from .risk import RiskAssessor as RiskAssessor
from .store import AsyncStore as AsyncStore
from .store import Joined as Joined
from .store import Store as Store
from .verifier import STORED as STORED
from .verifier import AsyncVerifier as AsyncVerifier
from .verifier import Call as Call
from .verifier import Portable as Portable
from .verifier import Registers as Registers
from .verifier import Stored as Stored
from .verifier import Verifier as Verifier
