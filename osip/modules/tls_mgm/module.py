"""Declare tls_mgm: domains from parameters and a table, chosen for each handshake; reload; variables."""
from __future__ import annotations

from typing import Any

from osip.api import (
    Ctx,
    Dest,
    Env,
    LocalSocket,
    MIError,
    Module,
    ModuleError,
    Replicated,
    Scope,
    StoreError,
    TlsDomain,
    avp_name,
    function,
    mi,
    open_tables,
    param,
    table,
    worker_of,
)
from osip.modules.tls_mgm.domain import CLIENT, SERVER, DomainSettings, build, split_value
from osip.modules.tls_mgm.variable import TlsVariables, session_of

_TEXTS = ("tls_method", "certificate", "private_key", "crl_dir", "ca_list", "ca_dir", "ciphers_list", "dh_params",
          "ec_curve")
_SWITCHES = ("verify_cert", "require_cert", "verify_name", "crl_check_all")
_LISTS = ("match_ip_address", "match_sip_domain")


def _each(doc: str) -> Any:
    return param(multiple=True, kind=(str, int), doc=doc + " `[domain]value`.")


class TlsMgm(TlsVariables, Module):
    """TLS domains."""

    tls_library = param("auto", choices=("auto", "openssl", "wolfssl"), doc="Accepted; Python's library (OpenSSL) is used.")
    client_domain_avp = param("", removed="set client_tls_domain_avp to the AVP with the name of a TLS domain, or "
                              "client_sip_domain_avp")
    client_tls_domain_avp = param("", parse=lambda text: avp_name(text) if "$" in text else text,
                                  doc="AVP that names the client domain to use.")
    client_sip_domain_avp = param("", parse=lambda text: avp_name(text) if "$" in text else text,
                                  doc="AVP with the SIP domain by which the client domain is chosen, and which the "
                                  "server's certificate must show.")
    server_domain = param(multiple=True, kind=str, doc="Name of a server domain; `name=ip:port` as in 2.x.")
    client_domain = param(multiple=True, kind=str, doc="Name of a client domain; `name=ip:port` as in 2.x.")
    match_ip_address = _each("Addresses `ip[:port]` that a domain is for, commas between: the socket's, the peer's; `*` any.")
    match_sip_domain = _each("SIP domains that a domain is for, commas between; `*.example.com`, `none` for clients "
                             "that name none.")
    tls_method = _each("Versions: SSLv23 (TLS 1.2 and newer, the default), TLSv1_2, TLSv1_3, ranges such as `TLSv1_2-`.")
    verify_cert = _each("1 (default): verify the peer's certificate.")
    require_cert = _each("1 (default): refuse clients without a certificate.")
    verify_name = _each("1 (default): the server's certificate must show the name that was asked for (RFC 5922); 2: names "
                        "such as `*.example.com` count, as on the web; 0: any name will do.")
    certificate = _each("File of the certificate and its chain (PEM).")
    private_key = _each("File of the private key (PEM); without it that of the certificate.")
    crl_check_all = _each("1: look for every certificate of a chain in the revocation lists.")
    crl_dir = _each("Folder of revocation lists (.pem, .crl, or named by hash).")
    ca_list = _each("File of the authorities to trust (PEM).")
    ca_dir = _each("Folder of the authorities to trust (.pem, .crt, .cer, or named by hash).")
    ciphers_list = _each("Ciphers of TLS 1.2, in OpenSSL's notation.")
    dh_params = _each("File of Diffie-Hellman parameters.")
    ec_curve = _each("Curve for the key exchange.")
    db_url = param("", doc="Database with more domains; without it there are those of the script alone.")
    db_table = param("tls_mgm", doc="Table of domains.")
    domain_col = param("domain", doc="Column of the name.")
    type_col = param("type", doc="Column of the type: 1 client, 2 server.")
    address_col = param("", removed="set match_ip_address_col")
    match_ip_address_col = param("match_ip_address", doc="Column.")
    match_sip_domain_col = param("match_sip_domain", doc="Column.")
    tls_method_col = param("method", doc="Column.")
    verify_cert_col = param("verify_cert", doc="Column.")
    require_cert_col = param("require_cert", doc="Column.")
    certificate_col = param("certificate", doc="Column of the certificate itself (PEM).")
    private_key_col = param("private_key", doc="Column of the key itself (PEM).")
    crl_check_all_col = param("crl_check_all", doc="Column.")
    crl_dir_col = param("crl_dir", doc="Column.")
    ca_list_col = param("ca_list", doc="Column of the authorities themselves (PEM).")
    ca_dir_col = param("ca_dir", doc="Column.")
    ciphers_list_col = param("cipher_list", doc="Column.")
    dh_params_col = param("dh_params", doc="Column of the parameters themselves (PEM).")
    ec_curve_col = param("ec_curve", doc="Column.")
    rows = table("tls_mgm", 3, "domain char(64), match_ip_address char(255)?, match_sip_domain char(255)?, type i32=1, "
                 "method char(16)?=SSLv23, verify_cert i32?=1, require_cert i32?=1, certificate blob?, private_key blob?, "
                 "crl_check_all i32?=0, crl_dir char(255)?, ca_list mediumblob?, ca_dir char(255)?, cipher_list char(255)?, "
                 "dh_params blob?, ec_curve char(255)?", unique="domain,type")

    def mod_init(self) -> None:
        """Make the domains of the script."""
        self._from_script: list[DomainSettings] = []
        self._from_table: list[DomainSettings] = []
        self._servers: list[tuple[DomainSettings, TlsDomain]] = []
        self._clients: list[tuple[DomainSettings, TlsDomain]] = []
        self.sessions = Replicated(self.env.bus, "tls_mgm.sessions") if self.env.workers > 1 else None
        self._is_sharing = False
        try:
            self._from_script = self._read_params()
            self._build(self._from_script)
        except ValueError as error:
            raise ModuleError(f"tls_mgm: {error}") from None
        self.env.choose_tls = self._choose

    async def child_init(self, env: Env) -> None:
        """Read the table."""
        if self.db_url:
            try:
                await self._reload()
            except (ValueError, StoreError) as error:
                raise ModuleError(f"tls_mgm: {error}") from None

    def reload_params(self, changes: dict[str, Any]) -> set[str]:
        """Make the domains anew for new connections; with a fault those that are stay."""
        old = {name: getattr(self, name) for name in changes}
        for name, value in changes.items():
            setattr(self, name, value)
        try:
            domains = self._read_params()
            self._build([*domains, *self._from_table])
        except ValueError as error:
            for name, value in old.items():
                setattr(self, name, value)
            self.env.log.error("tls_mgm: the TLS domains stay as they are: %s", error)
            return set()
        self._from_script = domains
        return set(changes) - {"db_url", "db_table"}

    # --- reading -------------------------------------------------------------------------------------------------

    def _read_params(self) -> list[DomainSettings]:
        domains: list[DomainSettings] = []
        for kind, given in ((SERVER, self.server_domain), (CLIENT, self.client_domain)):
            for text in given:
                name, _, place = text.partition("=")
                one = DomainSettings(name.strip(), kind)
                if place.strip():
                    one.match_ip_address.append(place.strip())
                domains.append(one)
        values = [(key, *split_value(str(text), frozenset(one.name for one in domains)))
                  for key in (*_TEXTS, *_SWITCHES, *_LISTS) for text in getattr(self, key)]
        if any(name == "default" for _, name, _ in values) and not any(one.name == "default" for one in domains):
            # Without a domain's name a value is for the default ones, as in scripts of 1.x and 2.x.
            domains += [DomainSettings("default", SERVER), DomainSettings("default", CLIENT)]
        for key, name, value in values:
            meant = [one for one in domains if one.name == name]
            if not meant:
                raise ValueError(f'{key} is set for the domain "{name}", which server_domain and client_domain do not name')
            for one in meant:
                _set(one, key, value)
        return [one for one in domains if one.name != "default" or one.type == CLIENT or one.certificate]

    async def _read_table(self) -> list[DomainSettings]:
        import sqlalchemy as sa

        sql = await open_tables(self.env, self.db_url, {self.db_table: self.rows}, "tls_mgm")
        names = {key: getattr(self, f"{key}_col") for key in (
            "domain", "type", *_LISTS, *_TEXTS, *(key for key in _SWITCHES if key != "verify_name"))}
        columns = [sa.column(column).label(f"osip_{key}") for key, column in names.items()]
        found = []
        for row in await sql.fetch(sa.select(*columns).select_from(sa.table(self.db_table))):
            one = DomainSettings(str(row["osip_domain"]), SERVER if int(row["osip_type"] or 0) == 2 else CLIENT)
            for key in names:
                value = row[f"osip_{key}"]
                if key not in ("domain", "type") and value not in (None, "", b""):
                    _set(one, key, bytes(value).decode() if isinstance(value, bytes | memoryview) else str(value))
            found.append(one)
        return found

    def _build(self, every: list[DomainSettings]) -> None:
        """Make the contexts of all domains, then take them over: a fault changes nothing."""
        made = [(one, build(one)) for one in every]
        made.sort(key=lambda pair: pair[0].specificity())
        self._servers = [pair for pair in made if pair[0].type == SERVER]
        self._clients = [pair for pair in made if pair[0].type == CLIENT]
        for one, _ in made:
            if one.type == SERVER and one.verify_cert and not one.ca_list and not one.ca_dir:
                self.env.log.warning("tls_mgm: server domain %s verifies clients and trusts nobody: set ca_list or ca_dir, or "
                                     "verify_cert to 0", one.name)
            warning = self.expiry_warning(one, self.env.wall())
            if warning:
                self.env.log.warning("tls_mgm: %s", warning)

    async def _reload(self) -> None:
        rows = await self._read_table() if self.db_url else []
        self._build([*self._from_script, *rows])
        self._from_table = rows

    # --- choosing (osip.core.net.tls.Domains) --------------------------------------------------------------------

    def server(self, local: LocalSocket, name: str) -> TlsDomain | None:
        """Return the domain of a client that asked a socket for a name; None refuses it."""
        return next((made for one, made in self._servers
                     if one.matches_address(local.host, local.port) and one.matches_name(name)), None)

    def client(self, dest: Dest) -> TlsDomain | None:
        """Return the domain to connect with: the one that was named, else the one that fits address and name."""
        if dest.domain:
            return next((made for one, made in self._clients if one.name == dest.domain), None)
        return next((made for one, made in self._clients
                     if one.matches_address(dest.host, dest.port) and one.matches_name(dest.name)), None)

    def share(self, number: int, layer: Any) -> None:
        """Tell the other workers of a session, or with None that it is over: a message may be theirs."""
        if self.sessions is None:
            return
        if not self._is_sharing:                # what is told of this worker is of the one whose place it took
            self._is_sharing = True
            for old, _ in self.sessions.items():
                if worker_of(old) == self.env.number:
                    self._forget(old)
        if layer is not None:
            self.sessions.set(number, tuple(session_of(layer)))
        else:
            self._forget(number)

    def _forget(self, number: int) -> None:
        if self.sessions is not None and self.sessions.get(number) is not None:
            self.sessions.delete(number)

    def client_context(self, name: str) -> Any:
        """Return the context of a client domain, for other modules; None when there is none."""
        return next((made.context for one, made in self._clients if one.name == name), None)

    def _choose(self, ctx: Ctx, dest: Dest) -> None:
        """Fill in what AVPs say of the connection that a message is sent on."""
        avps = ctx.avps
        if not avps:
            return
        if self.client_tls_domain_avp and (values := avps.get(self.client_tls_domain_avp)):
            dest.domain = str(values[-1])
        if self.client_sip_domain_avp and (values := avps.get(self.client_sip_domain_avp)):
            dest.name = str(values[-1])

    # --- script and management -----------------------------------------------------------------------------------

    @function("Q")
    def is_peer_verified(self, ctx: Ctx) -> bool:
        """Say whether the message came over TLS from a peer with a verified certificate."""
        return self.peer_verified(ctx) == 1

    @mi("reload", aliases=("tls_reload",), scope=Scope.EACH)
    async def mi_reload(self) -> None:
        """Read certificates, keys and the table again; open connections stay. With a fault nothing changes."""
        try:
            await self._reload()
        except (ValueError, StoreError, ModuleError) as error:
            raise MIError(500, "TLS domains were not reloaded", str(error)) from None

    @mi("list", aliases=("tls_list",))
    def mi_list(self) -> dict[str, Any]:
        """List the domains."""
        return {"Domains": [one.listing() for one, _ in (*self._servers, *self._clients)]}


def _set(one: DomainSettings, key: str, value: str) -> None:
    if key in _LISTS:
        getattr(one, key).extend(part.strip() for part in value.split(",") if part.strip())
    elif key in _SWITCHES:
        allowed = ("0", "1", "2") if key == "verify_name" else ("0", "1")
        if value.strip() not in allowed:
            raise ValueError(f'{key} of domain {one.name} is {" or ".join(allowed)}, not "{value}"')
        setattr(one, key, int(value) if key == "verify_name" else value.strip() == "1")
    else:
        setattr(one, key, value)
