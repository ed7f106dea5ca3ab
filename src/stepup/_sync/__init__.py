"""The sync face, thin over the engine: ``gate`` has ``StepUp``; ``factors`` what it offers as ``factors``."""

from .approvals import Approvals as Approvals
from .factors import Factors as Factors
from .gate import StepUp as StepUp
