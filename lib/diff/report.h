/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the reports share. Reports print, and decide nothing. */
#pragma once

#include "diff/diff.h"

/* One function a report; `write` as in imgc_diff_report(). */
struct report {
        struct imgc_diff *diff;
        struct imgc_report_options options;
        imgc_write_fn write;
        void *userdata;
        struct buffer out;
};

int report_json(struct report *report);
int report_text(struct report *report);
void report_stat(struct report *report);
/* Hands over what has gathered; `force` even if it is little. */
int report_flush(struct report *report, bool force);
