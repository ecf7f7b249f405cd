# SPDX-License-Identifier: LGPL-2.1-or-later
"""With IMAGECACHE_TESTS_STRICT=1 a test that skips for lack of something has failed.

A machine that is to run everything must not fall silent because a package is gone. What is
skipped because nobody asked for it (--full) stays skipped.
"""

import os

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if os.environ.get("IMAGECACHE_TESTS_STRICT") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if "--full" not in reason:
        report.outcome = "failed"
        report.longrepr = f"IMAGECACHE_TESTS_STRICT: {item.nodeid}: {reason}"
