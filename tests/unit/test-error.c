/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"
#include "core/error.h"

START_TEST(test_error_code_names)
{
        static const char *const names[] = {
                [IMGC_ERROR_NO_MEMORY] = "no-memory",
                [IMGC_ERROR_INVALID_ARGUMENT] = "invalid-argument",
                [IMGC_ERROR_NOT_FOUND] = "not-found",
                [IMGC_ERROR_ACCESS] = "access",
                [IMGC_ERROR_IO] = "io",
                [IMGC_ERROR_TREE_CHANGED] = "tree-changed",
                [IMGC_ERROR_UNMAPPED_ID] = "unmapped-id",
                [IMGC_ERROR_LIMIT] = "limit",
                [IMGC_ERROR_UNSUPPORTED] = "unsupported",
                [IMGC_ERROR_CANCELLED] = "cancelled",
                [IMGC_ERROR_SYNTAX] = "syntax",
                [IMGC_ERROR_REFUSED] = "refused",
        };

        for (size_t i = 1; i < ELEMENTSOF(names); i++) {
                struct imgc_error *error = NULL;
                int r = error_reason(&error, (enum imgc_error_code)i, -EIO, "try", NULL, "it is %d",
                                     5);

                ck_assert_str_eq(imgc_error_get_code_name(error), names[i]);
                ck_assert_str_eq(imgc_error_get_operation(error), "try");
                ck_assert_str_eq(imgc_error_get_message(error), "cannot try: it is 5");
                ck_assert(!expect_error(&error, r, (enum imgc_error_code)i, EIO));
        }
}
END_TEST

START_TEST(test_error_errno_to_code)
{
        static const struct {
                int number;
                enum imgc_error_code code;
        } cases[] = {
                {ENOMEM, IMGC_ERROR_NO_MEMORY},
                {EINVAL, IMGC_ERROR_INVALID_ARGUMENT},
                {EBADF, IMGC_ERROR_INVALID_ARGUMENT},
                {ENOENT, IMGC_ERROR_NOT_FOUND},
                {ENOTDIR, IMGC_ERROR_NOT_FOUND},
                {EACCES, IMGC_ERROR_ACCESS},
                {EPERM, IMGC_ERROR_ACCESS},
                {ECANCELED, IMGC_ERROR_CANCELLED},
                {ENOTSUP, IMGC_ERROR_UNSUPPORTED},
                {ENOSYS, IMGC_ERROR_UNSUPPORTED},
                {EIO, IMGC_ERROR_IO},
                {EMFILE, IMGC_ERROR_IO},
                {ELOOP, IMGC_ERROR_IO},
                {99999, IMGC_ERROR_IO},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct imgc_error *error = NULL;
                int r = error_errno(&error, -cases[i].number, "open", "x");

                expect_error(&error, r, cases[i].code, cases[i].number);
                ck_assert_int_eq(error_errno(NULL, -cases[i].number, "open", "x"),
                                 -cases[i].number);
        }
}
END_TEST

START_TEST(test_error_message_is_printable)
{
        struct imgc_error *error = NULL;

        error_errno(&error, -ENOENT, "open", "a\n\x1b[31m\xe2\x80\xae\xff\\b");
        ck_assert_str_eq(imgc_error_get_message(error),
                         "cannot open a\\n\\033[31m\\342\\200\\256\\377\\\\b: "
                         "No such file or directory");
        ck_assert_str_eq(imgc_error_get_path(error), "a\n\x1b[31m\xe2\x80\xae\xff\\b");
        imgc_error_unref(error);
        error = NULL;
        error_message(&error, IMGC_ERROR_SYNTAX, -EBADMSG, "parse", NULL, "%s", "a\nb");
        ck_assert_str_eq(imgc_error_get_message(error), "a\\nb");
        imgc_error_unref(error);
}
END_TEST

START_TEST(test_error_json)
{
        struct imgc_error *error = NULL;

        error_errno(&error, -ENOENT, "open", "a\"b");
        ck_assert_str_eq(
                imgc_error_get_json(error),
                "{\"error\":{\"code\":\"not-found\",\"errno\":2,\"operation\":\"open\",\"path\":\"a\\\"b\","
                "\"message\":\"cannot open a\\\"b: No such file or directory\"}}");
        imgc_error_unref(error);
        error_errno(&error, -ENOENT, "open", "\xff");
        ck_assert_str_eq(
                imgc_error_get_json(error),
                "{\"error\":{\"code\":\"not-found\",\"errno\":2,\"operation\":\"open\",\"path\":{\"base64\":"
                "\"/w==\"},\"message\":\"cannot open \\\\377: No such file or directory\"}}");
        imgc_error_unref(error);
        error_errno(&error, -EIO, "read", NULL);
        ck_assert_str_eq(
                imgc_error_get_json(error),
                "{\"error\":{\"code\":\"io\",\"errno\":5,\"operation\":\"read\",\"path\":null,"
                "\"message\":\"cannot read: Input/output error\"}}");
        imgc_error_unref(error);
}
END_TEST

START_TEST(test_error_no_memory_is_static)
{
        struct imgc_error *error = NULL, *other = NULL;

        ck_assert_int_eq(error_no_memory(NULL), -ENOMEM);
        ck_assert_int_eq(error_no_memory(&error), -ENOMEM);
        ck_assert_int_eq(error_errno(&other, -ENOMEM, "open", "x"), -ENOMEM);
        ck_assert_ptr_eq(error, other);
        ck_assert_ptr_eq(imgc_error_ref(error), error);
        ck_assert_str_eq(imgc_error_get_code_name(error), "no-memory");
        ck_assert_str_eq(imgc_error_get_message(error), "cannot allocate memory");
        ck_assert_ptr_null(imgc_error_get_path(error));
        ck_assert_str_eq(
                imgc_error_get_json(error),
                "{\"error\":{\"code\":\"no-memory\",\"errno\":12,\"operation\":\"allocate\",\"path\":null,"
                "\"message\":\"cannot allocate memory\"}}");
        /* It can be dropped as often as one likes. */
        for (int i = 0; i < 10; i++)
                ck_assert_ptr_null(imgc_error_unref(error));
        expect_error(&error, -ENOMEM, IMGC_ERROR_NO_MEMORY, ENOMEM);
}
END_TEST

START_TEST(test_error_references)
{
        struct imgc_error *error = NULL;

        error_errno(&error, -EIO, "read", "x");
        ck_assert_ptr_eq(imgc_error_ref(error), error);
        ck_assert_ptr_null(imgc_error_unref(error));
        ck_assert_str_eq(imgc_error_get_path(error), "x");
        ck_assert_ptr_null(imgc_error_unref(error));
        ck_assert_ptr_null(imgc_error_unref(NULL));
}
END_TEST

START_TEST(test_error_give)
{
        struct imgc_error *error = NULL, *given = NULL;

        error_errno(&error, -EIO, "read", "x");
        ck_assert_int_eq(error_give(&given, error, -EIO), -EIO);
        ck_assert_ptr_eq(given, error);
        /* Nobody wants it: it must not leak. */
        ck_assert_int_eq(error_give(NULL, given, -EIO), -EIO);
}
END_TEST

/* What is long is there whole: the path, and what went wrong behind it. */
START_TEST(test_error_long_path)
{
        struct imgc_error *error = NULL;
        char path[4000];

        memset(path, 'p', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        error_errno(&error, -EIO, "read", path);
        ck_assert_str_eq(imgc_error_get_path(error), path);
        ck_assert_ptr_nonnull(strstr(imgc_error_get_message(error), "Input/output error"));
        imgc_error_unref(error);
}
END_TEST

/* The line of a listing is told, however long its name. */
START_TEST(test_error_long_listing_name)
{
        struct imgc_context *context = new_context(1);
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;
        char name[2000];

        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        ck_assert_int_eq(imgc_tree_parse(context, "x", 1, name, &tree, &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(imgc_error_get_message(error), ":1: not a listing"));
        imgc_error_unref(error);
        imgc_context_unref(context);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_error_code_names,
                test_error_errno_to_code,
                test_error_message_is_printable,
                test_error_json,
                test_error_no_memory_is_static,
                test_error_references,
                test_error_give,
                test_error_long_path,
                test_error_long_listing_name,
        };

        return run_suite(SUITE_OF("error", tests));
}
