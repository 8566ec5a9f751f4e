"""The language's own words, written as modules: what a script can say without any loadmodule."""
from __future__ import annotations

from osip.core.exports.module import Module
from osip.script.builtins.blacklist import CoreBlacklist
from osip.script.builtins.body import CoreBody
from osip.script.builtins.branch import CoreBranch
from osip.script.builtins.cache import CoreCache
from osip.script.builtins.events import CoreEvents
from osip.script.builtins.flags import CoreFlags
from osip.script.builtins.identity import CoreIdentity
from osip.script.builtins.ip_trans import CoreIpTrans
from osip.script.builtins.json_tree import CoreJson
from osip.script.builtins.list_trans import CoreListTrans
from osip.script.builtins.log import CoreLog
from osip.script.builtins.message import CoreMessage
from osip.script.builtins.net import CoreNet
from osip.script.builtins.script import CoreScript
from osip.script.builtins.sdp import CoreSdp
from osip.script.builtins.stat import CoreStat
from osip.script.builtins.status import CoreStatus
from osip.script.builtins.strings import CoreStrings
from osip.script.builtins.text_trans import CoreTextTrans
from osip.script.builtins.time import CoreTime
from osip.script.builtins.uri import CoreUri
from osip.script.builtins.uri_trans import CoreUriTrans
from osip.script.builtins.vars import CoreVars
from osip.script.builtins.xml_tree import CoreXml

BUILTINS: tuple[type[Module], ...] = (
    CoreUri, CoreBranch, CoreMessage, CoreIdentity, CoreBody, CoreNet, CoreFlags, CoreVars, CoreJson, CoreTime,
    CoreScript, CoreLog, CoreEvents, CoreCache, CoreBlacklist, CoreStatus, CoreStrings, CoreUriTrans, CoreListTrans,
    CoreIpTrans, CoreTextTrans, CoreStat, CoreSdp, CoreXml)
"""The classes of all built-in words, to make a `Registry` from."""
