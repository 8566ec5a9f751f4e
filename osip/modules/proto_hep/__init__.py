"""Receive and send captured traffic by HEP."""
from osip.modules.proto_hep.module import ProtoHep

__all__ = ["ProtoHep"]
