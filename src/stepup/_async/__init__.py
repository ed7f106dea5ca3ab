"""The async face, thin over the engine: ``gate`` has ``AsyncStepUp``; ``factors`` what it offers as ``factors``."""

from .approvals import AsyncApprovals as AsyncApprovals
from .factors import AsyncFactors as AsyncFactors
from .gate import AsyncStepUp as AsyncStepUp
