"""A gate before composing: once closed, messages that were offered but not begun are returned."""

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
    """A gate that is also a `newsletter.delivery.compose.substitutions.Personalize`.

    Provider transports send a whole batch in one call, so substitutions are not withheld.
    """

    def __init__(self, compose: Compose, personalize: Personalize) -> None:
        super().__init__(compose)
        self._personalize = personalize

    def shared(self, variant: int) -> SharedContent:
        """The message of a variant, with keys in place of the slots."""
        return self._personalize.shared(variant)

    def personal(self, delivery: Delivery) -> Substitutions:
        """The values of the slots for one delivery."""
        return self._personalize.personal(delivery)


def gate(compose: Compose) -> Gate:
    """Put a gate before a composer."""
    if isinstance(compose, Personalize):
        return PersonalGate(compose, compose)
    return Gate(compose)
