"""A small issue to compose from, with a slot in every kind of place."""

from newsletter.audience.keys import Keys
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.compose.composer import Composer
from newsletter.delivery.model import Delivery
from newsletter.render.model import (
    UNSUBSCRIBE_TOKEN,
    CompiledIssue,
    Part,
    Sender,
    Slot,
    SlotKind,
    Variant,
)

SIGNER = TokenSigner(Keys(b"s" * 32, b"p" * 32))
SENDER = Sender(
    from_name="Dr. Darrow’s newsletter",
    from_address="newsletter@clinic.example",
    reply_to="office@clinic.example",
    list_id="newsletter.clinic.example",
    list_name="Dr. Darrow’s newsletter",
    public_url="https://clinic.example",
)
UNSUBSCRIBE = Slot(UNSUBSCRIBE_TOKEN, SlotKind.TOKEN)


def name(kind: SlotKind) -> Slot:
    return Slot("first_name", kind, "there")


def compiled(
    *,
    subject: Part | None = None,
    html: Part | None = None,
    text: Part | None = None,
    sender: Sender = SENDER,
) -> CompiledIssue:
    variant = Variant(
        topics=frozenset(),
        subject=subject or Part(("For ", ": migraine – the neck"), (name(SlotKind.TEXT),)),
        preheader=Part(("Only 1 in 9",)),
        html=html
        or Part(
            ("<p>Dear ", ',</p>\n<a href="https://clinic.example/u/', '">Leave</a>\n'),
            (name(SlotKind.HTML), UNSUBSCRIBE),
        ),
        text=text
        or Part(
            ("Dear ", ",\n\nLeave: https://clinic.example/u/", "\n"),
            (name(SlotKind.TEXT), UNSUBSCRIBE),
        ),
    )
    return CompiledIssue(
        slug="neck",
        lang="en",
        date="2026-05-04",
        title="The neck",
        sender=sender,
        variants=(variant,),
        images=(),
        archive_html="",
        digest="0123456789abcdef" * 4,
    )


def composer(issue: CompiledIssue, **options: object) -> Composer:
    defaults = {
        "signer": SIGNER,
        "bounce_address": "bounces@clinic.example",
        "proof": False,
        "campaign_id": 7,
        "date": 1_790_000_000.0,
    }
    return Composer(issue, **{**defaults, **options})  # type: ignore[arg-type]


def reader(position: int = 1, first_name: str = "Maria") -> Delivery:
    address = f"reader{position}@mail.example"
    return Delivery(7, position, 1000 + position, address, 0, {"first_name": first_name})
