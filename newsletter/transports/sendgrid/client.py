"""One blocking call to SendGrid through its own library, with the three ways it can end."""

from __future__ import annotations

import http.client
import logging
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from newsletter.errors import InputError
from newsletter.settings.model import Sendgrid

# At debug level the library logs the whole request, with the key and every address.
logging.getLogger("python_http_client").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A complete HTTP response."""

    status: int
    text: str
    headers: Mapping[str, str]


class NotSentError(Exception):
    """The request was not sent completely, so nothing can have acted on it (RFC 9112 section 8)."""


class NoResponseError(Exception):
    """The request was sent, but no complete response came: it may have been acted on."""


class Client:
    """Posts to the Mail Send endpoint; may be called from several threads.

    Args:
        settings: The account.
        key: The API key.

    Raises:
        InputError: The key is missing or malformed.
    """

    def __init__(self, settings: Sendgrid, key: str) -> None:
        if not key:
            raise InputError("the SendGrid API key is missing", fix="set SENDGRID_API_KEY")
        # A line break, usually copied along, would end the header and begin another one.
        if not all("!" <= character <= "~" for character in key):
            raise InputError(
                "SENDGRID_API_KEY contains a space, a line break or another invalid character",
                fix="copy the key again, without anything around it",
            )
        self._key = key
        self._api = SendGridAPIClient(key, host=settings.host)
        # The library's own default is to wait forever.
        self._api.client.timeout = settings.timeout

    def post(self, body: Mapping[str, object]) -> ApiResponse:
        """Send one request and wait for the response.

        Raises:
            NotSentError: The request was not sent.
            NoResponseError: The request was sent, and its outcome is unknown.
        """
        try:
            response = self._api.send(body)
            return self._response(response.status_code, response.body, response.headers)
        except HTTPError as error:
            return self._response(error.status_code, error.body, error.headers)
        except urllib.error.URLError as error:
            # urllib wraps whatever fails up to the last byte of the request, and nothing later.
            raise NotSentError(self._redacted(str(error.reason))) from None
        except (OSError, http.client.HTTPException) as error:
            raise NoResponseError(self._redacted(str(error) or type(error).__name__)) from None

    def _response(self, status: int, body: bytes, headers: Mapping[str, str]) -> ApiResponse:
        return ApiResponse(status, self._redacted(body.decode("utf-8", "replace")), headers)

    def _redacted(self, text: str) -> str:
        # Texts end up in outcomes, logs and errors, and a response may quote the key.
        return text.replace(self._key, "[key]")
