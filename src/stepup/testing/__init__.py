"""The kit for tests: of your application, of your own store, of your own verifier.

===================== =============================================================================
``grant``             a real token for a call, with nothing proved (``grant_async`` for the async gate)
``grant_bundle``      one for several calls (``grant_bundle_async``)
``FrozenClock``       time that moves when it is told to
``Outbox``            a mailer that keeps what it is given
``ScriptedVerifier``  a method whose right answer you choose
``SoftPasskey``       a passkey without a device: it answers as a browser would
``StoreContract``     the contract tests of a store (``AsyncStoreContract``), as pytest classes
``VerifierContract``  the contract tests of a verifier
``plugin``            pytest fixtures, found by themselves
===================== =============================================================================

Needs nothing but stepup itself; the contract classes are run by pytest, and ``VerifierContract`` is made of it.
"""

from typing import TYPE_CHECKING

from stepup.mailers import Outbox as Outbox

from .clock import FrozenClock as FrozenClock
from .grants import grant as grant
from .grants import grant_async as grant_async
from .grants import grant_bundle as grant_bundle
from .grants import grant_bundle_async as grant_bundle_async
from .passkey import SoftPasskey as SoftPasskey
from .scripted import ScriptedVerifier as ScriptedVerifier
from .store import AsyncStoreContract as AsyncStoreContract
from .store import StoreContract as StoreContract
from .store import check_async_store as check_async_store
from .store import check_store as check_store

if TYPE_CHECKING:
    from .verifier import VerifierContract as VerifierContract

__all__ = [
    "AsyncStoreContract",
    "FrozenClock",
    "Outbox",
    "ScriptedVerifier",
    "SoftPasskey",
    "StoreContract",
    "VerifierContract",
    "check_async_store",
    "check_store",
    "grant",
    "grant_async",
    "grant_bundle",
    "grant_bundle_async",
]


def __getattr__(name: str) -> object:
    """``VerifierContract``, when it is first asked for: only it needs pytest."""
    if name == "VerifierContract":
        from .verifier import VerifierContract

        return VerifierContract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
