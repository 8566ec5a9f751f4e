"""`osipctl`: the operator's command line, with the verbs of opensipsctl."""
from osip.cli.ctl.root import main, osipctl

__all__ = ["main", "osipctl"]
