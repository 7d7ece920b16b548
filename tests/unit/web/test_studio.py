"""A view is what its URL says, and nothing a URL says can break it."""

from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from newsletter.render.theme import theme_css
from newsletter.settings.model import Theme
from newsletter.studio.page import READERS, View, read_view
from newsletter.studio.sandbox_frame import WIDTHS

VIEWS = st.builds(
    View,
    width=st.sampled_from(WIDTHS),
    scheme=st.sampled_from(["light", "dark"]),
    images=st.booleans(),
    part=st.sampled_from(["html", "text"]),
    reader=st.sampled_from(list(READERS)),
    variant=st.integers(0, 3),
)


@given(VIEWS)
def test_a_view_comes_back_from_its_url(view: View) -> None:
    assert read_view(QueryParams(view.query), 4) == view


@given(st.dictionaries(st.sampled_from(["width", "scheme", "reader", "variant"]), st.text()))
def test_nonsense_gives_a_view_that_exists(query: dict[str, str]) -> None:
    view = read_view(QueryParams(query), 1)
    assert view.width in WIDTHS
    assert view.reader in READERS
    assert view.variant == 0


def test_both_palettes_become_properties() -> None:
    theme = Theme()
    light, dark = theme_css(theme).split("@media screen and (prefers-color-scheme: dark)")
    for name, colour in theme.light.model_dump().items():
        assert f"--{name}: {colour};" in light
    for name, colour in theme.dark.model_dump().items():
        assert f"--{name}: {colour};" in dark
