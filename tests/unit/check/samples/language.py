"""Samples for the rules of group `language`."""

from tests.unit.check.project import Sample

FIRES = (
    Sample("language/no-catalog", front={"lang": "cy"}, at="lang: cy"),
    Sample("language/no-catalog", front={"lang": "eo-001"}, at="lang: eo-001"),
    Sample("language/no-catalog", front={"lang": "xx"}, at="lang: xx"),
    Sample("language/direction", front={"lang": "ar", "dir": "ltr"}, at="dir: ltr"),
    Sample("language/direction", front={"lang": "he-IL", "dir": "auto"}, at="dir: auto"),
    Sample("language/direction", front={"dir": "rtl"}, at="dir: rtl"),
)

NEAR_MISSES = (
    Sample("language/no-catalog"),
    Sample("language/no-catalog", front={"lang": "en-GB"}),
    Sample("language/no-catalog", front={"lang": "es"}),
    Sample("language/no-catalog", front={"lang": "es-419"}),
    Sample("language/direction", front={"lang": "ar"}),
    Sample("language/direction", front={"lang": "fa", "dir": "rtl"}),
    Sample("language/direction", front={"lang": "es", "dir": "auto"}),
    Sample("language/direction", front={"lang": "xx"}),
)
