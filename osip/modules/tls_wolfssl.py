"""wolfSSL for TLS, by its OpenSIPS name: scripts that ask for it get Python's own library, OpenSSL."""
from __future__ import annotations

from osip.api import Module, param


class TlsWolfssl(Module):
    """wolfSSL for TLS: OpenSSL serves in its place."""
    try_use_ktls = param(0, removed="TLS is not handed to the kernel")
