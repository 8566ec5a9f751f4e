"""Management interface as XML-RPC over HTTP: the method is the command, its parameters stand alone or in a struct."""
from __future__ import annotations

import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

from osip.api import Caller, MIError, Module, OsipError, TracedCommands, needs, param

XML = "text/xml"
MAX_INT = 2 ** 31


class MiXmlrpc(TracedCommands, Module):
    """XML-RPC by `POST /RPC2`."""
    http_root = param("RPC2", doc="First part of the path.")
    format_version = param(2, removed="answers are structs")
    httpd = needs("httpd")

    def mod_init(self) -> None:
        """Take the path."""
        self.httpd.register(self.http_root, self._serve, for_tenants=True)
        self.env.announcements.append(f"MI {self.httpd.url}/{self.http_root.strip('/')} (XML-RPC)")

    async def _serve(self, request: Any) -> Any:
        from aiohttp import web

        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"}, text="send XML-RPC by POST\n")
        body = await request.read()
        return web.Response(body=await self.answer(body, request["caller"]), content_type=XML)

    async def answer(self, body: bytes, caller: Caller) -> bytes:
        """Run the call in `body` and return the answer or the fault."""
        # An entity can name others and grow beyond all bounds, and no call needs one.
        if b"<!" in body:
            return _fault(-32700, "Parse error: no DOCTYPE and no entities, please")
        try:
            args, method = xmlrpc.client.loads(body)
        except (ExpatError, xmlrpc.client.Error, ValueError, TypeError, IndexError, KeyError, AttributeError,
                OverflowError, RecursionError) as error:
            return _fault(-32700, f"Parse error: {error}")
        if method is None:
            return _fault(-32600, "Invalid Request: no method")
        params: Any = args[0] if len(args) == 1 and isinstance(args[0], dict) else list(args)
        try:
            result = await self.commands.perform(method, _plain(params), caller)
        except MIError as error:
            return _fault(error.code, error.message + (f": {error.data}" if error.data else ""))
        except OsipError as error:
            return _fault(-32000, str(error))
        except Exception as error:                  # a broken command must not take the transport down
            self.env.log.error("management command failed method=%s error=%r", method, error, exc_info=error)
            return _fault(-32000, "Server error: see the log")
        return xmlrpc.client.dumps((_fit(result),), methodresponse=True, allow_none=True).encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    """Return parameters as JSON has them."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value if isinstance(value, str | int | float | None) else str(value)


def _fit(value: Any) -> Any:
    """Return a result with nothing that XML-RPC cannot carry."""
    if isinstance(value, dict):
        return {_text(str(key)): _fit(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_fit(one) for one in value]
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if -MAX_INT <= value < MAX_INT else str(value)
    return _text(str(value))


def _text(text: str) -> str:
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r").encode("utf-8", "replace").decode()


def _fault(code: int, text: str) -> bytes:
    return xmlrpc.client.dumps(xmlrpc.client.Fault(code, _text(text)), methodresponse=True).encode("utf-8", "replace")
