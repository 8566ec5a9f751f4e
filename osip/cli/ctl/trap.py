"""`osipctl trap`: write down where every process of the server is, and what its tasks wait for; also when it hangs."""
from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

import click

from osip.cli.client import Unreachable
from osip.cli.ctl.life import pid_of, pid_option, pid_path
from osip.cli.ctl.site import Site, Verb
from osip.cli.output import clean, fail
from osip.core.errors import MIError
from osip.core.run.log import redact
from osip.core.run.trap import END, MASTER, NAME, number

ANSWER_SECONDS = 2.0
"""How long a loop that turns may need until it wrote its tasks."""
LONGEST = 16 << 20


def processes(site: Site, pid_file: str) -> list[int]:
    """Return the master and its workers: by the pid file, without one as the server lists them; ends the program if none."""
    pid = pid_of(pid_file)
    if pid:
        return [pid, *children(pid)]
    try:
        return [int(one["PID"]) for one in site.try_mi("ps", timeout=ANSWER_SECONDS)["Processes"]]
    except (Unreachable, MIError) as error:
        fail(f"no server runs by {pid_file}, and {error}. Name its processes: osipctl trap --pid PID", 3)


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            found += [int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    return sorted(found)


def memory_of(pid: int) -> str:
    """Return the path of the memory file into which a process writes; "" when it has none. PermissionError may come."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return ""
    for name in names:
        with suppress(FileNotFoundError):
            if os.readlink(f"{folder}/{name}").startswith(f"/memfd:{NAME}"):
                return f"{folder}/{name}"
    return ""


def stacks_of(pid: int, seconds: float = ANSWER_SECONDS) -> str:
    """Have a process write its stacks and return them; words about what is missing stand in their place."""
    try:
        path = memory_of(pid)
        if not path:
            return "(no osip, or none that can be asked on this system)\n"
        fd = os.open(path, os.O_RDWR)
    except PermissionError:
        return "(it belongs to another user: run osipctl trap as root)\n"
    except OSError as error:
        return f"(it ended: {error.strerror})\n"
    try:
        os.ftruncate(fd, 0)
        os.kill(pid, number())
        text = _wait(fd, seconds, not os.readlink(path).startswith(f"/memfd:{MASTER}"))
        os.ftruncate(fd, 0)
    except ProcessLookupError:
        return "(it ended)\n"
    finally:
        os.close(fd)
    return text


def _wait(fd: int, seconds: float, has_loop: bool) -> str:
    until, text = time.monotonic() + seconds, ""
    while time.monotonic() < until:
        text = os.pread(fd, LONGEST, 0).decode("utf-8", "replace")
        if END in text or (not has_loop and "most recent call first" in text):
            return text
        time.sleep(0.02)
    if has_loop and text:
        text += f"\n(its loop did not turn within {seconds:g} seconds: it is busy or hangs where the thread above stands)\n"
    return text or f"(no answer within {seconds:g} seconds)\n"


def title(pid: int) -> str:
    """Return a heading: pid, state, and the command line without passwords."""
    line = state = ""
    with suppress(OSError):
        line = clean(redact(Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()))
        state = re.sub(r".*\nState:\s*([^\n]*)\n.*", r"\1", Path(f"/proc/{pid}/status").read_text(), flags=re.DOTALL)
    return f"---- pid {pid}, {state or 'gone'}: {line}"


@click.command(cls=Verb)
@pid_option
@click.option("--pid", "pids", type=click.IntRange(1), multiple=True, help="Only this process; may be repeated.")
@click.option("--to", "path", default="", metavar="FILE", help="Where to write; - is stdout.  [default: osip-trap-TIME.txt]")
@click.pass_obj
def trap(site: Site, pid_file: str | None, pids: tuple[int, ...], path: str) -> None:
    """Write the stacks of all processes to a file, also when the server hangs; it goes on working."""
    chosen = list(pids) or processes(site, pid_path(site, pid_file))
    parts = [f"osip trap {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n"]
    parts += [f"{title(pid)}\n\n{stacks_of(pid)}" for pid in chosen]
    text = "\n".join(parts)
    if path == "-":
        click.echo(text)
        return
    path = path or time.strftime("osip-trap-%Y%m%d-%H%M%S.txt")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "w") as out:
            out.write(text)
    except OSError as error:
        fail(f"{path}: {error.strerror}; --to names another file")
    site.done(f"{len(chosen)} processes written to {path}")
