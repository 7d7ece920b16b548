from collections.abc import Callable, Iterator

import pytest

from newsletter.settings.model import Sendgrid
from tests.integration.sendgrid.sending import Bench
from tests.support.sendgrid_fake import FakeSendGrid, sendgrid

MakeBench = Callable[..., Bench]


@pytest.fixture
def server() -> Iterator[FakeSendGrid]:
    with sendgrid() as fake:
        yield fake


@pytest.fixture
def bench(server: FakeSendGrid) -> MakeBench:
    """Returns a function that makes a bench for the server; its options are settings."""

    def make(**options: object) -> Bench:
        given = {"host": server.url, "timeout": 10.0, "concurrency": 2, **options}
        return Bench(server, Sendgrid.model_validate(given))

    return make
