"""Remember where users are: contacts of each address of record, in memory."""
from osip.modules.usrloc.module import Usrloc

__all__ = ["Usrloc"]
