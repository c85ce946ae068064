# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Status file, metrics and notice, written by the modules that know how a whole run went."""

from __future__ import annotations

import typing as t

from .._repository.errors import ContinuityError
from .._status.metrics import write_metrics
from .._status.notice import Notice
from .._status.status_file import DEFAULT_FOLDER, Status, exclusive, read_status, write_status
from .running import Result, Work

SPEC: dict[str, t.Any] = {
    "status_dir": {"type": "path", "default": DEFAULT_FOLDER},
    "metrics_dir": {"type": "path"},
}


def tell(
    work: Work, name: str, follow: t.Callable[[Status | None, str], Status], decide: t.Callable[[Status], Notice]
) -> Result:
    """Write the status that follows and the metrics of it; return them with the notice.

    A status that cannot be read or written is a warning: the run it tells of is over, and people must hear of it.
    """
    result: Result = {"status_file": None, "metrics_file": None}
    folder, metrics = work.params["status_dir"], work.params["metrics_dir"]
    try:
        with exclusive(folder):
            status = follow(read_status(folder, name), name)
            if not work.check_mode:
                result["status_file"] = write_status(folder, status)
                result["metrics_file"] = write_metrics(metrics, status) if metrics else None
    except ContinuityError as error:
        work.warn([str(error)])
        status = follow(None, name)
    return {**result, "notice": decide(status).to_json()}
