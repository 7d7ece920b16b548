"""What a mailed link says of itself, in the mail and on its page."""

from __future__ import annotations

from newsletter.audience.model import LinkAction
from newsletter.i18n.catalog import Translate


def link_words(action: LinkAction, _: Translate, name: str) -> dict[str, str]:
    """The words of the mail, as plain text.

    Args:
        action: What the link does.
        _: Translates into plain text.
        name: The publication's.
    """
    subject, text, button = {
        LinkAction.JOIN: (
            _("Please confirm: %(name)s", name=name),
            _(
                "Somebody asked for %(name)s to be sent to this address. Was it you? Then press "
                "the button.",
                name=name,
            ),
            _("Yes, put me on the list"),
        ),
        LinkAction.MOVE: (
            _("Change your address: %(name)s", name=name),
            _(
                "You asked to get %(name)s at another address. Press the button to say which.",
                name=name,
            ),
            _("Change my address"),
        ),
        LinkAction.ADDRESS: (
            _("Please confirm your new address: %(name)s", name=name),
            _(
                "You asked for %(name)s to be sent to this address from now on. Press the button "
                "to confirm it.",
                name=name,
            ),
            _("Yes, write to this address"),
        ),
        LinkAction.DATA: (
            _("Your data: %(name)s", name=name),
            _(
                "You asked what %(name)s knows about you. Press the button to download it.",
                name=name,
            ),
            _("Download my data"),
        ),
        LinkAction.ERASE: (
            _("Erase your data: %(name)s", name=name),
            _("You asked %(name)s to forget you. Press the button to go on.", name=name),
            _("Erase me"),
        ),
    }[action]
    return {
        "subject": subject,
        "title": subject,
        "preheader": text,
        "text": text,
        "button": button,
        "expiry": _("The link works once, for two days."),
        "mistake": _("Was it not you? Then do nothing: nothing changes, and we keep nothing."),
    }


def welcome_words(_: Translate, name: str) -> dict[str, str]:
    """The words of the message to a reader who has just joined, as plain text.

    Args:
        _: Translates into plain text.
        name: The publication's.
    """
    return {
        "subject": _("You are on the list: %(name)s", name=name),
        "title": _("You are on the list"),
        "preheader": _("What you will get from us, and how to change it or leave."),
        "text": _("Thank you for joining. This is what comes to your address from now on:"),
        "often": _("You get one mail for each new issue, and nothing in between."),
        "read": _("Read past issues"),
        "why": _("You get this mail because you joined the list of %(name)s.", name=name),
        "leave": _("Unsubscribe with one click"),
        "choose": _("Choose what you get"),
    }


def page_words(action: LinkAction, _: Translate, name: str) -> dict[str, str]:
    """The words of the page behind the link, before and after its button.

    Args:
        action: What the link does.
        _: Translates, for HTML.
        name: The publication's.
    """
    heading, text, button, done, after = {
        LinkAction.JOIN: (
            _("One more step"),
            _("Press the button, and %(name)s comes to your address.", name=name),
            _("Put me on the list"),
            _("You are on the list"),
            _("Thank you. The next issue of %(name)s comes to your address.", name=name),
        ),
        LinkAction.MOVE: (
            _("Change your address"),
            _("Where should %(name)s go from now on?", name=name),
            _("Go on"),
            _("Please look into your mail"),
            _(
                "If we may write to the new address, a message is on its way to it. Press the "
                "button in it within two days, and your mail goes there."
            ),
        ),
        LinkAction.ADDRESS: (
            _("Confirm your new address"),
            _(
                "Press the button, and %(name)s comes to this address instead of the old one.",
                name=name,
            ),
            _("Confirm"),
            _("Your address is changed"),
            _("From now on %(name)s comes to the new address.", name=name),
        ),
        LinkAction.DATA: (
            _("Your data"),
            _(
                "The button downloads all that %(name)s knows about you, as a file that people "
                "and programs can read (JSON).",
                name=name,
            ),
            _("Download my data"),
            _("Your data"),
            "",
        ),
        LinkAction.ERASE: (
            _("Erase your data"),
            _(
                "The button deletes your address, your name and all else that %(name)s knows "
                "about you. What stays is a code from which nobody can read your address: with it "
                "we see to it that you are never written to again. This cannot be undone.",
                name=name,
            ),
            _("Erase me"),
            _("You are erased"),
            _("We have deleted what we knew about you, and will not write to you again."),
        ),
    }[action]
    return {"heading": heading, "text": text, "button": button, "done": done, "after": after}


def not_an_address(_: Translate) -> str:
    """What to say of an address that `check_address` refuses."""
    return _("This is no e-mail address that we can write to. It looks like name@mail.example.")
