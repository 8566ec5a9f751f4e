"""Management commands as web pages: a list, a form for each command, its result."""
from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import quote

from osip.api import MIError, Module, OsipError, TracedCommands, needs, param, rpc

LONGEST_RESULT = 1 << 20
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
            "frame-ancestors 'none'", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_STYLE = ("body{font-family:sans-serif;margin:2em;max-width:70em}pre{background:#eee;padding:1em;overflow:auto}"
          "label{display:block;margin:.5em 0}dt{margin-top:1em;font-weight:bold}")


class MiHtml(TracedCommands, Module):
    """Web pages under `/root`. Commands are always sent by POST: a link that changes something could be followed by
    a page of another site."""
    root = param("mi", doc="First part of the path.")
    http_method = param(0, ge=0, le=1, removed="commands are sent by POST, pages are read by GET")
    httpd = needs("httpd")

    def mod_init(self) -> None:
        """Take the path."""
        self._base = f"/{self.root.strip('/')}"
        self.httpd.register(self.root, self._serve, for_tenants=True)
        self.env.announcements.append(f"MI {self.httpd.url}{self._base} (pages)")

    async def _serve(self, request: Any) -> Any:
        from aiohttp import web

        if request.method not in ("GET", "HEAD", "POST"):
            return web.Response(status=405, headers={"Allow": "GET, POST"})
        name = request.match_info["path"].strip("/").partition("/")[2]
        status, parts = 200, [self._list()]
        if name:
            try:
                spec = self.env.mi.find(name)
                parts = [self._form(spec)]
                if request.method == "POST":
                    parts.append(await self._result(request, spec))
            except MIError as error:
                status, parts = 404, [f"<p>{escape(error.message)}: {escape(name[:100])}</p>"]
        return web.Response(status=status, text=self._page(name, parts), content_type="text/html", headers=_HEADERS)

    def _page(self, name: str, parts: Iterable[str]) -> str:
        title = escape(name[:100] or "Management commands")
        return (f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
                f'<style>{_STYLE}</style></head><body>'
                f'<h1>{title}</h1>{"".join(parts)}<p><a href="{escape(self._base)}">All commands</a></p>'
                "</body></html>")

    def _list(self) -> str:
        rows = []
        for name in self.env.mi.names():
            spec = self.env.mi.find(name)
            also = f" ({', '.join(spec.aliases)})" if spec.aliases else ""
            rows.append(f'<dt><a href="{escape(self._base)}/{quote(name)}">{escape(name)}</a>{escape(also)}</dt>'
                        f"<dd>{escape(spec.doc)}</dd>")
        return f"<dl>{''.join(rows)}</dl>"

    def _form(self, spec: Any) -> str:
        fields = "".join(f'<label>{escape(arg.label)} <input name="{escape(arg.label)}"'
                         f'{"" if arg.optional else " required"}></label>' for arg in spec.args)
        return (f'<p>{escape(spec.doc)}</p><form method="post" action="{escape(self._base)}/{quote(spec.canonical)}">'
                f'{fields}<button>Run</button></form>')

    async def _result(self, request: Any, spec: Any) -> str:
        fields = await request.post()
        given = {arg.label: fields[arg.label].split() if arg.kind == "list" else fields[arg.label] for arg in spec.args
                 if isinstance(fields.get(arg.label), str) and fields[arg.label]}
        try:
            value = await self.commands.perform(spec.canonical, given, request["caller"])
        except MIError as error:
            more = f" ({error.data})" if error.data else ""
            return f"<p>Error {error.code}: {escape(error.message + more)}</p>"
        except OsipError as error:
            return f"<p>Error: {escape(str(error))}</p>"
        text = rpc.encode(value, True).decode()
        more = f"\n... ({len(text)} characters)" if len(text) > LONGEST_RESULT else ""
        return f"<pre>{escape(text[:LONGEST_RESULT] + more)}</pre>"
