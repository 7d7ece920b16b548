"""One small article with every block, as its readers get it."""

from newsletter.render.model import CompiledIssue
from newsletter.render.slots import preview_part
from tests.support.golden import check_golden

READER = {"first_name": "Maria"}


def test_html_part(every_block: CompiledIssue) -> None:
    html = preview_part(every_block.variants[-1].html, READER)
    check_golden("render/every-block.html", html.replace("><", ">\n<") + "\n")


def test_text_part(every_block: CompiledIssue) -> None:
    check_golden("render/every-block.txt", preview_part(every_block.variants[-1].text, READER))


def test_archive_page(every_block: CompiledIssue) -> None:
    check_golden("render/every-block.archive.html", every_block.archive_html)
