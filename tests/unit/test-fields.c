/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"
#include "tree/fields.h"

static const char exact[] =
        "type,mode,uid,gid,size,device,link,hardlink,time,flags,acl,xattr,label,overlay,content";

START_TEST(test_fields_parse_profiles)
{
        static const char *const cases[][2] = {
                {"content", "type,exec,size,link,content"},
                {"image", "type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content"},
                {NULL, "type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content"},
                {"output", "type,mode,uid,gid,size,device,link,hardlink,acl,xattr,label,content"},
                {"exact", exact},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[FIELDS_STRING_MAX];
                const char *bad;
                size_t bad_size;
                fields_t fields;

                ck_assert_int_eq(fields_parse(cases[i][0], &fields, &bad, &bad_size), 0);
                fields_format(fields, text);
                ck_assert_str_eq(text, cases[i][1]);
        }
}
END_TEST

START_TEST(test_fields_parse_lists)
{
        static const char *const cases[][2] = {
                {"type", "type"},
                {"mode", "type,mode"},
                {"type,content", "type,content"},
                {"content,type", "type,content"},
                {"uid,uid,mode", "type,mode,uid"},
                {"overlay,exec,time", "type,exec,time,overlay"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[FIELDS_STRING_MAX];
                const char *bad;
                size_t bad_size;
                fields_t fields;

                ck_assert_int_eq(fields_parse(cases[i][0], &fields, &bad, &bad_size), 0);
                fields_format(fields, text);
                ck_assert_str_eq(text, cases[i][1]);
        }
}
END_TEST

START_TEST(test_fields_parse_errors)
{
        static const char *const cases[][2] = {
                {"", ""},
                {",", ""},
                {"mode,", ""},
                {",mode", ""},
                {"mode,,uid", ""},
                {"modes", "modes"},
                {"mod", "mod"},
                {"Mode", "Mode"},
                {" mode", " mode"},
                {"mode,image", "image"},
                {"type,exact", "exact"},
                {"mode,nope,uid", "nope"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *bad = NULL;
                size_t bad_size = 99;
                fields_t fields = 12345;

                ck_assert_int_eq(fields_parse(cases[i][0], &fields, &bad, &bad_size), -EINVAL);
                ck_assert_uint_eq(fields, 12345);
                ck_assert_uint_eq(bad_size, strlen(cases[i][1]));
                ck_assert(!memcmp(bad, cases[i][1], bad_size));
        }
}
END_TEST

/* Every set of fields comes back from its own text, and none overflows it. */
START_TEST(test_fields_format_every_set)
{
        for (fields_t fields = 1; fields < FIELD_BIT(N_FIELDS); fields += 2) {
                char text[FIELDS_STRING_MAX];
                const char *bad;
                size_t bad_size;
                fields_t back;

                fields_format(fields, text);
                ck_assert_uint_lt(strlen(text), FIELDS_STRING_MAX);
                /* Alone it is the profile's name. */
                if (!strcmp(text, "content"))
                        continue;
                ck_assert_int_eq(fields_parse(text, &back, &bad, &bad_size), 0);
                ck_assert_uint_eq(back, fields);
        }
}
END_TEST

START_TEST(test_fields_xattr_field)
{
        static const struct {
                const char *name;
                int field;
        } cases[] = {
                {"user.mime", FIELD_XATTR},
                {"security.capability", FIELD_XATTR},
                {"security.selinux", FIELD_LABEL},
                {"security.ima", FIELD_LABEL},
                {"security.evm", FIELD_LABEL},
                {"security.selinux2", FIELD_XATTR},
                {"system.posix_acl_access", -1},
                {"system.posix_acl_default", -1},
                {"system.posix_acl", FIELD_XATTR},
                {"trusted.overlay.origin", FIELD_OVERLAY},
                {"trusted.overlay.impure", FIELD_OVERLAY},
                {"trusted.overlay.uuid", FIELD_OVERLAY},
                {"user.overlay.origin", FIELD_OVERLAY},
                {"user.overlay.uuid", FIELD_OVERLAY},
                {"trusted.overlay.opaque", FIELD_XATTR},
                {"user.overlay.redirect", FIELD_XATTR},
                {"trusted.overlay.origins", FIELD_XATTR},
                {"trusted.overlay.", FIELD_XATTR},
                {"", FIELD_XATTR},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_msg(xattr_field(cases[i].name) == cases[i].field, "%s", cases[i].name);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_fields_parse_profiles,   test_fields_parse_lists, test_fields_parse_errors,
                test_fields_format_every_set, test_fields_xattr_field,
        };

        return run_suite(SUITE_OF("fields", tests));
}
