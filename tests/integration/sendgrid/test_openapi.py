"""Requests are valid by SendGrid's own OpenAPI description, which knows nothing of our fake.

The description leaves every object open. The real API refuses properties it does not know, so
here every object with named properties is closed. Rules that it gives in prose (values that must be
strings, 10,000 bytes, reserved headers) are enforced by the fake.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from newsletter.delivery.model import Delivery
from newsletter.render.model import CompiledIssue, Part
from tests.integration.sendgrid.conftest import MakeBench
from tests.integration.sendgrid.sending import readers
from tests.support.sendgrid_fake import FakeSendGrid
from tests.unit.delivery.issues import SENDER, compiled, composer, reader

SOURCE = json.loads((Path(__file__).parent / "openapi" / "mail_send.json").read_bytes())
REQUEST = SOURCE["paths"]["/mail/send"]["post"]["requestBody"]["content"]["application/json"]
NAMED = SOURCE["components"]["schemas"]
IN_BOTH = {"$ref", "type", "properties", "required", "items", "enum", "format", "minLength"}
IN_BOTH |= {"maxLength", "maxItems", "uniqueItems", "maxProperties"}
SAYS_NOTHING = {"title", "description", "default", "example"}
GONE = object()


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, with only its named properties allowed."""
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {name: closed(one) for name, one in schema["properties"].items()}
        result["additionalProperties"] = False
    if "items" in schema:
        result["items"] = closed(schema["items"])
    return result


VALID = Draft4Validator(
    {
        **closed(REQUEST["schema"]),
        "components": {"schemas": {name: closed(schema) for name, schema in NAMED.items()}},
    },
    format_checker=Draft4Validator.FORMAT_CHECKER,
)


def faults(body: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[-200:]}" for error in VALID.iter_errors(body)]


def keywords(schema: dict[str, Any]) -> Iterator[str]:
    yield from schema
    for one in schema.get("properties", {}).values():
        yield from keywords(one)
    if "items" in schema:
        yield from keywords(schema["items"])


def with_variants() -> CompiledIssue:
    issue = compiled()
    second = replace(issue.variants[0], subject=Part(("Sleep",)), text=Part(("Another text\n",)))
    return replace(issue, variants=(issue.variants[0], second))


def changed(body: Any, place: tuple[str | int, ...], value: object) -> Any:
    """The body with one value set or removed."""
    result = deepcopy(body)
    at = result
    for step in place[:-1]:
        at = at[step]
    if value is GONE:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    return result


PLAIN = compiled()
SAME_FOR_ALL = compiled(
    subject=Part(("To all",)), html=Part(("<p>Hello</p>",)), text=Part(("Hello\n",))
)
FROM_FAR = compiled(sender=replace(SENDER, from_name="Dra. Núñez, 診療所"))
FROM_NO_NAME = compiled(sender=replace(SENDER, from_name="", reply_to=""))
NAMES = ['Müller, "Jo" <b>', "مريم", "小林 花子", "😀", "Zoë\r\n", ""]
OF_VARIANTS = [replace(one, variant=one.position % 2) for one in readers(6)]
SHAPES: dict[str, tuple[CompiledIssue, list[Delivery], int]] = {
    # an issue, its readers, and how many calls they take
    "plain": (PLAIN, readers(1), 1),
    "many readers": (PLAIN, readers(2001), 3),
    "variants": (with_variants(), OF_VARIANTS, 2),
    "no slots": (SAME_FOR_ALL, readers(3), 1),
    "readers' names": (PLAIN, [reader(n, each) for n, each in enumerate(NAMES, start=1)], 1),
    "sender's name": (FROM_FAR, readers(2), 1),
    "neither sender's name nor reply-to": (FROM_NO_NAME, readers(2), 1),
    "another domain": (PLAIN, [Delivery(7, 1, 1, "ana@bücher.example", 0, {})], 1),
}


@pytest.mark.parametrize("sandbox", [False, True], ids=["live", "sandbox"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_body_is_valid(
    bench: MakeBench, server: FakeSendGrid, shape: str, sandbox: bool
) -> None:
    issue, batch, calls = SHAPES[shape]
    bench(sandbox=sandbox).send(batch, composer(issue))
    bodies = [json.loads(body) for body in server.bodies]
    assert [fault for body in bodies for fault in faults(body)] == []
    assert len(bodies) == calls
    assert sum(len(body["personalizations"]) for body in bodies) == len(batch)
    assert {body["mail_settings"]["sandbox_mode"]["enable"] for body in bodies} == {sandbox}
    assert {"reply_to" in body for body in bodies} == {bool(issue.sender.reply_to)}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("from",), GONE, "'from' is a required property"),
        (("subject",), GONE, "'subject' is a required property"),
        (("subject",), "", "$.subject"),
        (("subject",), ["For Maria"], "$.subject"),
        (("content", 1, "value"), "", "$.content[1].value"),
        (("content",), {"text/plain": "Dear Maria"}, "$.content"),
        (("from", "name"), None, "$.from.name: None is not of type 'string'"),
        (("reply_to",), None, "$.reply_to: None is not of type 'object'"),
        (("reply_to",), "office@clinic.example", "$.reply_to"),
        (("replyTo",), {"email": "office@clinic.example"}, "'replyTo' was unexpected"),
        (("custom_args",), {"campaign": "7"}, "$.custom_args"),
        (("personalizations",), [{"to": [{"email": "a@b.example"}]}] * 1001, "is too long"),
        (("personalizations", 0, "to"), GONE, "'to' is a required property"),
        (("personalizations", 0, "to"), ["a@b.example"], "$.personalizations[0].to[0]"),
        (("personalizations", 0, "to", 0, "email"), "nobody", "'nobody' is not a 'email'"),
        (("personalizations", 0, "headers"), [["List-Id", "x"]], "$.personalizations[0].headers"),
        (("personalizations", 0, "substitution"), {"-a-": "b"}, "'substitution' was unexpected"),
        (("mail_settings", "sandbox_mode", "enable"), "true", "$.mail_settings.sandbox_mode"),
        (("mail_settings", "sandbox"), {"enable": True}, "'sandbox' was unexpected"),
        (("tracking_settings", "open_tracking", "enable"), 0, "$.tracking_settings.open_tracking"),
        (("tracking_settings", "click_tracking", "on"), False, "'on' was unexpected"),
    ],
)
def test_a_single_fault_in_a_body_is_found(
    bench: MakeBench, server: FakeSendGrid, place: tuple[str | int, ...], value: object, said: str
) -> None:
    bench().send(readers(1))
    body = json.loads(server.bodies[0])
    assert faults(body) == []
    found = faults(changed(body, place, value))
    assert len(found) == 1
    assert said in found[0]


def test_sendgrids_own_example_is_valid() -> None:
    assert faults(REQUEST["schema"]["example"]) == []


def test_the_description_means_the_same_in_json_schema() -> None:
    """OpenAPI 3.0 has keywords of its own, such as ``nullable``, which draft 4 ignores."""
    used = {word for schema in (REQUEST["schema"], *NAMED.values()) for word in keywords(schema)}
    assert used <= IN_BOTH | SAYS_NOTHING
    assert SOURCE["openapi"] == "3.0.0"
    Draft4Validator.check_schema(VALID.schema)
