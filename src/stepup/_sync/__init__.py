"""The sync face, thin over the engine: ``gate`` has ``StepUp``; ``factors`` and ``devices`` what it
offers under these names.
"""

from .approvals import Approvals as Approvals
from .devices import Devices as Devices
from .factors import Factors as Factors
from .gate import StepUp as StepUp
