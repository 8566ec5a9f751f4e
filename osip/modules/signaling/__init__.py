"""Reply with or without state, whichever fits: through tm when a transaction exists, else through sl."""
from osip.modules.signaling.module import Signaling

__all__ = ["Signaling"]
