"""osip: a SIP server whose behaviour is an OpenSIPS-language script."""
__version__ = "0.1.0"
