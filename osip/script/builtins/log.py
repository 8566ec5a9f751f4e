"""Write log lines for scripts (core_functions.md section 2).

`xlog`, `xdbg`, `log` and `error` are statements of the grammar: the emitter calls these methods with expanded texts,
behind its own guard on the level (`config.xlog_level`).
"""
from __future__ import annotations

import logging

from osip.api import Ctx, Module, Value, pvar
from osip.core.run.log import python_level
from osip.core.run.outlet import DirectLog

_LETTERS = {"A": -3, "C": -2, "E": -1, "W": 1, "N": 2, "I": 3, "D": 4}
_COLOURS = {"x": 9, "s": 0, "r": 1, "g": 2, "y": 3, "b": 4, "p": 5, "c": 6, "w": 7}


def level_of(level: Value, default: int = 2) -> int:
    """Read a level as scripts write it: -3 to 4, or a name of which only the third letter counts (`L_ERR`)."""
    if isinstance(level, int):
        return max(-3, min(4, level))
    if level and len(level) >= 3 and level[2].upper() in _LETTERS:
        return _LETTERS[level[2].upper()]
    if level and level.removeprefix("-").isdecimal():
        return max(-3, min(4, int(level)))
    return default


def _colour_key(text: str) -> str:
    if len(text) != 2 or any(char.lower() not in _COLOURS for char in text):
        raise ValueError("expected two letters of xsrgybpcw: foreground and background")
    return text


class CoreLog(Module):
    """Log lines of scripts and the levels that choose them."""
    name = "core_log"

    def __init__(self) -> None:
        super().__init__()
        self._log = DirectLog(logging.getLogger("osip.script"))
        self._globals: dict[str, int] = {}

    def mod_init(self) -> None:
        """Let the script's lines through: their own level has chosen them already."""
        logger = self.env.log.getChild("script")
        logger.setLevel(1)
        self._log = DirectLog(logger)
        self._log.hold = self.env.hold

    # --- statements ----------------------------------------------------------------------------------------------

    def xlog(self, level: Value, text: str | None) -> int:
        """Write an expanded text when its level is wanted; the bytes written, 1 for none, -1 when it is too long."""
        number = level_of(level, self.env.config.xlog_print_level)
        if number > self.env.config.xlog_level:
            return 1
        return self._write(number, text or "")

    def xdbg(self, text: str | None) -> int:
        """Write an expanded text at debug level."""
        return self.xlog(4, text)

    def log(self, level: int, text: str) -> int:
        """Write a literal text at a level of the server's log; always 1."""
        self.env.log.log(python_level(level_of(level, 4)), "%s", text.rstrip("\n"))
        return 1

    def error(self, first: str, second: str = "") -> int:
        """Write the two texts of an `error` statement; always 1."""
        self.env.log.error("error: %s %s", first, second)
        return 1

    def _write(self, level: int, text: str) -> int:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
        if size > self.env.config.xlog_buf_size:
            self.env.log.error("xlog line not written, %d bytes are more than xlog_buf_size", size)
            return -1
        number = python_level(level)
        if self._log.is_enabled(number):
            self._log.write(number, text.rstrip("\r\n"), "xlog")
        return size or 1

    # --- variables -----------------------------------------------------------------------------------------------

    @pvar("log_level", type="is")
    def log_level(self, ctx: Ctx) -> Value:
        """The log level of this worker; null restores the configured one."""
        return self.env.config.log_level

    @log_level.setter
    def set_log_level(self, ctx: Ctx, value: Value) -> bool:
        if not self._set("log_level", value):
            return False
        self.env.log.setLevel(python_level(self.env.config.log_level))
        return True

    @pvar("xlog_level", type="is")
    def xlog_level(self, ctx: Ctx) -> Value:
        """The level of xlog in this worker; null restores the configured one."""
        return self.env.config.xlog_level

    @xlog_level.setter
    def set_xlog_level(self, ctx: Ctx, value: Value) -> bool:
        return self._set("xlog_level", value)

    def _set(self, name: str, value: Value) -> bool:
        config = self.env.config
        kept = self._globals.setdefault(name, getattr(config, name))
        if value is None:
            value = kept
        if not isinstance(value, int):
            return False
        setattr(config, name, max(-3, min(4, value)))
        return True

    @pvar("C", key="required", key_parse=_colour_key)
    def colour(self, ctx: Ctx, pair: str) -> Value:
        """A terminal's colour change; empty unless lines go to a terminal's stream or colours are forced."""
        config = self.env.config
        if not (config.xlog_force_color or config.stderror_enabled):
            return ""
        fore, back = pair
        bold = int(fore.isupper())
        return f"\x1b[{bold};3{_COLOURS[fore.lower()]};4{_COLOURS[back.lower()]}m"
