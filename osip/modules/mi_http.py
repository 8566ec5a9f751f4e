"""Management interface over HTTP: JSON-RPC 2.0 in the body of a POST."""
from __future__ import annotations

from typing import Any

from osip.api import Module, needs, param
from osip.api import rpc as json_rpc

JSON = "application/json"


class MiHttp(Module):
    """JSON-RPC 2.0 by `POST /root`."""
    root = param("mi", aliases=("mi_http_root",), doc="First part of the path.")
    trace_destination = param("", doc="Trace of commands; accepted.")
    trace_bwlist = param("", doc="Which commands to trace; accepted.")
    pretty_printing = param(0, doc="Indent the answers.")
    mi_http_method = param(0, removed="commands are sent by POST")
    httpd = needs("httpd")

    def mod_init(self) -> None:
        self.httpd.register(self.root, self._serve)
        self.env.announcements.append(f"MI {self.httpd.url}/{self.root.strip('/')}")

    async def _serve(self, request: Any) -> Any:
        from aiohttp import web

        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"}, text="send JSON-RPC 2.0 by POST\n")
        if request.content_type != JSON:
            return web.Response(status=400, text=f"Content-Type must be {JSON}\n")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text=f"a request may have {self.httpd.max_body} bytes\n")
        answer = await json_rpc.answer(self.env.mi, body, bool(self.pretty_printing))
        if answer is None:
            return web.Response(status=204)
        return web.Response(body=answer, content_type=JSON)
