"""Find the transaction that a message belongs to (RFC 3261 sections 17.1.3 and 17.2.3; RFC 2543 by fields)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import M_ACK, M_INVITE, M_OTHER, Request, request_key

if TYPE_CHECKING:
    from osip.modules.tm.branch import Branch
    from osip.modules.tm.transaction import Transaction


class Table:
    """All transactions of a worker: servers by key, branches by their Via branch (which is unique by itself)."""
    __slots__ = ("servers", "clients", "ruri_matching", "via1_matching", "_seen", "_seen_key")

    def __init__(self, ruri_matching: bool = True, via1_matching: bool = True) -> None:
        self.servers: dict[str, Transaction] = {}
        self.clients: dict[str, Branch] = {}
        self.ruri_matching, self.via1_matching = ruri_matching, via1_matching
        self._seen: Any = None                  # the last request asked for: t_check_trans and t_relay both ask
        self._seen_key = ""

    def key(self, msg: Request, method_id: int = -1) -> str:
        """Return the key of a request; an ACK has that of its INVITE, `method_id` asks for another method's."""
        if method_id >= 0:
            return self._key(msg, method_id)
        if msg is not self._seen:
            own: int = msg.method_id
            self._seen_key = self._key(msg, M_INVITE if own == M_ACK else own)
            self._seen = msg
        return self._seen_key

    def _key(self, msg: Any, method_id: int) -> str:
        key = request_key(msg, method_id)
        return key if key is not None else self._old_key(msg, method_id)

    def _old_key(self, msg: Request, method_id: int) -> str:
        # RFC 2543 peers put no cookie into the branch: match by what makes a request the same one. The To tag is left
        # out, as the ACK carries the one of our reply.
        parts = [str(method_id), msg.call_id, str(msg.cseq), msg.from_tag]
        if self.ruri_matching:
            parts.append(msg.ruri)
        if self.via1_matching:
            parts.append(str(msg.via1))
        if method_id == M_OTHER:
            parts.append(msg.method)
        return "\n".join(parts)

    def find(self, msg: Request, method_id: int = -1) -> Transaction | None:
        """Return the server transaction of a request, or of the INVITE that a CANCEL or ACK names."""
        return self.servers.get(self.key(msg, method_id))

    def find_by_call(self, call_id: str, cseq: int, method_id: int) -> Transaction | None:
        """Return a transaction by Call-ID and CSeq; slow, for management."""
        for tx in self.servers.values():
            request = tx.request
            if request is not None and tx.method_id == method_id and request.call_id == call_id \
                    and request.cseq == cseq:
                return tx
        return None
