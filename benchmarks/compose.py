"""What one message costs: our composing beside Jinja2 and the standard library, in one process.

Run: python -m benchmarks.compose
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import SMTP

from jinja2 import Environment

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

ROUNDS = 5
HTML_BYTES = 45_000
TEXT_BYTES = 6_000
NAMES = ("Maria", "Zoë", "O’Brien", "Wei")
_CELL = (
    '<td style="padding:0 24px;font-size:17px;line-height:27px">The neck and the head – {}.</td>\n'
)


def issue() -> CompiledIssue:
    """An issue of the sample's size: 45 KB of HTML with six slots, 6 KB of text with three."""
    html = "".join(_CELL.format(number) for number in range(HTML_BYTES // (len(_CELL) + 6)))
    text = "The muscles of the neck and the head are neighbours – and talk.\n" * (TEXT_BYTES // 66)
    name, token = (
        Slot("first_name", SlotKind.HTML, "there"),
        Slot(UNSUBSCRIBE_TOKEN, SlotKind.TOKEN),
    )
    third = len(html) // 3
    variant = Variant(
        topics=frozenset(),
        subject=Part(
            ("For ", ": what the neck tells"), (Slot("first_name", SlotKind.TEXT, "you"),)
        ),
        preheader=Part(("Only 1 in 9",)),
        html=Part(
            (
                "<html><body>",
                html[:third],
                html[third : 2 * third],
                html[2 * third :],
                "/u/",
                '">Leave</a>',
                "</body></html>\n",
            ),
            (name, name, name, token, token, name),
        ),
        text=Part(
            ("Dear ", ",\n" + text + "\nhttps://clinic.example/u/", "\n", "\n"),
            (
                Slot("first_name", SlotKind.TEXT, "there"),
                Slot(UNSUBSCRIBE_TOKEN, SlotKind.TOKEN),
                Slot("first_name", SlotKind.TEXT, "there"),
            ),
        ),
    )
    sender = Sender(
        "A clinic’s newsletter",
        "news@clinic.example",
        "",
        "news.clinic.example",
        "News",
        "https://clinic.example",
    )
    return CompiledIssue(
        "neck", "en", "2026-05-04", "The neck", sender, (variant,), (), "", "0" * 64
    )


def ours(compiled: CompiledIssue) -> Callable[[Delivery], bytes]:
    """Composing as this program does it."""
    signer = TokenSigner(Keys(b"s" * 32, b"p" * 32))
    composer = Composer(
        compiled, signer=signer, bounce_address="bounces@clinic.example", proof=False, campaign_id=1
    )
    return lambda delivery: composer(delivery).data


def usual(compiled: CompiledIssue) -> Callable[[Delivery], bytes]:
    """Composing as most programs do it: render both parts, build a message, serialise it."""
    environment = Environment(autoescape=True)
    variant = compiled.variants[0]
    html, text, subject = (
        environment.from_string(_source(part))
        for part in (variant.html, variant.text, variant.subject)
    )

    def compose(delivery: Delivery) -> bytes:
        values: Mapping[str, str] = {**delivery.values, UNSUBSCRIBE_TOKEN: "t" * 32}
        message = EmailMessage(policy=SMTP)
        message["From"] = "A clinic’s newsletter <news@clinic.example>"
        message["To"] = delivery.email
        message["Subject"] = subject.render(values)
        message["List-Unsubscribe"] = f"<https://clinic.example/u/{'t' * 32}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(text.render(values), cte="quoted-printable")
        message.add_alternative(html.render(values), subtype="html", cte="quoted-printable")
        return message.as_bytes()

    return compose


def _source(part: Part) -> str:
    slots = [f"{{{{ {slot.name} }}}}" for slot in part.slots]
    return "".join(a + b for a, b in zip(part.segments, [*slots, ""], strict=True))


def microseconds(compose: Callable[[Delivery], bytes], count: int) -> float:
    """CPU time of one message."""
    people = [
        Delivery(
            1, n, 1000 + n, f"reader{n}@mail.example", 0, {"first_name": NAMES[n % len(NAMES)]}
        )
        for n in range(1, count + 1)
    ]
    start = time.process_time()
    for person in people:
        compose(person)
    return (time.process_time() - start) / count * 1e6


def main() -> None:
    """Print both costs and their ratio, the median of interleaved rounds."""
    compiled = issue()
    fast, slow = ours(compiled), usual(compiled)
    size = len(fast(Delivery(1, 1, 1, "reader@mail.example", 0, {"first_name": "Maria"})))
    rounds = [(microseconds(fast, 2000), microseconds(slow, 40)) for _ in range(ROUNDS)]
    mine = statistics.median(a for a, _ in rounds)
    theirs = statistics.median(b for _, b in rounds)
    ratio = statistics.median(b / a for a, b in rounds)
    sys.stdout.write(
        f"one message of {size / 1000:.0f} KB on the wire, CPU time\n"
        f"  composed here                  {mine:8.1f} µs\n"
        f"  Jinja2 and email.EmailMessage  {theirs:8.1f} µs\n"
        f"  ratio                          {ratio:8.0f} ×\n"
    )


if __name__ == "__main__":
    main()
