"""From and To under other names, and answers to the challenges of others."""
from osip.modules.uac.module import Uac

__all__ = ["Uac"]
