"""Stand in front of a built-in module of the same name."""
from osip.api import Module


class Options(Module):
    """Declare nothing."""
