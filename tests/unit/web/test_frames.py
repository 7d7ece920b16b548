"""Colour schemes are decided on the server, whatever the viewer's own is."""

import pytest

from newsletter.studio.sandbox_frame import force_scheme, frame_response, local_pictures


@pytest.mark.parametrize(
    ("css", "light", "dark"),
    [
        (
            "@media (prefers-color-scheme: dark){p{color:red}}",
            "@media (max-width:0px){p{color:red}}",
            "@media (min-width:0px){p{color:red}}",
        ),
        (
            "@media screen and ( PREFERS-color-scheme:light ) {",
            "@media screen and (min-width:0px) {",
            "@media screen and (max-width:0px) {",
        ),
        (":root{color-scheme: light dark;}", ":root{color-scheme: light;}", None),
        ("supported-color-schemes:light dark", "supported-color-schemes:light", None),
        (
            '<meta name="color-scheme" content="light dark">',
            None,
            '<meta name="color-scheme" content="dark">',
        ),
        ("<p>the prefers-color-scheme: dark rule</p>",) * 3,
    ],
)
def test_a_scheme_is_forced(css: str, light: str | None, dark: str | None) -> None:
    assert light is None or force_scheme(css, "light") == light
    assert dark is None or force_scheme(css, "dark") == dark


def test_only_hosted_pictures_move_here() -> None:
    html = '<img src="https://a.example/media/x.png"><a href="https://a.example/u/t">'
    moved = '<img src="/media/x.png"><a href="https://a.example/u/t">'
    assert local_pictures(html, "https://a.example") == moved


def test_without_pictures_not_even_data_is_shown() -> None:
    policy = frame_response("", images=False).headers["content-security-policy"]
    assert "img-src 'none'" in policy
    assert "data:" not in policy
