"""A pytest plugin that writes a line of JSON to $ECOSYSTEM_OUTCOMES for each thing a test did.

Each line is `{"test": id, "outcome": "passed" or "skipped" or "failed", "why": first line of the error}`. A test has
several lines when its set-up, call and clean-up say something; the worst counts. The file is complete up to the
test at which a run was ended by a time limit or a crash.
"""

import json
import os
import re

ADDRESS = re.compile(r"0x[0-9a-f]{6,}")  # in an id by repr() it differs from run to run


def pytest_runtest_logreport(report):
    # An attempt that pytest-rerunfailures repeats has an outcome of its own; the last attempt counts.
    if report.outcome in ("skipped", "failed") or (report.when == "call" and report.outcome == "passed"):
        write(report)


def pytest_collectreport(report):
    if report.outcome == "failed":
        write(report)


def write(report):
    if "PYTEST_XDIST_WORKER" in os.environ:
        return  # the worker's reports reach the controller, which writes them
    why = cause(report.longrepr) if report.outcome == "failed" else ""
    line = {"test": ADDRESS.sub("0x", report.nodeid), "outcome": report.outcome, "why": why}
    with open(os.environ["ECOSYSTEM_OUTCOMES"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def cause(error):
    """One line: what was raised, and where if pytest says."""
    crash = getattr(error, "reprcrash", None)
    if crash is not None:
        return f"{crash.message.strip().splitlines()[0][:300]} ({crash.path}:{crash.lineno})"
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "no message"
