"""The texts of mailed links, in the message and on their pages."""

from __future__ import annotations

from newsletter.audience.model import LinkAction
from newsletter.i18n.catalog import Translate


def link_words(action: LinkAction, _: Translate, name: str) -> dict[str, str]:
    """The texts of the message, as plain text.

    Args:
        action: What the link does.
        _: Translates into plain text.
        name: The publication's name.
    """
    subject, text, button = {
        LinkAction.JOIN: (
            _("Please confirm: %(name)s", name=name),
            _(
                "Somebody asked to receive %(name)s at this address. If it was you, press the "
                "button.",
                name=name,
            ),
            _("Yes, subscribe me"),
        ),
        LinkAction.MOVE: (
            _("Change your address: %(name)s", name=name),
            _(
                "You asked to receive %(name)s at another address. Press the button to enter it.",
                name=name,
            ),
            _("Change my address"),
        ),
        LinkAction.ADDRESS: (
            _("Please confirm your new address: %(name)s", name=name),
            _(
                "You asked to receive %(name)s at this address from now on. Press the button to "
                "confirm it.",
                name=name,
            ),
            _("Yes, use this address"),
        ),
        LinkAction.DATA: (
            _("Your data: %(name)s", name=name),
            _(
                "You asked for the data %(name)s has about you. Press the button to download it.",
                name=name,
            ),
            _("Download my data"),
        ),
        LinkAction.ERASE: (
            _("Delete your data: %(name)s", name=name),
            _(
                "You asked %(name)s to delete your data. Press the button to continue.",
                name=name,
            ),
            _("Delete my data"),
        ),
    }[action]
    return {
        "subject": subject,
        "title": subject,
        "preheader": text,
        "text": text,
        "button": button,
        "expiry": _("The link works once, within two days."),
        "mistake": _("Wasn’t you? Ignore this email and nothing will change."),
    }


def welcome_words(_: Translate, name: str) -> dict[str, str]:
    """The texts of the message to a subscriber who has just joined, as plain text.

    Args:
        _: Translates into plain text.
        name: The publication's name.
    """
    return {
        "subject": _("You are on the list: %(name)s", name=name),
        "title": _("You are on the list"),
        "preheader": _("What you will get from us, and how to change it or unsubscribe."),
        "text": _("Thank you for joining. From now on you will receive:"),
        "often": _("You get one email for each new issue, and nothing in between."),
        "read": _("Read past issues"),
        "why": _("You get this mail because you joined the list of %(name)s.", name=name),
        "leave": _("Unsubscribe with one click"),
        "choose": _("Choose what you get"),
    }


def page_words(action: LinkAction, _: Translate, name: str) -> dict[str, str]:
    """The texts of the page behind the link, before and after its button is pressed.

    Args:
        action: What the link does.
        _: Translates, for HTML.
        name: The publication's name.
    """
    heading, text, button, done, after = {
        LinkAction.JOIN: (
            _("One more step"),
            _("Press the button to receive %(name)s by email.", name=name),
            _("Put me on the list"),
            _("You are on the list"),
            _("Thank you. You will receive the next issue of %(name)s.", name=name),
        ),
        LinkAction.MOVE: (
            _("Change your address"),
            _("Where should %(name)s go from now on?", name=name),
            _("Continue"),
            _("Check your email"),
            _(
                "If we can send email to the new address, a message is on its way to it. Press the "
                "button in it within two days, and your mail will go there."
            ),
        ),
        LinkAction.ADDRESS: (
            _("Confirm your new address"),
            _(
                "Press the button to receive %(name)s at this address instead of the old one.",
                name=name,
            ),
            _("Confirm"),
            _("Your address has been changed"),
            _("From now on you will receive %(name)s at the new address.", name=name),
        ),
        LinkAction.DATA: (
            _("Your data"),
            _(
                "Press the button to download everything that %(name)s has stored about you, as a "
                "file that people and programs can read (JSON).",
                name=name,
            ),
            _("Download my data"),
            _("Your data"),
            "",
        ),
        LinkAction.ERASE: (
            _("Delete your data"),
            _(
                "Press the button to delete your address, your name and everything else that "
                "%(name)s has stored about you. We keep only a code that cannot be turned back "
                "into your address, so that we never email you again. This cannot be undone.",
                name=name,
            ),
            _("Delete my data"),
            _("Your data has been deleted"),
            _("We have deleted everything we had stored about you, and will not email you again."),
        ),
    }[action]
    return {"heading": heading, "text": text, "button": button, "done": done, "after": after}


def not_an_address(_: Translate) -> str:
    """The message for an address that `check_address` refuses."""
    return _("We can’t send email to this address. It should look like name@mail.example.")
