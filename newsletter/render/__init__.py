"""Issue and templates in, compiled issue out: the same bytes every time."""

from newsletter.render.codec import deserialize, serialize
from newsletter.render.compile import compile_issue, write_text
from newsletter.render.model import (
    UNSUBSCRIBE_TOKEN,
    CompiledIssue,
    Image,
    Part,
    Sender,
    Slot,
    SlotKind,
    Variant,
)
from newsletter.render.slots import encode_value, preview_part

__all__ = [
    "UNSUBSCRIBE_TOKEN",
    "CompiledIssue",
    "Image",
    "Part",
    "Sender",
    "Slot",
    "SlotKind",
    "Variant",
    "compile_issue",
    "deserialize",
    "encode_value",
    "preview_part",
    "serialize",
    "write_text",
]
