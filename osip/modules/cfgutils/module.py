"""Declare cfgutils: chance, waiting, locks, shared variables and times."""
from __future__ import annotations

import asyncio
import os
import random
import re
from hashlib import md5
from pathlib import Path
from typing import Any
from zlib import crc32

from osip.api import (
    Ctx,
    MIError,
    Module,
    ModuleError,
    Static,
    Value,
    Var,
    avp_name,
    function,
    mi,
    param,
    parse_recurrence,
    pvar,
)
from osip.modules.cfgutils.lock import Locks

_SETTING = re.compile(r"\s*([^=\s]+)\s*=\s*([is])\s*:(.*)", re.DOTALL)
_TOPIC = "cfgutils.probability"


def _variable(text: str) -> tuple[str, str | int]:
    """Read `name=i:1` or `name=s:text`."""
    found = _SETTING.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not a value of a variable: write "name=i:1" or "name=s:text"')
    if found[2] == "s":
        return found[1], found[3]
    try:
        return found[1], int(found[3])
    except ValueError:
        raise ValueError(f'"{found[3]}" is not an integer') from None


class Cfgutils(Module):
    """Odds and ends for scripts."""

    initial_probability = param(10, ge=0, le=100, doc="Percent with which rand_event() is true.")
    hash_file = param("", doc="File whose MD5 get_config_hash gives, and check_config_hash compares.")
    shv_hash_size = param(64, removed="variables are kept in a dictionary", doc="No effect.")
    shvset = param(multiple=True, kind=str, parse=_variable, doc='Value of a `$shv` at start, "name=i:1" or "name=s:x".')
    varset = param(multiple=True, kind=str, parse=_variable, doc="Value of a `$var` at start, written alike.")
    lock_pool_size = param(32, ge=1, le=65536, doc="How many dynamic locks there are.")
    lock_timeout = param(5000, ge=1, doc="Milliseconds to wait for a lock at most; then -1.")

    def mod_init(self) -> None:
        """Set the variables, take the hash of the file and make the locks."""
        self.probability = self.initial_probability
        self.env.shared.update(self.shvset)
        self.env.vars.update(self.varset)
        self.hash = ""
        if self.hash_file:
            try:
                self.hash = _md5(self.hash_file)
            except OSError as error:
                raise ModuleError(f"cfgutils: cannot read hash_file {self.hash_file}: {error.strerror}") from None
        self._locks = Locks()
        self.env.bus.subscribe(_TOPIC, self._set_probability)
        self.env.bus.share(_TOPIC, lambda: [self.probability], lambda items: self._set_probability(items[0]))
        self._static: dict[str, int] = {}

    async def destroy(self) -> None:
        """Close the locks."""
        self._locks.close()

    # --- chance --------------------------------------------------------------------------------------------------

    def _set_probability(self, percent: int) -> None:
        self.probability = percent

    @function("QFRBLSTV")
    def rand_set_prob(self, ctx: Ctx, probability: int) -> int:
        """Set the probability of rand_event(), in percent; -1 when it is not from 0 to 100."""
        if not 0 <= probability <= 100:
            self.env.log.error("cfgutils: probability=%d is not from 0 to 100", probability)
            return -1
        self.env.bus.publish(_TOPIC, probability)
        return 1

    @function("QFRBLSTV")
    def rand_reset_prob(self, ctx: Ctx) -> None:
        """Go back to initial_probability."""
        self.env.bus.publish(_TOPIC, self.initial_probability)

    @function("QFRBLSTV")
    def rand_get_prob(self, ctx: Ctx) -> int:
        """Return the probability as the code; -1 for 0, since 0 would end the script."""
        return self.probability or -1

    @function("QFRBLSTV")
    def rand_event(self, ctx: Ctx, probability: int | None = None) -> bool:
        """Be true with a probability in percent."""
        return random.random() * 100 < (self.probability if probability is None else probability)

    @pvar("RANDOM", type="is")
    def random_number(self, ctx: Ctx) -> Value:
        """A random number from 0 to 2147483647."""
        return random.getrandbits(31)

    # --- waiting and locks ---------------------------------------------------------------------------------------

    @function("QFRBLSTV")
    async def sleep(self, ctx: Ctx, seconds: int) -> int:
        """Let the script wait; the worker goes on with other messages."""
        await asyncio.sleep(max(0, seconds))
        return 1

    @function("QFRBLSTV")
    async def usleep(self, ctx: Ctx, microseconds: int) -> int:
        """Let the script wait for microseconds."""
        await asyncio.sleep(max(0, microseconds) / 1_000_000)
        return 1

    @function("QFRBLSTV")
    async def get_static_lock(self, ctx: Ctx, key: Static) -> int:
        """Take the lock of this key; a script that holds it already waits for itself. -1 after lock_timeout."""
        return await self._lock(self._static_number(key), key)

    @function("QFRBLSTV")
    def release_static_lock(self, ctx: Ctx, key: Static) -> bool:
        """Give the lock of this key back."""
        return self._locks.release(self._static_number(key))

    @function("QFRBLSTV")
    async def get_dynamic_lock(self, ctx: Ctx, key: str) -> int:
        """Take the lock of the pool that a text falls on; different texts may share one. -1 after lock_timeout."""
        return await self._lock(self._pool_number(key), key)

    @function("QFRBLSTV")
    def release_dynamic_lock(self, ctx: Ctx, key: str) -> None:
        """Give the lock of the pool back, if it is held."""
        self._locks.release(self._pool_number(key))

    @function("QFRBLSTV")
    def strings_share_lock(self, ctx: Ctx, string1: str, string2: str) -> bool:
        """Say whether two texts fall on one lock of the pool."""
        return self._pool_number(string1) == self._pool_number(string2)

    def _static_number(self, key: str) -> int:
        # The number must be the same in all workers, whichever key each of them saw first: 40 bits of a hash.
        number = self._static.get(key)
        if number is None:
            digest = md5(key.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
            number = self._static[key] = (1 << 32) + int.from_bytes(digest[:5], "big")
        return number

    def _pool_number(self, key: str) -> int:
        return crc32(key.encode("utf-8", "surrogateescape")) % self.lock_pool_size

    async def _lock(self, number: int, key: str) -> int:
        if await self._locks.acquire(number, self.lock_timeout / 1000):
            return 1
        self.env.log.error("cfgutils: lock=%s was not free within %d ms; is it released on every way?", key,
                           self.lock_timeout)
        return -1

    # --- lists ---------------------------------------------------------------------------------------------------

    @function("QFRBLSTV")
    def set_count(self, ctx: Ctx, variable: Var, result: Var) -> bool:
        """Count the values of an AVP; any other variable has one, or none when it is NULL."""
        values = _values(ctx, variable)
        count = len(values) if values is not None else int(variable.get(ctx) is not None)
        return result.set(ctx, count) is not False

    @function("QFRBLSTV")
    def set_select_weight(self, ctx: Ctx, weights: Var) -> int:
        """Return an index of an AVP's values (0 is the newest), chosen by weight; -1 when there is nothing to choose.

        As in OpenSIPS the code is the index itself, so read it from `$rc`.
        """
        values = _values(ctx, weights) or []
        numbers = [max(0, value) if isinstance(value, int) else 0 for value in reversed(values)]
        return random.choices(range(len(numbers)), numbers)[0] if sum(numbers) else -1

    @function()
    def shuffle_avps(self, ctx: Ctx, variable: Var) -> bool:
        """Put the values of an AVP in a random order."""
        values = _values(ctx, variable)
        if values is None:
            self.env.log.error("cfgutils: shuffle_avps wants an AVP, not %s", variable.name)
            return False
        random.shuffle(values)
        return True

    # --- time ----------------------------------------------------------------------------------------------------

    @function("QFRBLSTV")
    def get_accurate_time(self, ctx: Ctx, seconds: Var, microseconds: Var, text: Var | None = None) -> int:
        """Assign the time: Unix seconds, microseconds, and both as `seconds.microseconds`."""
        total = int(self.env.wall() * 1_000_000)
        first, second = divmod(total, 1_000_000)
        seconds.set(ctx, first)
        microseconds.set(ctx, second)
        if text is not None:
            text.set(ctx, f"{first}.{second:06d}")
        return 1

    @function("QFRBLSTV")
    def ts_usec_delta(self, ctx: Ctx, seconds1: int, microseconds1: int, seconds2: int, microseconds2: int,
                      delta_str: Var | None = None, delta_int: Var | None = None) -> int:
        """Assign how many microseconds lie between two times; -1 when they are too many for an integer."""
        delta = abs((seconds1 - seconds2) * 1_000_000 + microseconds1 - microseconds2)
        if delta_str is not None:
            delta_str.set(ctx, str(delta))
        if delta > 0x7FFFFFFF:
            return -1
        if delta_int is not None:
            delta_int.set(ctx, delta)
        return 1

    @function()
    def check_time_rec(self, ctx: Ctx, recurrence: str, timestamp: int | None = None) -> int:
        """Say whether a time (now, or Unix seconds) lies in a recurrence; -1 no, -2 it cannot be read."""
        try:
            times = parse_recurrence(recurrence)
        except ValueError as error:
            self.env.log.error("cfgutils: check_time_rec: %s", error)
            return -2
        try:
            return 1 if times.holds(self.env.wall() if timestamp is None else timestamp) else -1
        except (OverflowError, OSError, ValueError):
            return -3

    # --- the process ---------------------------------------------------------------------------------------------

    @function("QFRBLSTV")
    def abort(self, ctx: Ctx) -> int:
        """Kill this worker, with a core dump where the system makes them; for debugging."""
        self.env.log.critical("cfgutils: abort() was called by the script")
        os.abort()

    @function("QFRBLSTV")
    def pkg_status(self, ctx: Ctx) -> None:
        """Log the memory of this worker."""
        self._log_memory("pkg_status")

    @function("QFRBLSTV")
    def shm_status(self, ctx: Ctx) -> None:
        """Log the memory of this worker, too: there is no shared memory."""
        self._log_memory("shm_status")

    def _log_memory(self, word: str) -> None:
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
        except OSError:
            return
        self.env.log.info("%s resident_bytes=%d", word, pages * os.sysconf("SC_PAGE_SIZE"))

    # --- management ----------------------------------------------------------------------------------------------

    @mi("rand_set_prob", aliases=("rand_set_prob",))
    def mi_rand_set_prob(self, prob_proc: int) -> None:
        """Set the probability of rand_event(), in percent."""
        if not 0 <= prob_proc <= 100:
            raise MIError(400, "Bad probability", "from 0 to 100")
        self.env.bus.publish(_TOPIC, prob_proc)

    @mi("rand_reset_prob", aliases=("rand_reset_prob",))
    def mi_rand_reset_prob(self) -> None:
        """Go back to initial_probability."""
        self.env.bus.publish(_TOPIC, self.initial_probability)

    @mi("rand_get_prob", aliases=("rand_get_prob",))
    def mi_rand_get_prob(self) -> dict[str, int]:
        """Return the probability."""
        return {"actual probability percent": self.probability}

    @mi("get_config_hash", aliases=("get_config_hash",))
    def mi_get_config_hash(self) -> str:
        """Return the MD5 that hash_file had at start."""
        if not self.hash:
            raise MIError(404, "No hash_file is set")
        return self.hash

    @mi("check_config_hash", aliases=("check_config_hash",))
    def mi_check_config_hash(self) -> None:
        """Say whether hash_file is still what it was at start: OK, or an error."""
        if not self.hash:
            raise MIError(404, "No hash_file is set")
        try:
            same = _md5(self.hash_file) == self.hash
        except OSError as error:
            raise MIError(500, f"Cannot read {self.hash_file}: {error.strerror}") from None
        if not same:
            raise MIError(400, "The file was changed")

    @mi("shv_get", aliases=("shv_get",))
    def mi_shv_get(self, name: str | None = None) -> dict[str, Any]:
        """Return one `$shv`, or all."""
        if name is None:
            return {"VARs": [_shown(key, value) for key, value in self.env.shared.items()]}
        if name not in self.env.shared:
            raise MIError(404, "Not found")
        return {"VAR": _shown(name, self.env.shared[name])}

    @mi("shv_set", aliases=("shv_set",))
    def mi_shv_set(self, name: str, type: str, value: str) -> None:
        """Set a `$shv`; type is `int` or `str`."""
        if type not in ("int", "str"):
            raise MIError(400, "Bad type", "int or str")
        try:
            self.env.shared[name] = int(value) if type == "int" else value
        except ValueError:
            raise MIError(400, "Bad value", f"{value!r} is not an integer") from None


def _shown(name: str, value: str | int) -> dict[str, str | int]:
    return {"name": name, "type": "int" if isinstance(value, int) else "string", "value": value}


def _md5(path: str) -> str:
    return md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()


def _values(ctx: Ctx, variable: Var) -> list[Any] | None:
    """Return the list of an AVP, oldest first; None for another variable."""
    try:
        return ctx.avp(avp_name(variable.name))
    except ValueError:
        return None
