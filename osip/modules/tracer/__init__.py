"""Copies of traffic for those who look into it."""
from osip.modules.tracer.module import Tracer

__all__ = ["Tracer"]
