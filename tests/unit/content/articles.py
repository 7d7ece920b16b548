"""The front matter that every article in these tests starts with."""

from collections.abc import Callable

from newsletter.content.model import Issue
from newsletter.errors import InputError

HEAD = "subject: News\npreheader: Soon\ndate: 2026-03-31\n"
BODY_LINE = 6
"""The line of the file on which the body starts."""

Read = Callable[..., Issue]
Refuse = Callable[..., InputError]
