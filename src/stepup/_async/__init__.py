"""The async face, thin over the engine: ``gate`` puts ``AsyncStepUp`` together, of ``deciding`` (what guards actions),
``proving`` (the ceremony) and ``upkeep`` (what ends, and is looked after); ``factors``, ``devices`` and ``approvals``
are what it offers under these names.
"""

from .approvals import AsyncApprovals as AsyncApprovals
from .devices import AsyncDevices as AsyncDevices
from .factors import AsyncFactors as AsyncFactors
from .gate import AsyncStepUp as AsyncStepUp
