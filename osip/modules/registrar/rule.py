"""Keep the parameters that each REGISTER asks for where compiled code reads them at once."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osip.api import Env

if TYPE_CHECKING:
    from osip.modules.signaling.choice import Choice
    from osip.modules.usrloc.state import Domain

_NUMBERS: Final = ("default_expires", "default_q", "case_sensitive", "min_expires", "max_expires", "disable_gruu",
                   "max_contacts", "max_username_len", "max_domain_len", "max_aor_len", "max_contact_len",
                   "allow_dup_cseq", "expires_max_deviation", "outbound_mode", "tcp_flag")
_TEXTS: Final = ("realm_prefix", "received_param", "received_avp", "attr_avp", "mcontact_avp")
_OF_USRLOC: Final = ("matching_mode", "use_domain", "cseq_delay")


class Tally:
    """What a registrar counts."""
    __slots__ = ("accepted_regs", "rejected_regs")

    def __init__(self) -> None:
        self.accepted_regs = self.rejected_regs = 0


class Rules:
    """The parameters of a registrar, and some of usrloc, as they stood when they were last read.

    That is at the start and after each reload. `tables` are usrloc's tables by name, `keeper` what carries them to a
    store or None, `push` is None unless phones are woken, `tally` are the registrar's own counters, `choice` sends replies.
    """
    __slots__ = ("reg", "usrloc", "env", "tables", "push", "keeper", "tally", "choice", *_NUMBERS, *_TEXTS,
                 *_OF_USRLOC)
    default_expires: int
    default_q: int
    case_sensitive: int
    min_expires: int
    max_expires: int
    disable_gruu: int
    max_contacts: int
    max_username_len: int
    max_domain_len: int
    max_aor_len: int
    max_contact_len: int
    allow_dup_cseq: int
    expires_max_deviation: int
    outbound_mode: int
    tcp_flag: int
    realm_prefix: str
    received_param: str
    received_avp: str
    attr_avp: str
    mcontact_avp: str
    matching_mode: int
    use_domain: int
    cseq_delay: int

    def __init__(self, reg: Any) -> None:
        self.reg, self.usrloc = reg, reg.usrloc
        self.env: Env = reg.env
        self.tables: dict[str, Domain] = reg.usrloc.domains
        self.push: Any = reg.push
        self.keeper: Any = None
        self.tally: Tally = reg.tally
        self.choice: Choice = reg.signaling.choice
        self.read()
        self.env.on_reload.append(self.read)

    def read(self) -> None:
        """Read them anew."""
        self.keeper = self.usrloc.keeper
        for names, owner in ((_NUMBERS, self.reg), (_TEXTS, self.reg), (_OF_USRLOC, self.usrloc)):
            for name in names:
                setattr(self, name, getattr(owner, name))
