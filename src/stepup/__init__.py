"""Step-up authentication: fresh proof before dangerous actions.

``StepUp`` (or ``AsyncStepUp``) is the gate. ``Action`` says what is dangerous, ``Policy`` what opens it,
``Context`` who asks and from where. ``stepup.verifiers`` has the ways to prove, ``stepup.stores`` the places
records live in, ``stepup.terminal`` the ceremony for scripts, ``stepup.testing`` the kit for your own tests.
"""

from ._async import AsyncStepUp as AsyncStepUp
from ._sync import StepUp as StepUp
from .bundle import Item as Item
from .ceremony import Prompt as Prompt
from .challenge import Challenge as Challenge
from .context import Actor as Actor
from .context import Context as Context
from .context import Device as Device
from .context import Proof as Proof
from .context import Resource as Resource
from .context import RiskAssessment as RiskAssessment
from .context import RiskLevel as RiskLevel
from .context import Session as Session
from .decide.answering import MoreNeeded as MoreNeeded
from .decide.answering import Rejected as Rejected
from .decide.answering import Verified as Verified
from .decide.signal import Signal as Signal
from .decision import Authorization as Authorization
from .decision import Decision as Decision
from .decision import Outcome as Outcome
from .device import TrustedDevice as TrustedDevice
from .errors import Code as Code
from .errors import ConfigurationError as ConfigurationError
from .errors import Denied as Denied
from .errors import StepUpError as StepUpError
from .errors import StepUpRequired as StepUpRequired
from .errors import StoreUnavailable as StoreUnavailable
from .event import Event as Event
from .factor import Factor as Factor
from .grant import Grant as Grant
from .keys import KeyRing as KeyRing
from .limits import Limits as Limits
from .policy import BINDS as BINDS
from .policy import Action as Action
from .policy import Policy as Policy
from .policy import Risk as Risk
from .requirement import Strength as Strength
from .requirement import all_of as all_of
from .requirement import any_of as any_of
from .requirement import method as method
from .surface import Surface as Surface

__all__ = [
    "BINDS",
    "Action",
    "Actor",
    "AsyncStepUp",
    "Authorization",
    "Challenge",
    "Code",
    "ConfigurationError",
    "Context",
    "Decision",
    "Denied",
    "Device",
    "Event",
    "Factor",
    "Grant",
    "Item",
    "KeyRing",
    "Limits",
    "MoreNeeded",
    "Outcome",
    "Policy",
    "Prompt",
    "Proof",
    "Rejected",
    "Resource",
    "Risk",
    "RiskAssessment",
    "RiskLevel",
    "Session",
    "Signal",
    "StepUp",
    "StepUpError",
    "StepUpRequired",
    "StoreUnavailable",
    "Strength",
    "Surface",
    "TrustedDevice",
    "Verified",
    "all_of",
    "any_of",
    "method",
]
