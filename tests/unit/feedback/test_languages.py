"""Bounces in the languages of the servers that write them."""

from __future__ import annotations

from base64 import b64encode

import pytest

from newsletter.feedback.classify import classify
from newsletter.feedback.model import FeedbackKind

BOUNCES = {
    "de": ("Nachricht konnte nicht zugestellt werden", "Unbekannter Empfänger"),
    "fr": ("Message non délivré", "Cet utilisateur n'existe pas"),
    "es": ("El mensaje no se pudo entregar", "El usuario no existe"),
    "pt": ("Mensagem não entregue", "Usuário desconhecido"),
    "it": ("Mancata consegna", "Utente sconosciuto"),
    "nl": ("Bericht niet bezorgd", "Gebruiker onbekend"),
    "ru": ("Сообщение не доставлено", "Пользователь не найден"),
    "ja": ("配信不能のお知らせ", "宛先が存在しません"),
    "zh": ("系统退信", "收件人不存在"),
}


@pytest.mark.parametrize(("subject", "words"), BOUNCES.values(), ids=BOUNCES.keys())
def test_a_dead_address_is_recognized_in_each_language(subject, words):
    raw = (
        f"From: postmaster@mta.example\nSubject: {subject}\n"
        "Content-Type: text/plain; charset=utf-8\n\n"
        f"<anna@reader.example>: 550 {words} (RCPT TO)\n"
    )
    report = classify(raw.encode())
    assert report.kind is FeedbackKind.BOUNCE
    assert [(each.address, each.verdict) for each in report.recipients] == [
        ("anna@reader.example", "hard")
    ]


@pytest.mark.parametrize("subject", [subject for subject, _ in BOUNCES.values()])
def test_a_letter_under_such_a_subject_is_not_a_bounce(subject):
    raw = (
        f"From: Anna <anna@reader.example>\nSubject: {subject}\n"
        "Content-Type: text/plain; charset=utf-8\n\n"
        "Dear doctor,\nmy friend bert@friend.example did not get your letter. Why?\n"
    )
    assert classify(raw.encode()).kind is FeedbackKind.OTHER


@pytest.mark.parametrize("charset", ["", "; charset=us-ascii", "; charset=iso-2022-jp"])
@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_japanese_is_read_whatever_its_declared_charset(charset, encoding):
    body = "次の宛先は不明です。\nanna@reader.example\n".encode("iso-2022-jp")
    head = (
        f"From: MAILER-DAEMON@mta.example\nContent-Type: text/plain{charset}\n"
        f"Content-Transfer-Encoding: {encoding}\n\n"
    )
    report = classify(head.encode() + (b64encode(body) if encoding == "base64" else body))
    assert [(each.address, each.verdict) for each in report.recipients] == [
        ("anna@reader.example", "hard")
    ]
