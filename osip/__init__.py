"""osip: a SIP server whose behaviour is an OpenSIPS-language script."""
from osip._compiled import choose

__version__ = "0.1.0"

choose()
