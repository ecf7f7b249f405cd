/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A diff as a report: what the options mean, and where the bytes go. */
#include <errno.h>

#include "core/error.h"
#include "core/options.h"
#include "diff/report.h"

#define REPORT_FLUSH_BYTES ((size_t)64 << 10)

int report_flush(struct report *report, bool force)
{
        int r;

        if (report->out.failed)
                return -ENOMEM;
        if (!report->out.size || (!force && report->out.size < REPORT_FLUSH_BYTES))
                return 0;
        r = report->write(report->userdata, report->out.data, report->out.size);
        report->out.size = 0;
        return r;
}

IMGC_EXPORT int imgc_diff_report(struct imgc_diff *diff, const struct imgc_report_options *options,
                                 imgc_write_fn write, void *userdata, struct imgc_error **reterr)
{
        struct report report = {
                .diff = diff,
                .options = IMGC_REPORT_OPTIONS_INIT,
                .write = write,
                .userdata = userdata,
        };
        const uint32_t flags = IMGC_REPORT_COLOR | IMGC_REPORT_STAT | IMGC_REPORT_NAME_ONLY |
                               IMGC_REPORT_VERBOSE;
        int r;

        if (options) {
                r = options_check_size(options, options->size, sizeof(*options));
                if (r < 0)
                        return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, r, "report", NULL,
                                            "report options of an unknown size");
                memcpy(&report.options, options, MIN(options->size, sizeof(*options)));
        }
        if (report.options.format > IMGC_REPORT_JSON || report.options.flags & ~flags)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "report", NULL,
                                    "unknown value in report options");
        r = report.options.format == IMGC_REPORT_JSON ? report_json(&report) : report_text(&report);
        if (r >= 0)
                r = report_flush(&report, true);
        buffer_free(&report.out);
        return r < 0 ? error_errno(reterr, r, "write a report", NULL) : 0;
}
