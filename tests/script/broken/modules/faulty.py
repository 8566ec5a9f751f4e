"""A module that fails while it is imported: the name below is not defined."""
from osip.api import Module

limit = undefined_name


class Faulty(Module):
    """Never reached."""
