"""Stand between phones and a main registrar, and spare it most of their REGISTER requests."""
from osip.modules.mid_registrar.module import MidRegistrar

__all__ = ["MidRegistrar"]
