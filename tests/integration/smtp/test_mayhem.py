"""Random faults in any number and order: the promises hold."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.errors import UnavailableError
from tests.integration.smtp.sending import bench, deliveries
from tests.support.smtp_server import Fault, Server

STEPS = ["connect", "ehlo", "mail", "rcpt", "data", "body", "dot", "rset", "quit"]
REPLIES = [
    "",
    "421 4.3.2 closing",
    "450 4.2.1 later",
    "550 5.1.1 no",
    "250 2.0.0 ok",
    "354 go",
    "?",
]

faults = st.builds(
    Fault,
    at=st.sampled_from(STEPS),
    reply=st.sampled_from(REPLIES),
    drop=st.sampled_from(["", "", "before", "after"]),
    every=st.integers(1, 9),
    times=st.integers(1, 6),
    after_bytes=st.integers(0, 15_000),
).filter(lambda fault: fault.at != "body" or not fault.reply.startswith("2"))
"""Not a server that accepts a message before its end: no client can guard against that."""


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(faults, max_size=5), st.booleans(), st.booleans(), st.integers(1, 4))
def test_nobody_twice_and_nobody_lost(script, pipelining, careless, connections):
    async def run():
        async with Server(faults=script, pipelining=pipelining, careless=careless) as server:
            test = bench(server, connections=connections, timeout=0.5)
            try:
                await test.send(deliveries(25))
            except UnavailableError:
                assert not server.received
                assert not test.log.begun_at

    asyncio.run(run())
