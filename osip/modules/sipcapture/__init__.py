"""Store captured traffic."""
from osip.modules.sipcapture.module import SipCapture

__all__ = ["SipCapture"]
