"""Many users whose phones SIPp plays: it registers them with digest, and sends to them."""
from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kit.crowd import PASSWORD
from kit.peer import Sipp, SippCounts, sipp
from kit.server import Running
from kit.user import SCENARIOS

WINDOW = 30                 # users of a group whose requests are under way at once
SLOWEST = 4                 # users of a group that a busy machine manages in a second


class Phones:
    """Users u0, u1... of example.com that always register together: each keeps its Call-ID, and counts CSeq up."""

    def __init__(self, name: str, users: Collection[int], folder: Path) -> None:
        self.name, self.users, self.folder = name, users, folder
        self._file = folder / f"{name}.users"
        self._file.write_text("SEQUENTIAL\n" + "".join(f"u{user};[authentication username=u{user} password={PASSWORD}]\n" for user in users))
        self._log = folder / f"{name}.log"
        self._cseq = -1

    @contextmanager
    def registering(self, server: Running, expires: int = 600, rate: int = 5000) -> Iterator[Sipp]:
        """Register all of them, so many a second at most, while the block runs."""
        self._cseq += 2
        with sipp(self.folder, server.address, "-sf", SCENARIOS / "register_users.xml", "-inf", self._file,
                  "-key", "expires", expires, "-cid_str", f"%u-{self.name}@phones", "-base_cseq", self._cseq,
                  "-trace_logs", "-log_file", self._log, "-m", len(self.users), "-r", rate, "-l", WINDOW, "-nd",
                  name=f"{self.name}-{self._cseq}") as client:
            yield client

    def accepted(self) -> set[int]:
        """Return those whose last REGISTER was answered with 200."""
        return {int(user) for user in re.findall(r"accepted u(\d+)\n", self._log.read_text())} if self._log.exists() else set()


def patience(users: Collection[int]) -> float:
    """Return how long to wait for users at most, in seconds."""
    return 30 + len(users) / SLOWEST


def register(server: Running, *groups: tuple[Phones, int]) -> None:
    """Register groups of phones beside each other, each for its own time; all are accepted."""
    with ExitStack() as stack:
        clients = [stack.enter_context(phones.registering(server, expires)) for phones, expires in groups]
        for (phones, _), client in zip(groups, clients, strict=True):
            counts = client.finish(patience(phones.users))
            assert (counts.successful, counts.failed) == (len(phones.users), 0), counts.errors[-2000:]
            assert phones.accepted() == set(phones.users)


def send_to(server: Running, users: Collection[int], answer: int, folder: Path) -> SippCounts:
    """Send a MESSAGE to each of the users; `answer` is what the server has to say to all of them."""
    scenario, names = folder / f"message{answer}.xml", folder / f"message{answer}.users"
    scenario.write_text((SCENARIOS / "message_users.xml").read_text().replace("LAST", str(answer)))
    names.write_text("SEQUENTIAL\n" + "".join(f"u{user}\n" for user in users))
    with sipp(folder, server.address, "-sf", scenario, "-inf", names, "-m", len(users), "-r", 5000, "-l", WINDOW, "-nd",
              name=f"message{answer}") as client:
        counts = client.finish(patience(users))
    assert (counts.successful, counts.failed) == (len(users), 0), counts.errors[-2000:]
    return counts
