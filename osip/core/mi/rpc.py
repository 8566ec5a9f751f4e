"""Speak JSON-RPC 2.0: request bytes in, answer bytes out. Transports (HTTP, FIFO, datagram) are adapters around it."""
from __future__ import annotations

import json
import logging
from typing import Any

import orjson

from osip.core.errors import MIError, OsipError
from osip.core.mi.access import LOCAL, Caller
from osip.core.mi.commands import SERVER_ERROR, Performer

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
MAX_BATCH = 100

_log = logging.getLogger("osip.mi")


async def answer(commands: Performer, body: bytes, pretty: bool = False, caller: Caller = LOCAL) -> bytes | None:
    """Run the request or batch in `body`; None when there is nothing to answer (notifications)."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return encode(_error(None, PARSE_ERROR, "Parse error", str(error)), pretty)
    if isinstance(request, list):
        if not request or len(request) > MAX_BATCH:
            return encode(_error(None, INVALID_REQUEST, "Invalid Request", f"a batch has 1 to {MAX_BATCH} requests"),
                          pretty)
        answers = [reply for reply in [await _one(commands, item, caller) for item in request] if reply is not None]
        return encode(answers, pretty) if answers else None
    reply = await _one(commands, request, caller)
    return encode(reply, pretty) if reply is not None else None


async def _one(commands: Performer, request: Any, caller: Caller) -> dict[str, Any] | None:
    fault = _fault(request)
    if fault:
        ident = request.get("id") if isinstance(request, dict) else None
        return _error(ident if _is_id(ident) else None, INVALID_REQUEST, "Invalid Request", fault)
    silent = "id" not in request
    ident = request.get("id")
    try:
        result = await commands.perform(request["method"], request.get("params"), caller)
    except MIError as error:
        return None if silent else _error(ident, error.code, error.message, error.data)
    except OsipError as error:
        return None if silent else _error(ident, SERVER_ERROR, "Server error", str(error))
    except Exception as error:                      # a broken command must not take the transport down
        _log.error("management command failed method=%s error=%r", request["method"], error, exc_info=error)
        return None if silent else _error(ident, SERVER_ERROR, "Server error", "see the log")
    return None if silent else {"jsonrpc": "2.0", "result": result, "id": ident}


def _fault(request: Any) -> str:
    """Say what is wrong with a request; "" when it is one."""
    if not isinstance(request, dict):
        return "a request is an object"
    if request.get("jsonrpc") != "2.0":
        return '"jsonrpc" must be "2.0"'
    if not isinstance(request.get("method"), str):
        return '"method" must be a string'
    if not isinstance(request.get("params", []), (list, dict)):
        return '"params" must be an array or an object'
    if not _is_id(request.get("id")):
        return '"id" must be a number, a string or null'
    return ""


def _is_id(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float, str)) and not isinstance(value, bool))


def notification(method: str, params: dict[str, Any]) -> bytes:
    """Return a notification; parameters without names (1, 2, …) become an array."""
    numbered = bool(params) and all(key.isdigit() for key in params)
    return encode({"jsonrpc": "2.0", "method": method, "params": list(params.values()) if numbered else params})


def _error(ident: Any, code: int, message: str, data: Any = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "error": error, "id": ident}


def encode(value: Any, pretty: bool = False) -> bytes:
    """Encode as JSON; text that is not UTF-8 (from the network) is replaced, never refused."""
    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if pretty else 0)
    try:
        return orjson.dumps(value, option=option)
    except (orjson.JSONEncodeError, UnicodeEncodeError, TypeError):
        try:
            text = json.dumps(value, ensure_ascii=False, indent=2 if pretty else None, default=str)
        except (RecursionError, ValueError, TypeError):         # nested too deeply, within itself, or with odd keys
            ident = value.get("id") if isinstance(value, dict) else None
            return encode(_error(ident if _is_id(ident) else None, SERVER_ERROR, "Server error",
                                 "the result cannot be written as JSON"), pretty)
        return text.encode("utf-8", "replace")
