"""The publication's colors as CSS, for all pages."""

from newsletter.settings.model import Palette, Theme


def theme_css(theme: Theme) -> str:
    """The publication’s colors as CSS custom properties: light and, on screens only, dark."""
    light, dark = _properties(theme.light), _properties(theme.dark)
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )


def _properties(palette: Palette) -> str:
    return " ".join(f"--{name}: {color};" for name, color in palette.model_dump().items())
