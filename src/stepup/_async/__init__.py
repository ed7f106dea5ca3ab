"""The async face, thin over the engine: ``gate`` has ``AsyncStepUp``; ``factors`` and ``devices`` what it
offers under these names.
"""

from .approvals import AsyncApprovals as AsyncApprovals
from .devices import AsyncDevices as AsyncDevices
from .factors import AsyncFactors as AsyncFactors
from .gate import AsyncStepUp as AsyncStepUp
