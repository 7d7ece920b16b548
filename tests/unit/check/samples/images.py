"""Samples for the rules of group `images`."""

from io import BytesIO
from random import Random

from PIL import Image

from tests.unit.check.project import Sample, mail


def _picture(width: int, height: int, *, noise: bool = False) -> bytes:
    data = Random(7).randbytes(width * height * 3) if noise else bytes(width * height * 3)
    out = BytesIO()
    Image.frombytes("RGB", (width, height), data).save(out, "PNG")
    return out.getvalue()


SMALL = _picture(40, 30)
HERO = "{image: leaf.png, alt: 'A leaf'}"


def _body(rule: str, markdown: str, data: bytes = SMALL, at: str = "leaf.png") -> Sample:
    body = f"Words.\n\nMore words\n{markdown}"
    return Sample(f"images/{rule}", body, at=at, pictures={"leaf.png": data})


FIRES = (
    _body("alt", "![](leaf.png)"),
    _body("alt", '![](leaf.png "A leaf")'),
    Sample(
        "images/alt",
        front={"hero": "{image: leaf.png, alt: ''}"},
        at="hero",
        pictures={"leaf.png": SMALL},
    ),
    Sample(
        "images/alt",
        file="templates/email/article.mjml",
        templates={"article.mjml": mail(more='<img src="https://www.nih.gov/a.png" width="9" />')},
    ),
    _body("alt-file-name", "![leaf.png](leaf.png)"),
    _body("alt-file-name", "![IMG_2041](leaf.png)"),
    _body("too-heavy", "![A leaf](leaf.png)", _picture(640, 600, noise=True)),
    _body("heavy", "![A leaf](leaf.png)", _picture(280, 280, noise=True)),
    Sample(
        "images/heavy",
        front={"hero": HERO},
        at="hero",
        pictures={"leaf.png": _picture(280, 280, noise=True)},
    ),
    _body("wide", "![A leaf](leaf.png)", _picture(2401, 4)),
    Sample(
        "images/no-width",
        file="templates/email/article.mjml",
        templates={"article.mjml": mail(more='<img src="https://www.nih.gov/a.png" alt="" />')},
    ),
)

NEAR_MISSES = (
    _body("alt", "![A leaf](leaf.png)"),
    _body("alt", '![](leaf.png "decorative")'),
    Sample("images/alt", front={"hero": HERO}, pictures={"leaf.png": SMALL}),
    _body("alt-file-name", "![A leaf called leaf.png](leaf.png)"),
    _body("too-heavy", "![A leaf](leaf.png)", _picture(280, 280, noise=True)),
    _body("heavy", "![A leaf](leaf.png)", _picture(200, 200, noise=True)),
    _body("heavy", "![A leaf](leaf.png)", _picture(640, 600, noise=True)),
    _body("wide", "![A leaf](leaf.png)", _picture(1200, 4)),
    _body("no-width", "![A leaf](leaf.png)"),
)
