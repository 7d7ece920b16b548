"""Samples for the rules of group `links`."""

from tests.unit.check.project import Sample, mail


def _link(rule: str, url: str, at: str = "", words: str = "the neck page", **more: bool) -> Sample:
    return Sample(f"links/{rule}", f"Words.\n\nSee [{words}]({url}).", at=at, **more)


FIRES = (
    _link("empty", "", at="See ["),
    _link("empty", "#", at="See ["),
    _link("relative", "/about", at="/about"),
    _link("relative", "about.html", at="about.html"),
    _link("relative", "#treatments", at="#treatments"),
    Sample(
        "links/scheme",
        templates={"article.mjml": mail(more='<a href="ftp://www.nih.gov/">Files</a>')},
    ),
    Sample(
        "links/scheme",
        front={"call_to_action": "{label: Ask us, url: 'https://[broken'}"},
        at="broken",
    ),
    _link("scheme", "https:///neck", at="See ["),
    _link("insecure", "http://www.nih.gov/neck", at="nih.gov"),
    _link("local", "http://localhost:8000/neck", at="localhost"),
    _link("local", "https://192.168.1.10/neck", at="192.168"),
    _link("local", "https://intranet/neck", at="intranet"),
    _link("bare-ip", "https://8.8.8.8/neck", at="8.8.8.8"),
    _link("shortener", "https://bit.ly/neck", at="bit.ly"),
    _link("shortener", "https://www.tinyurl.com/neck", at="tinyurl"),
    _link("example-domain", "https://www.clinic.example/neck", at="clinic.example/n", live=True),
    _link("vague-text", "https://www.nih.gov/neck", at="click here", words="click here"),
    _link("vague-text", "https://www.nih.gov/neck", at="Read more", words="Read more …"),
    _link("personal-data", "https://www.nih.gov/?e={{ email }}", at="email"),
    _link(
        "personal-data", 'https://www.nih.gov/{{ first_name | default("you") }}', at="first_name"
    ),
    _link("personal-data", "https://www.nih.gov/?to=maria%40clinic.example", at="maria"),
    _link("merge-field", 'https://www.nih.gov/?plan={{ plan | default("a") }}', at="plan"),
)

NEAR_MISSES = (
    _link("empty", "https://www.nih.gov/"),
    _link("relative", "https://www.nih.gov/about"),
    _link("relative", "mailto:office@clinic.example"),
    _link("scheme", "tel:+18003009300"),
    _link("insecure", "https://www.nih.gov/?from=http://old"),
    _link("insecure", "http://localhost/neck"),
    _link("local", "https://www.local-news.org/localhost"),
    Sample("links/local", settings={"https://news.clinic.example": "http://127.0.0.1:8025"}),
    _link("bare-ip", "https://www.nih.gov/8.8.8.8"),
    _link("shortener", "https://www.orbit.ly/neck"),
    _link("example-domain", "https://www.example-clinic.org/", live=True),
    _link("example-domain", "https://www.clinic.example/neck"),
    _link("vague-text", "https://www.nih.gov/neck", words="Read more about the neck"),
    Sample("links/personal-data", 'Hello {{ first_name | default("there") }}, see https://nih.gov'),
    _link("personal-data", "mailto:office@clinic.example"),
    Sample("links/merge-field", 'Your plan is {{ plan | default("none") }}.'),
)
