"""Keep destinations from being used: lists of address rules (core_functions.md section 7).

A list of the script (`dst_blacklist`) is read-only unless its flags say otherwise; `define` makes one from a module,
`dynamic=True` one that scripts may change. Senders ask through `env.blocked`, which stays None while there is no list.
"""
from __future__ import annotations

import fnmatch
import ipaddress
from dataclasses import dataclass, field, replace
from typing import Any

from osip.api import Ctx, Dest, MIError, Module, Scope, function, mi

DNS, DNS_SECONDS = "dns", 240
"""The list of destinations that did not answer, and how long they are avoided."""

LOST, RULES = 256, 4096
"""Rules at most: of the list of destinations that did not answer (the oldest goes), and of any other dynamic list."""
_TOPIC = "blacklist.rule"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; empty fields mean any. `until` is its end in monotonic seconds, None for ever."""
    net: Network
    negated: bool = False
    port: int = 0
    proto: str = ""
    pattern: str = ""
    until: float | None = None

    def same(self, other: Rule) -> bool:
        """Say whether two rules block the same."""
        return ((self.net, self.negated, self.port, self.proto, self.pattern)
                == (other.net, other.negated, other.port, other.proto, other.pattern))


@dataclass(slots=True)
class Blacklist:
    """A named list; `default` ones are asked for every message, `dynamic` ones change at run time, the rules of
    `expiring` ones may have an end. `owner` is core for those of the script."""
    name: str
    dynamic: bool = False
    default: bool = False
    rules: list[Rule] = field(default_factory=list)
    expiring: bool = False
    owner: str = "core"

    @property
    def flags(self) -> str:
        """Return the flags as the script writes them."""
        words = (("default", self.default), ("expire", self.expiring), ("readonly", not self.dynamic))
        return ",".join([word for word, is_set in words if is_set])


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode("utf-8", "surrogateescape")


def parse_net(text: str) -> tuple[Network, bool]:
    """Read `ip`, `ip/mask` or either with a leading `!`; ValueError when it is none."""
    text = text.strip()
    negated = text.startswith("!")
    return ipaddress.ip_network(text.lstrip("! ").replace("[", "").replace("]", ""), strict=False), negated


def parse_rule(text: str) -> Rule:
    """Read a rule as the script writes it: `[!]net` or `[!](proto, net, port, "pattern")`; ValueError for others."""
    body = text.strip()
    negated = body.startswith("!")
    body = body.lstrip("! ")
    if not body.startswith("("):
        return Rule(parse_net(body)[0], negated)
    if not body.endswith(")"):
        raise ValueError("the bracket is not closed")
    fields = [field.strip() for field in body[1:-1].split(",", 3)]
    proto = ""
    if fields[0][:1].isalpha() and ":" not in fields[0]:
        proto = _proto(fields.pop(0))
    if not fields:
        raise ValueError("the address is missing")
    port = fields[1] if len(fields) > 1 else ""
    if port and port != "any" and not port.isdecimal():
        raise ValueError(f'"{port}" is no port')
    pattern = ",".join(fields[2:]).strip().strip('"')
    return Rule(parse_net(fields[0])[0], negated, int(port) if port.isdecimal() else 0, proto, pattern)


def _proto(text: str) -> str:
    return "" if text.lower() in ("any", "*") else text.lower()


class CoreBlacklist(Module):
    """Blacklists of destinations."""
    name = "core_blacklist"

    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[str, Blacklist] = {}

    def mod_init(self) -> None:
        """Take the lists of the script, now and after each reload."""
        self.take_settings()
        self.env.on_reload.append(self.take_settings)
        self.env.bus.subscribe(_TOPIC, self._on_change)
        self.env.bus.share(_TOPIC, self._known, lambda items: [self._on_change(item) for item in items])

    def take_settings(self) -> None:
        """Make the lists that the script defines; entries added at run time to lists that stay are kept."""
        config = self.env.config
        wanted = {name for name, _, _ in config.blacklists}
        self.lists = {name: found for name, found in self.lists.items() if found.owner != "script" or name in wanted}
        for name, flags, rules in config.blacklists:
            made = [Rule(*parse_net(rule.net), rule.port, rule.proto, rule.pattern) for rule in rules]
            made = [replace(new, negated=rule.is_negated) for new, rule in zip(made, rules, strict=True)]
            old = self.lists.get(name)
            dynamic = "readonly" not in flags
            if old is not None and old.dynamic and dynamic:
                made = old.rules + [rule for rule in made if not any(rule.same(other) for other in old.rules)]
            found = self.define(name, made, dynamic=dynamic, default="default" in flags)
            found.expiring, found.owner = "expire" in flags, "script"
        if not config.disable_dns_blacklist and DNS not in self.lists:
            self.define(DNS, [], dynamic=True, default=True).expiring = True
        self.env.lost = None if config.disable_dns_blacklist else self.note_lost

    def define(self, name: str, rules: list[Rule], *, dynamic: bool = False, default: bool = False) -> Blacklist:
        """Make or replace a list."""
        found = self.lists[name] = Blacklist(name, dynamic, default, list(rules))
        self.env.blocked = self.blocks_send
        return found

    def blocks_send(self, ctx: Ctx | None, dest: Dest, data: bytes) -> bool:
        """Say whether a list that this message uses keeps `data` from going to a destination."""
        return self.blocks(ctx, dest.proto, dest.host, dest.port, data)

    def note_lost(self, dest: Dest) -> None:
        """Avoid a destination that did not answer for a while (`disable_dns_blacklist = no`)."""
        found = self.lists.get(DNS)
        if found is not None:
            rule = Rule(parse_net(dest.host)[0], False, dest.port, dest.proto, "", self.env.now + DNS_SECONDS)
            self._put(found, rule)
            self._tell("add", found, rule)

    # --- workers -------------------------------------------------------------------------------------------------

    def _put(self, found: Blacklist, rule: Rule) -> bool:
        """Add a rule in the place of an equal one; False when the list is full."""
        kept = [old for old in found.rules if not old.same(rule)]
        if found.name == DNS and found.owner != "script":
            kept = kept[-(LOST - 1):]
        elif len(kept) >= RULES:
            kept = [old for old in kept if old.until is None or old.until > self.env.now]
            if len(kept) >= RULES:
                return False
        found.rules = [*kept, rule]
        return True

    def _tell(self, what: str, found: Blacklist, rule: Rule) -> None:
        """Let the other workers do the same; their clock is the same."""
        self.env.bus.others(_TOPIC, (what, found.name, str(rule.net), rule.negated, rule.port, rule.proto, rule.pattern,
                                     rule.until))

    def _on_change(self, change: tuple[Any, ...]) -> None:
        what, name, net, *rest = change
        found = self.lists.get(name)
        if found is None or not found.dynamic:
            return
        rule = Rule(ipaddress.ip_network(net), *rest)
        if what == "add":
            self._put(found, rule)
        else:
            found.rules = [old for old in found.rules if not old.same(rule)]

    def _known(self) -> list[tuple[Any, ...]]:
        return [("add", found.name, str(rule.net), rule.negated, rule.port, rule.proto, rule.pattern, rule.until)
                for found in self.lists.values() if found.dynamic for rule in found.rules]

    def blocks(self, ctx: Ctx | None, proto: str, ip: str, port: int = 0,
               content: str | bytes = "") -> bool:
        """Say whether a list that this message uses blocks a destination; patterns are for `content`."""
        chosen = ctx.blacklists if ctx is not None else None
        if not self.lists:
            return False
        return any(self._hit(found, ip, port, proto, content) is not None for found in self.lists.values()
                   if found.default or (chosen and ("all" in chosen or found.name in chosen)))

    def _hit(self, found: Blacklist, ip: str, port: int, proto: str, content: str | bytes) -> Rule | None:
        """Return the rule of a list that blocks; expired ones are dropped on the way."""
        now = self.env.now
        if any(rule.until is not None and rule.until <= now for rule in found.rules):
            found.rules = [rule for rule in found.rules if rule.until is None or rule.until > now]
        try:
            address = ipaddress.ip_address(ip.strip("[]"))
        except ValueError:
            return None
        for rule in found.rules:
            if ((rule.net.version == address.version and address in rule.net) != rule.negated
                    and (not rule.port or rule.port == port)
                    and (not rule.proto or not proto or rule.proto == proto.lower())
                    and (not rule.pattern or fnmatch.fnmatchcase(_text(content), rule.pattern))):
                return rule
        return None

    # --- choosing ------------------------------------------------------------------------------------------------

    @function()
    def use_blacklist(self, ctx: Ctx, name: str) -> bool:
        """Use a list for the sends of this message; "all" means every list."""
        if name != "all" and name not in self.lists:
            self.env.log.error("there is no blacklist %r", name)
            return False
        if ctx.blacklists is None:
            ctx.blacklists = set()
        ctx.blacklists.add(name)
        return True

    @function()
    def unuse_blacklist(self, ctx: Ctx, name: str) -> bool:
        """Stop using a list for this message."""
        if name != "all" and name not in self.lists:
            return False
        if name == "all":
            ctx.blacklists = None
        elif ctx.blacklists is not None:
            if "all" in ctx.blacklists:
                ctx.blacklists = set(self.lists)
            ctx.blacklists.discard(name)
        return True

    @function()
    def check_blacklist_rule(self, ctx: Ctx, name: str, ip: str, port: int = 0, proto: str = "",
                             pattern: str = "") -> bool:
        """Say whether a list (or one of "all") blocks an address."""
        if name == "all":
            return any(self._hit(found, ip, port, proto, pattern) is not None for found in self.lists.values())
        found = self.lists.get(name)
        return found is not None and self._hit(found, ip, port, proto, pattern) is not None

    # --- management ----------------------------------------------------------------------------------------------

    @mi("list", group="blacklists", aliases=("list_blacklists",))
    def mi_list(self, name: str | None = None) -> dict[str, Any]:
        """List the blacklists with their rules."""
        if name is not None and name not in self.lists:
            raise MIError(404, "List not found")
        return {"Lists": [{"name": found.name, "owner": found.owner, "flags": found.flags,
                           "Rules": [self._shown(rule) for rule in found.rules]}
                          for found in self.lists.values() if name in (None, found.name)]}

    def _shown(self, rule: Rule) -> dict[str, Any]:
        shown = {"IP": str(rule.net.network_address), "Mask": str(rule.net.netmask), "Proto": rule.proto or "any",
                 "Port": rule.port, "Match": rule.pattern, "flags": "!" if rule.negated else ""}
        return shown if rule.until is None else {**shown, "expired": rule.until <= self.env.now}

    @mi("check_all", group="blacklists", aliases=("check_blacklists",), named_only=True)
    def mi_check_all(self, ip: str, proto: str = "", port: int = 0, pattern: str = "") -> list[str]:
        """List the blacklists that block a destination."""
        return [name for name, found in self.lists.items()
                if self._hit(found, ip, port, _proto(proto), pattern) is not None]

    @mi("check", group="blacklists", aliases=("check_blacklist",), named_only=True)
    def mi_check(self, name: str, ip: str, proto: str = "", port: int = 0, pattern: str = "") -> dict[str, Any]:
        """Show the rule of a blacklist that blocks a destination."""
        found = self.lists.get(name)
        rule = self._hit(found, ip, port, _proto(proto), pattern) if found is not None else None
        if rule is None:
            raise MIError(404, "List not found" if found is None else "Not blocked")
        return self._shown(rule)

    @mi("add_rule", group="blacklists", aliases=("add_blacklist_rule",), scope=Scope.EACH)
    def mi_add_rule(self, name: str, rule: str, expire: int = 0) -> None:
        """Add a rule, written as in the script, to a dynamic blacklist, for some seconds or for ever."""
        found, made = self._dynamic_rule(name, rule, expire)
        if not self._put(found, made):
            raise MIError(500, "List is full", f"at most {RULES} rules")

    @mi("del_rule", group="blacklists", aliases=("del_blacklist_rule",), scope=Scope.EACH)
    def mi_del_rule(self, name: str, rule: str) -> None:
        """Remove a rule from a dynamic blacklist."""
        found, made = self._dynamic_rule(name, rule, 0)
        kept = [old for old in found.rules if not old.same(made)]
        if len(kept) == len(found.rules):
            raise MIError(404, "Rule not found")
        found.rules = kept

    def _dynamic_rule(self, name: str, text: str, expire: int) -> tuple[Blacklist, Rule]:
        found = self.lists.get(name)
        if found is None or not found.dynamic:
            raise MIError(404, "List not found" if found is None else "List is read-only")
        try:
            rule = parse_rule(text)
        except ValueError as error:
            raise MIError(400, "Bad rule", str(error)) from None
        return found, replace(rule, until=self.env.now + expire) if expire > 0 else rule

    # --- changing ------------------------------------------------------------------------------------------------

    def _dynamic(self, name: str) -> Blacklist | None:
        found = self.lists.get(name)
        if found is None or not found.dynamic:
            self.env.log.error("there is no dynamic blacklist %r", name)
            return None
        return found

    @function()
    def add_blacklist_rule(self, ctx: Ctx, name: str, net: str, port: int = 0, proto: str = "", pattern: str = "",
                           expire: int = 0) -> bool:
        """Add a rule to a dynamic list, for `expire` seconds or for ever."""
        found = self._dynamic(name)
        rule = self._rule(net, port, proto, pattern, expire)
        if found is None or rule is None:
            return False
        if not self._put(found, rule):
            self.env.log.error("the blacklist %r is full: rules=%d", name, RULES)
            return False
        self._tell("add", found, rule)
        return True

    @function()
    def del_blacklist_rule(self, ctx: Ctx, name: str, net: str, port: int = 0, proto: str = "",
                           pattern: str = "") -> bool:
        """Remove a rule from a dynamic list."""
        found = self._dynamic(name)
        rule = self._rule(net, port, proto, pattern, 0)
        if found is None or rule is None:
            return False
        kept = [old for old in found.rules if not old.same(rule)]
        removed = len(kept) < len(found.rules)
        found.rules = kept
        self._tell("del", found, rule)
        return removed

    def _rule(self, net: str, port: int, proto: str, pattern: str, expire: int) -> Rule | None:
        try:
            network, negated = parse_net(net)
        except ValueError as error:
            self.env.log.error("bad blacklist rule: %s", error)
            return None
        return Rule(network, negated, port, _proto(proto), pattern, self.env.now + expire if expire > 0 else None)
