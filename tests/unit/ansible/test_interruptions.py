# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which signal stops a watched module, and when. The rest of watching is tested with a real ansible-playbook."""

from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.dfr.continuity.plugins.plugin_utils import watched_action
from ansible_collections.dfr.continuity.plugins.plugin_utils.watched_action import _Interrupted, _Interruptions


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_is_kept_until_the_job_is_known(signum):
    with _Interruptions() as interruptions:
        os.kill(os.getpid(), signum)
        with pytest.raises(_Interrupted) as caught:
            interruptions.let_through()
    assert caught.value.signum == signum


def test_only_the_first_signal_interrupts():
    with _Interruptions() as interruptions:
        interruptions.let_through()
        with pytest.raises(_Interrupted) as caught:
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert caught.value.signum == signal.SIGINT


def test_handlers_are_put_back():
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    with _Interruptions():
        pass
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


def test_people_see_a_line_every_ten_seconds_at_least():
    assert watched_action.DEFAULT_INTERVAL + watched_action._SHORTEST_WAIT < 10
