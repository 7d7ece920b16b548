"""A process that keeps two tables in step, transaction by transaction, until it is ended."""

import itertools
import sys

from sqlalchemy import insert, make_url

from newsletter.audience.tables import consent_event, subscriber
from newsletter.store.engine import connect


def main(url: str) -> None:
    store = connect(make_url(url))
    for number in itertools.count(1):
        person = {"uid": number, "email": "", "email_key": str(number), "address_hash": b"x" * 500}
        event = {"subscriber_uid": number, "list_name": "", "action": "", "source": ""}
        with store.write() as connection:
            connection.execute(
                insert(subscriber).values(**person, created_at=number, updated_at=number)
            )
            connection.execute(insert(consent_event).values(**event, at=number))
        if number == 50:
            print("writing", flush=True)


main(sys.argv[1])
