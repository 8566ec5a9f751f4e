"""`osipctl ping` and `cisco_restart`: have the running server send a request and show what came back."""
from __future__ import annotations

import os
import socket
import time
from typing import Any

import click

from osip.cli.client import Unreachable
from osip.cli.ctl.alias import checked_uri
from osip.cli.ctl.site import Site, Verb, said
from osip.cli.output import FAILED, MI_FAILED, fail
from osip.core.errors import MIError

NO_RESPONSE = 408


def headers_of(site: Site, uri: str, *more: str) -> str:
    """Return the headers that the server cannot know."""
    domain = os.environ.get("SIP_DOMAIN", "") or site.rc.get("SIP_DOMAIN") or socket.gethostname() or "localhost"
    own = "".join(char if char.isalnum() or char in ".-" else "-" for char in domain)
    return "".join(line + "\r\n" for line in (f"From: <sip:osipctl@{own}>;tag=osipctl{os.getpid()}", f"To: <{uri}>",
                                              f"Contact: <sip:osipctl@{own}>", *more))


def send(site: Site, method: str, uri: str, timeout: float, socket_name: str = "", more: tuple[str, ...] = ()) -> str:
    """Send a request from the server; return its status. MIError when the server cannot."""
    params: dict[str, Any] = {"method": method, "ruri": uri, "headers": headers_of(site, uri, *more)}
    if socket_name:
        params["socket"] = socket_name
    return str(site.try_mi("t_uac_dlg", params, timeout)["Status"])


def sip_uri(text: str) -> str:
    """Return a URI; `sip:` may be left out."""
    return checked_uri(text if text.startswith(("sip:", "sips:")) else "sip:" + text)


@click.command(cls=Verb)
@click.argument("uri")
@click.option("-c", "--count", type=click.IntRange(1), default=1, show_default=True, help="How often.")
@click.option("--socket", "socket_name", default="", metavar="PROTO:HOST:PORT", help="Send from this socket of the server.")
@click.option("--timeout", type=click.FloatRange(0.1), default=40.0, show_default=True, help="Seconds to wait for an answer.")
@click.pass_obj
def ping(site: Site, uri: str, count: int, socket_name: str, timeout: float) -> None:
    """Send OPTIONS to a URI from the server, and show answer and round-trip time. Needs module tm."""
    rows, answered = [], 0
    for number in range(1, count + 1):
        began = time.monotonic()
        try:
            status = send(site, "OPTIONS", sip_uri(uri), timeout, socket_name)
            answered += 1
        except Unreachable as error:
            fail(str(error), error.code)
        except MIError as error:
            if error.code not in (500, NO_RESPONSE):
                fail(said("t_uac_dlg", error), MI_FAILED)
            status = error.message
        rows.append((number, sip_uri(uri), status, round(1000 * (time.monotonic() - began), 1)))
        if number < count:
            time.sleep(min(1.0, max(0.0, 1.0 - (time.monotonic() - began))))
    site.show_rows(("number", "uri", "status", "milliseconds"), rows)
    if not answered:
        raise SystemExit(FAILED)


@click.command("cisco_restart", cls=Verb)
@click.argument("uri")
@click.pass_obj
def cisco_restart(site: Site, uri: str) -> None:
    """Ask a phone to restart or read its settings again (NOTIFY with Event: check-sync). Needs module tm."""
    try:
        status = send(site, "NOTIFY", sip_uri(uri), 40.0, more=("Event: check-sync",))
    except Unreachable as error:
        fail(str(error), error.code)
    except MIError as error:
        fail(said("t_uac_dlg", error), MI_FAILED)
    site.done(f"{uri}: {status}")
    if not status.startswith("2"):
        raise SystemExit(FAILED)
