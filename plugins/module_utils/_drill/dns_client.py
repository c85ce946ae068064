# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking and changing DNS servers: one record set at a time, each failure told with server, zone, key and remedy.

Updates are RFC 2136 messages, signed as RFC 8945 says. A change carries the record set it replaces as a prerequisite,
so that the server itself refuses it when somebody else was faster: compare and swap in one message.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import socket
import typing as t
from dataclasses import dataclass

from .._repository.errors import ContinuityError, InputError
from .dns_library import dns, require

#: What a key may sign with. MD5 and SHA-1 are not among them.
ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
TYPES = ("A", "AAAA", "CNAME")


class DnsError(ContinuityError):
    """A DNS server did not do what it was asked, or gave no answer that can be believed."""


class RecordChangedError(ContinuityError):
    """A record is neither what it was expected to be nor what it shall become."""


@dataclass(frozen=True)
class Server:
    """A DNS server. ``name`` is for people, ``address`` an address or a name of the host."""

    name: str
    address: str
    port: int = 53

    @classmethod
    def from_settings(cls, settings: str | t.Mapping[str, t.Any], port: int = 53) -> Server:
        """Read ``ns1.example.com`` or ``{name, address, port}``; raises :class:`InputError`."""
        if isinstance(settings, str):
            return cls(settings, settings, port)
        address = str(settings.get("address") or "")
        if not address or set(settings) - {"name", "address", "port"}:
            raise InputError(
                f"{dict(settings)!r} does not describe a DNS server.",
                "Give its address, or a dictionary of address, and where needed name and port.",
            )
        return cls(str(settings.get("name") or address), address, int(settings.get("port") or port))

    def __str__(self) -> str:
        return f"{self.name} ({self.address} port {self.port})"

    def socket_address(self) -> str:
        """Return the IP address; raises :class:`DnsError` when the name has none."""
        try:
            return str(ipaddress.ip_address(self.address))
        except ValueError:
            pass
        try:
            return str(socket.getaddrinfo(self.address, self.port, type=socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            raise DnsError(
                f"The DNS server {self} has no address that this host could find: {error}.",
                "Correct its name, or give its address.",
            ) from error


class Key:
    """A TSIG key.

    :arg secret: base64, as in the server's configuration.
    """

    def __init__(self, name: str, secret: str, algorithm: str = ALGORITHMS[0]) -> None:
        require()
        self.name = name.rstrip(".")
        self.algorithm = algorithm
        try:
            raw = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if not raw:
            # The secret itself is not shown.
            raise InputError(
                f"The secret of the TSIG key {self.name} is not base64.",
                "Copy it from the key's `secret` in the DNS server's configuration, as tsig-keygen wrote it.",
            )
        if algorithm not in ALGORITHMS:
            raise InputError(
                f"The algorithm {algorithm} of the TSIG key {self.name} is not one of {', '.join(ALGORITHMS)}.",
                "Make a key with: tsig-keygen -a hmac-sha256 NAME",
            )
        self.tsig = dns.tsig.Key(name, raw, algorithm)


@dataclass(frozen=True)
class RecordSet:
    """All values of one name and type, sorted, as DNS writes them; none when there is no such record."""

    values: tuple[str, ...]
    ttl: int | None = None

    def __str__(self) -> str:
        return told(self.values)


def told(values: t.Iterable[str]) -> str:
    """Write values for people."""
    return ", ".join(sorted(values)) or "no record"


def canonical(kind: str, value: str) -> str:
    """Write a value so that equal ones are the same text; raises :class:`InputError` for one that the type cannot have.

    Names are taken as absolute, with or without their last dot.
    """
    try:
        if kind == "A":
            return str(ipaddress.IPv4Address(value.strip()))
        if kind == "AAAA":
            return str(ipaddress.IPv6Address(value.strip()))
    except ValueError as error:
        raise InputError(
            f"{value} is no value of a record of type {kind}.", "Give an IP address of that kind."
        ) from error
    name = value.strip().rstrip(".").lower()
    if not name or " " in name or any(not 0 < len(label) <= 63 for label in name.split(".")):
        raise InputError(f"{value!r} is no name of a host.", "Give the whole name, such as dr.example.com.")
    return name


def canonical_set(kind: str, values: t.Iterable[str]) -> tuple[str, ...]:
    """Return values in their :func:`canonical` form, sorted and without repetitions."""
    return tuple(sorted({canonical(kind, value) for value in values}))


@dataclass(frozen=True)
class Question:
    """A record set of a zone. Names are absolute; their last dot may be left out."""

    zone: str
    record: str
    kind: str

    @property
    def name(self) -> t.Any:
        """The record's name as dnspython has it."""
        return dns.name.from_text(self.record)


@dataclass(frozen=True)
class Answer:
    """What a server said.

    :ivar authoritative: whether it speaks for the zone itself.
    """

    found: RecordSet
    authoritative: bool


def ask(
    question: Question, server: Server, *, key: Key | None = None, recursive: bool = False, timeout: float = 5
) -> Answer:
    """Ask one server for a record set, over TCP. Raises :class:`DnsError`.

    :arg recursive: whether the server is a resolver, which asks others; else it must speak for the zone itself.
    """
    require()
    query = dns.message.make_query(question.name, question.kind)
    if not recursive:
        query.flags &= ~dns.flags.RD
    response = _exchange(query, server, question.zone, key, timeout)
    if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise _refusal(response.rcode(), server, question.zone, key)
    authoritative = bool(response.flags & dns.flags.AA)
    if not recursive and not authoritative:
        raise DnsError(
            f"The DNS server {server} does not speak for the zone {question.zone}: its answer is not authoritative.",
            "Correct the list of servers, the zone's NS records, or load the zone on that server.",
        )
    return Answer(_record_set(response, question, recursive), authoritative)


def _record_set(response: t.Any, question: Question, recursive: bool) -> RecordSet:
    kind = dns.rdatatype.from_text(question.kind)
    name = question.name
    for rrset in response.answer:
        if rrset.name == name and rrset.rdtype == kind:
            return RecordSet(_values(question.kind, rrset), rrset.ttl)
        if rrset.name == name and rrset.rdtype == dns.rdatatype.CNAME:
            if recursive:
                name = rrset[0].target
                continue
            raise RecordChangedError(
                f"{question.record} is a CNAME of {rrset[0].target.to_text(omit_final_dot=True)}, "
                f"and not of type {question.kind}.",
                "Set the type of this record to CNAME, or replace the CNAME in the zone beforehand.",
            )
    return RecordSet(())


def _values(kind: str, rrset: t.Any) -> tuple[str, ...]:
    return canonical_set(kind, (rdata.to_text() for rdata in rrset))


def replace_record(
    question: Question,
    server: Server,
    old: RecordSet,
    new: RecordSet,
    *,
    key: Key | None = None,
    dry_run: bool = False,
    timeout: float = 10,
) -> None:
    """Replace ``old``, which must be what the server has, by ``new``, which may be empty.

    Values are compared by the server, as prerequisites of the update; a TTL cannot be one (RFC 2136, 2.4).

    :arg dry_run: send the prerequisites alone, which change nothing.

    Raises :class:`RecordChangedError` naming what was found instead, or :class:`DnsError`.
    """
    require()
    update = dns.update.UpdateMessage(dns.name.from_text(question.zone))
    _require_old(update, question, old)
    if not dry_run:
        if old.values:
            update.delete(question.name, question.kind)
        for value in new.values:
            update.add(question.name, new.ttl or 0, question.kind, _absolute(question.kind, value))
    response = _exchange(update, server, question.zone, key, timeout)
    code = response.rcode()
    if code in (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN):
        found = ask(question, server, key=key, timeout=timeout).found
        raise changed_error(question.record, question.kind, str(server), found.values, [old.values])
    if code != dns.rcode.NOERROR:
        raise _refusal(code, server, question.zone, key)


def changed_error(
    record: str, kind: str, where: str, found: t.Iterable[str], accepted: t.Iterable[t.Iterable[str]]
) -> RecordChangedError:
    """Return the error of a record that somebody else has changed."""
    expected = " or ".join(dict.fromkeys(told(values) for values in accepted))
    return RecordChangedError(
        f"{record} {kind} at {where} was expected to be {expected}, and is {told(found)}. It was left as it is.",
        "Find out who changed it. When what is there now is right, correct `expected` or `values` in traffic_records; "
        "when it is not, set the record to one of the expected values. Then run this again.",
    )


def _require_old(update: t.Any, question: Question, old: RecordSet) -> None:
    for value in old.values:
        update.present(question.name, question.kind, _absolute(question.kind, value))
    if not old.values and question.kind == "CNAME":
        # A CNAME stands alone: servers ignore one that is added beside other records, without an error.
        update.absent(question.name)
    elif not old.values:
        update.absent(question.name, question.kind)
    if question.kind != "CNAME":
        update.absent(question.name, "CNAME")


def _absolute(kind: str, value: str) -> str:
    return f"{value}." if kind == "CNAME" else value


def _exchange(message: t.Any, server: Server, zone: str, key: Key | None, timeout: float) -> t.Any:
    if key is not None:
        message.use_tsig(key.tsig)
    address = server.socket_address()
    try:
        response = dns.query.tcp(message, address, timeout=timeout, port=server.port)
    except dns.exception.Timeout as error:
        raise DnsError(
            f"The DNS server {server} did not answer about the zone {zone} within {timeout:g} seconds.",
            f"Check that it runs, and that this host may reach its port {server.port} over TCP.",
        ) from error
    except dns.tsig.PeerError as error:
        raise _key_error(error, server, zone, key) from error
    except (dns.tsig.BadSignature, dns.tsig.BadKey, dns.tsig.BadAlgorithm, dns.tsig.BadTime) as error:
        raise DnsError(
            f"The answer of the DNS server {server} about the zone {zone} is not signed with {_key(key)}: "
            f"{type(error).__name__}.",
            "Check that nothing between this host and the server answers in its place.",
        ) from error
    except (OSError, EOFError) as error:
        raise DnsError(
            f"The DNS server {server} cannot be reached about the zone {zone}: {error or type(error).__name__}.",
            f"Check that it runs, and that this host may reach its port {server.port} over TCP.",
        ) from error
    except dns.exception.DNSException as error:
        raise DnsError(
            f"The DNS server {server} gave an answer about the zone {zone} that is none: "
            f"{error or type(error).__name__}.",
            "Check that its address and port are those of a DNS server.",
        ) from error
    if key is not None and not response.had_tsig and response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise DnsError(
            f"The DNS server {server} did not sign its answer about the zone {zone}, asked with {_key(key)}.",
            "Check that nothing between this host and the server answers in its place.",
        )
    return response


def _key(key: Key | None) -> str:
    return f"the key {key.name} ({key.algorithm})" if key else "no key"


def _key_error(error: Exception, server: Server, zone: str, key: Key | None) -> DnsError:
    """RFC 8945, 5.2: what a server says when it does not accept a signature."""
    told = f"The DNS server {server} refused {_key(key)} for the zone {zone}"
    if isinstance(error, dns.tsig.PeerBadKey):
        return DnsError(
            f"{told}: it knows no key of this name and algorithm (BADKEY).",
            "Correct key_name and key_algorithm, or add the key to the server's configuration and reload it.",
        )
    if isinstance(error, dns.tsig.PeerBadSignature):
        return DnsError(
            f"{told}: the secret is another one there (BADSIG).",
            "Copy the key's secret from the server's configuration into the vault.",
        )
    if isinstance(error, dns.tsig.PeerBadTime):
        return DnsError(
            f"{told}: its clock and the clock of this host differ by more than 5 minutes (BADTIME).",
            "Have both synchronised, with chrony or systemd-timesyncd; `timedatectl` shows whether they are.",
        )
    return DnsError(f"{told}: {error or type(error).__name__}.", "Look into the server's log.")


def _refusal(code: t.Any, server: Server, zone: str, key: Key | None) -> DnsError:
    name = dns.rcode.to_text(code)
    reasons = {
        dns.rcode.REFUSED: (
            f"does not allow this with {_key(key)}",
            "Grant it in the zone's update-policy or allow-update, and queries in allow-query; or give the right key.",
        ),
        dns.rcode.NOTAUTH: (
            "is not the primary server of this zone",
            "Correct `zone`, or give the zone's primary as `server`: the SOA record names it.",
        ),
        dns.rcode.NOTZONE: (
            "says that the record is not in this zone",
            "Correct `zone`: it is the name that has the SOA record above this record.",
        ),
        dns.rcode.SERVFAIL: (
            "could not do it",
            "Look into its log: often the zone is not loaded or has expired, or its file or journal cannot be written.",
        ),
        dns.rcode.NOTIMP: ("does not take updates", "Give the zone's primary as `server`, or use another provider."),
    }
    reason, next_step = reasons.get(code, ("refused", "Look into the server's log."))
    return DnsError(f"The DNS server {server} {reason} (zone {zone}, {name}).", next_step)


def authoritative_servers(zone: str, resolvers: t.Sequence[Server] = (), timeout: float = 5) -> list[Server]:
    """Return a zone's servers by its NS records, one for each address.

    :arg resolvers: whom to ask; by default this host's own resolvers. Raises :class:`DnsError`.
    """
    require()
    resolver = dns.resolver.Resolver(configure=not resolvers)
    if resolvers:
        resolver.nameservers = [server.socket_address() for server in resolvers]
        resolver.nameserver_ports = {server.socket_address(): server.port for server in resolvers}
    resolver.lifetime = timeout
    try:
        names = sorted(rdata.target.to_text() for rdata in resolver.resolve(dns.name.from_text(zone), "NS"))
    except (dns.exception.DNSException, OSError) as error:
        raise DnsError(
            f"The servers of the zone {zone} could not be looked up: {error}.",
            "Correct `zone`, or list the zone's servers as `servers` of the record.",
        ) from error
    servers = [server for name in names for server in _addresses(resolver, name)]
    if not servers:
        raise DnsError(
            f"None of the servers of the zone {zone} has an address: {', '.join(names)}.",
            "Correct the zone's NS records, or list the zone's servers as `servers` of the record.",
        )
    return servers


def _addresses(resolver: t.Any, name: str) -> t.Iterator[Server]:
    for kind in ("A", "AAAA"):
        try:
            for rdata in resolver.resolve(dns.name.from_text(name), kind):
                yield Server(name.rstrip("."), rdata.to_text())
        except (dns.exception.DNSException, OSError):
            continue
