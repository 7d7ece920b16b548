"""A gate before composing: once it is closed, what was offered and not begun is given back."""

from __future__ import annotations

from newsletter.delivery.compose.substitutions import Personalize, SharedContent, Substitutions
from newsletter.delivery.model import Compose, Delivery, Message, WithheldError


class Gate:
    """Composes until it is closed; implements `newsletter.delivery.model.Compose`."""

    def __init__(self, compose: Compose) -> None:
        self._compose = compose
        self.closed = False

    def __call__(self, delivery: Delivery) -> Message:
        """Compose the message of one delivery.

        Raises:
            WithheldError: The gate is closed.
        """
        if self.closed:
            raise WithheldError
        return self._compose(delivery)


class PersonalGate(Gate):
    """The same for what is also `newsletter.delivery.compose.substitutions.Personalize`.

    What is personalized goes out in few calls, each as a whole: those are not withheld.
    """

    def __init__(self, compose: Compose, personalize: Personalize) -> None:
        super().__init__(compose)
        self._personalize = personalize

    def shared(self, variant: int) -> SharedContent:
        """The message of a variant, with keys in place of what differs."""
        return self._personalize.shared(variant)

    def personal(self, delivery: Delivery) -> Substitutions:
        """What differs for one delivery."""
        return self._personalize.personal(delivery)


def gate(compose: Compose) -> Gate:
    """Put a gate before composing."""
    if isinstance(compose, Personalize):
        return PersonalGate(compose, compose)
    return Gate(compose)
