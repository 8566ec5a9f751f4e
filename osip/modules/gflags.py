"""Keep 32 flags that all messages of all workers share."""
from __future__ import annotations

from osip.api import Ctx, MIError, Module, function, mi, param

_TOPIC = "gflags"


class Gflags(Module):
    """Global flags."""

    initial = param(0, ge=0, le=0xFFFFFFFF, doc="Bit mask of the flags that are set at start.")

    def mod_init(self) -> None:
        """Begin with the initial flags and listen to what other workers change."""
        self.mask = self.initial
        self.env.bus.subscribe(_TOPIC, self._apply)
        self.env.bus.share(_TOPIC, lambda: [self.mask], self._load)

    def _load(self, masks: list[int]) -> None:
        self.mask = masks[0]

    def _apply(self, change: tuple[int, int]) -> None:
        setting, clearing = change
        self.mask = (self.mask | setting) & ~clearing

    def _change(self, setting: int = 0, clearing: int = 0) -> None:
        self.env.bus.publish(_TOPIC, (setting, clearing))

    def _is_flag(self, flag: int) -> bool:
        if 0 <= flag <= 31:
            return True
        self.env.log.error("gflags: flag=%d is not a number from 0 to 31", flag)
        return False

    @function()
    def set_gflag(self, ctx: Ctx, flag: int) -> bool:
        """Set a flag, 0 to 31."""
        if not self._is_flag(flag):
            return False
        self._change(setting=1 << flag)
        return True

    @function()
    def reset_gflag(self, ctx: Ctx, flag: int) -> bool:
        """Clear a flag."""
        if not self._is_flag(flag):
            return False
        self._change(clearing=1 << flag)
        return True

    @function()
    def is_gflag(self, ctx: Ctx, flag: int) -> bool:
        """Say whether a flag is set."""
        return self._is_flag(flag) and bool(self.mask >> flag & 1)

    @mi("set", aliases=("set_gflag",))
    def mi_set(self, bitmask: int) -> None:
        """Set the flags of a bit mask."""
        self._change(setting=_mask(bitmask))

    @mi("reset", aliases=("reset_gflag",))
    def mi_reset(self, bitmask: int) -> None:
        """Clear the flags of a bit mask."""
        self._change(clearing=_mask(bitmask))

    @mi("check", aliases=("is_gflag",))
    def mi_check(self, bitmask: int) -> str:
        """Say TRUE when all flags of a bit mask are set, else FALSE."""
        wanted = _mask(bitmask)
        return "TRUE" if self.mask & wanted == wanted else "FALSE"

    @mi("get", aliases=("get_gflags",))
    def mi_get(self) -> dict[str, str | int]:
        """Return all flags as a mask, in hexadecimal and decimal."""
        return {"hex": f"0x{self.mask:X}", "dec": self.mask}


def _mask(bitmask: int) -> int:
    if not 0 < bitmask <= 0xFFFFFFFF:
        raise MIError(-32602, "bitmask must be from 1 to 4294967295")
    return bitmask
