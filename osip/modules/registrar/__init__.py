"""Process REGISTER requests and look up where users are (RFC 3261 section 10)."""
from osip.modules.registrar.module import Registrar

__all__ = ["Registrar"]
