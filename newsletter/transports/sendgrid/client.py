"""One blocking call to SendGrid, by its own library, and which of three ways it ended."""

from __future__ import annotations

import http.client
import logging
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from newsletter.errors import InputError
from newsletter.settings.model import Sendgrid

# At debug level the library logs the whole request, with the key and every address.
logging.getLogger("python_http_client").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A whole HTTP response."""

    status: int
    text: str
    headers: Mapping[str, str]


class NotSentError(Exception):
    """The request never went out whole, so it cannot have been acted upon (RFC 9112 section 8)."""


class NoAnswerError(Exception):
    """The request went out, and no whole answer came: it may have been acted upon."""


class Client:
    """Posts to the Mail Send endpoint; may be called from several threads.

    Args:
        settings: The account.
        key: The API key.

    Raises:
        InputError: There is no key, or it cannot be one.
    """

    def __init__(self, settings: Sendgrid, key: str) -> None:
        if not key:
            raise InputError("there is no SendGrid key", fix="set SENDGRID_API_KEY")
        if not all("!" <= character <= "~" for character in key):
            raise InputError("SENDGRID_API_KEY holds a blank, a line break or worse")
        self._key = key
        self._api = SendGridAPIClient(key, host=settings.host)
        self._api.client.timeout = settings.timeout

    def post(self, body: dict[str, Any]) -> ApiResponse:
        """Post one request and wait for its answer.

        Raises:
            NotSentError: It did not go out.
            NoAnswerError: It did, and nobody knows what became of it.
        """
        try:
            response = self._api.send(body)
            return self._answer(response.status_code, response.body, response.headers)
        except HTTPError as error:
            return self._answer(error.status_code, error.body, error.headers)
        except urllib.error.URLError as error:
            # urllib wraps what fails up to the last byte of the request, and nothing after it.
            raise NotSentError(self._redacted(str(error.reason))) from None
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(self._redacted(str(error) or type(error).__name__)) from None

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> ApiResponse:
        return ApiResponse(status, self._redacted(body.decode("utf-8", "replace")), headers)

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "[key]")
