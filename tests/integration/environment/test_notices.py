# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed's receivers keep what they get."""

from __future__ import annotations

import smtplib
import urllib.error
import urllib.request

import pytest


def test_mail_arrives_as_it_was_sent(mailbox):
    with smtplib.SMTP(mailbox.host, mailbox.port) as client:
        client.sendmail("a@example.com", ["b@example.com"], "Subject: Backup is Partial\r\n\r\nsee host db1\r\n")
    (message,) = mailbox.wait_for(1)
    assert message["Subject"] == "Backup is Partial"
    assert message.get_content() == "see host db1\r\n"
    assert mailbox.recipients == [["b@example.com"]]


def test_a_request_is_kept_and_answered_as_told(webhook):
    webhook.status = 503
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(webhook.url + "hook", data=b'{"status": "partial"}')
    raised.value.close()
    assert raised.value.code == 503
    (request,) = webhook.wait_for(1)
    assert (request.method, request.path, request.body) == ("POST", "/hook", b'{"status": "partial"}')
