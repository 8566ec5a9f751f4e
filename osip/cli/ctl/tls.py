"""`osipctl tls`: make an authority of one's own, and certificates that it signs."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail, patience

CA_DAYS, DAYS = 3650, 365
VALID = click.IntRange(1, 36500)
LONGEST_NAME = 64               # of a common name (RFC 5280 appendix A.1)


@click.group(cls=Verbs)
def tls() -> None:
    """An authority of your own, and certificates for servers and users."""


@tls.command("rootCA")
@click.option("--name", default="osip CA", show_default=True, metavar="NAME", help="What the authority is called.")
@click.option("--days", default=CA_DAYS, show_default=True, type=VALID, help="How long it is valid.")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def root_ca(site: Site, folder: Path | None, name: str, days: int) -> None:
    """Make an authority in FOLDER/rootCA: cacert.pem, which others are to trust, and private/cakey.pem.

    Without FOLDER it is `tls` in ETCDIR of opensipsctlrc, or here.
    """
    place = _folder(site, folder) / "rootCA"
    made = _made("make_authority", place, _checked(name, " "), days)
    site.done(f"authority {name}: {made}",
              f"its key, {place / 'private' / 'cakey.pem'}, has no password: whoever reads it can sign certificates")


@tls.command("userCERT")
@click.option("--days", default=DAYS, show_default=True, type=VALID, help="How long it is valid.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Another name or address of the server.")
@click.argument("user")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def user_cert(site: Site, user: str, folder: Path | None, days: int, hosts: tuple[str, ...]) -> None:
    """Make a key and a certificate for USER: the domain of a server (`example.com`), or NAME@DOMAIN.

    FOLDER/USER gets USER-privkey.pem, USER-cert.pem and USER-calist.pem (the authority), for tls_mgm's `private_key`,
    `certificate` and `ca_list`.
    """
    place = _folder(site, folder)
    if not (place / "rootCA" / "cacert.pem").exists():
        fail(f"there is no authority in {place / 'rootCA'}: make one with osipctl tls rootCA {place}")
    made = _made("make_certificate", place / _checked(user), place / "rootCA", user,
                 tuple(_checked(host, ":[]") for host in hosts), days)
    site.done(f"certificate of {user}: {made}")


def _checked(name: str, more: str = "") -> str:
    """Return a name that is fit for certificates and files; UsageError when it is not."""
    if not name or len(name) > LONGEST_NAME or name[0] in ".-" or not name.isascii() or not all(
            char.isalnum() or char in "@._-+" + more for char in name):
        raise click.UsageError(f"{name!r} is no name: letters, digits and @ . _ - +, at most {LONGEST_NAME}")
    return name


def _folder(site: Site, folder: Path | None) -> Path:
    return folder if folder is not None else Path(site.rc.get("ETCDIR", ".")) / "tls"


def _made(what: str, *words: Any) -> Path:
    try:
        from osip.cli.ctl import certificate
    except ImportError:
        fail("this needs the package cryptography: pip install 'osip[crypto]'")
    try:
        with patience("making keys"):
            path: Path = getattr(certificate, what)(*words)
        return path
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    except ValueError as error:
        fail(f"the authority cannot be used: {error}")
