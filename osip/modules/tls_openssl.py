"""OpenSSL for TLS, by its OpenSIPS name: Python's own library is that, so there is nothing to load."""
from __future__ import annotations

from osip.api import Module


class TlsOpenssl(Module):
    """OpenSSL for TLS: always there."""
