"""A nameserver on loopback, over UDP and TCP, that answers from zone text and can misbehave."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

Fault = Literal["servfail", "silent", "truncate"]
_ROOT = "$ORIGIN .\n$TTL 60\n. IN SOA ns.invalid. admin.invalid. 1 1 1 1 1\n"


@dataclass
class DnsServer:
    """Answers for every name there is; those of its zone exist.

    ``faults`` by name: SERVFAIL, no answer at all, or a cut-off answer over UDP.
    """

    zone: dns.zone.Zone
    faults: Mapping[str, Fault]
    address: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, type, and "udp" or "tcp"."""

    def answer(self, wire: bytes, over: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype), over))
        fault = self.faults.get(name)
        if fault == "silent":
            return None
        reply = dns.message.make_response(query)
        if fault == "servfail":
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif fault == "truncate" and over == "udp":
            reply.flags |= dns.flags.TC
        else:
            self._fill(reply, question.name, question.rdtype)
        return reply.to_wire()

    def _fill(self, reply: dns.message.Message, name: dns.name.Name, kind: Any) -> None:
        node = self.zone.get_node(name)
        if node is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            return
        alias = self.zone.get_rdataset(name, "CNAME")
        found = self.zone.get_rdataset(name, kind)
        for data in [found or alias] if found or alias else []:
            reply.answer.append(dns.rrset.from_rdata_list(name, data.ttl, list(data)))
        if alias and not found:
            self._fill(reply, alias[0].target, kind)
            reply.set_rcode(dns.rcode.NOERROR)


@contextlib.contextmanager
def dns_server(zone: str, faults: Mapping[str, Fault] | None = None) -> Iterator[DnsServer]:
    """Serve zone text in which every name is absolute, without the final dot."""
    parsed = dns.zone.from_text(_ROOT + zone, origin=".", relativize=False, check_origin=False)
    server = DnsServer(parsed, faults or {})

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, socket = self.request
            if answer := server.answer(data, "udp"):
                socket.sendto(answer, self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            (length,) = struct.unpack("!H", self.rfile.read(2))
            if answer := server.answer(self.rfile.read(length), "tcp"):
                self.wfile.write(struct.pack("!H", len(answer)) + answer)

    with _same_port(Udp, Tcp) as (udp, tcp), _running(udp), _running(tcp):
        server.address = f"127.0.0.1:{tcp.server_address[1]}"
        yield server


@contextlib.contextmanager
def _same_port(
    udp_handler: Any, tcp_handler: Any
) -> Iterator[tuple[socketserver.UDPServer, socketserver.TCPServer]]:
    """Take a TCP port whose number is free over UDP as well."""
    for _ in range(20):
        tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), tcp_handler)
        try:
            udp = socketserver.ThreadingUDPServer(tcp.server_address, udp_handler)
        except OSError:
            tcp.server_close()
            time.sleep(0.01)
            continue
        with tcp, udp:
            yield udp, tcp
        return
    raise RuntimeError("no port is free for both UDP and TCP")


@contextlib.contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
