"""The sync face, thin over the engine: ``gate`` puts ``StepUp`` together, of ``deciding`` (what guards actions),
``proving`` (the ceremony) and ``upkeep`` (what ends, and is looked after); ``factors``, ``devices`` and ``approvals``
are what it offers under these names.
"""

from .approvals import Approvals as Approvals
from .devices import Devices as Devices
from .factors import Factors as Factors
from .gate import StepUp as StepUp
