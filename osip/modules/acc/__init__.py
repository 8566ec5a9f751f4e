"""Account for transactions and calls: log lines, events, rows of SQL tables."""
from osip.modules.acc.module import Acc

__all__ = ["Acc"]
