/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"
#include "tree/ids.h"

/* Writes both files and reads them as the library does /proc. */
static struct id_map read_map(const char *map, const char *overflow)
{
        _cleanup_scratch_ struct scratch scratch;
        char map_path[128], overflow_path[128];
        struct id_map ids;

        scratch_open(&scratch);
        if (map)
                make_text(&scratch, "map", map);
        if (overflow)
                make_text(&scratch, "overflow", overflow);
        snprintf(map_path, sizeof(map_path), "%s/map", scratch.path);
        snprintf(overflow_path, sizeof(overflow_path), "%s/overflow", scratch.path);
        id_map_read(map_path, overflow_path, &ids);
        return ids;
}

START_TEST(test_ids_map_read)
{
        static const struct {
                const char *map, *overflow;
                uint32_t id;
                bool is_mapped;
        } cases[] = {
                {"         0          0 4294967295\n", "65534\n", 65534, true},
                {"0 1000 1\n", "65534\n", 65534, false},
                {"0 100000 65536\n", "65534\n", 65534, true},
                {"0 100000 65534\n", "65534\n", 65534, false},
                {"0 1000 1\n1 100000 65536\n", "65534\n", 65534, true},
                {"0 1000 1\n65534 7 1\n", "65534\n", 65534, true},
                {"65535 7 10\n0 1 65534\n", "65534\n", 65534, false},
                {"0 0 10\n", "5\n", 5, true},
                {"0 0 5\n", "5\n", 5, false},
                {"", "65534\n", 65534, false},
                {NULL, "65534\n", 65534, false},
                {"0 0 4294967295\n", NULL, 65534, true},
                {NULL, NULL, 65534, false},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct id_map map = read_map(cases[i].map, cases[i].overflow);

                ck_assert_msg(map.overflow == cases[i].id &&
                                      map.overflow_is_mapped == cases[i].is_mapped,
                              "case %zu: %u %d", i, map.overflow, map.overflow_is_mapped);
        }
}
END_TEST

/* As many ranges as the kernel takes. */
START_TEST(test_ids_map_read_longest)
{
        _cleanup_buffer_ struct buffer text = {0};
        struct id_map map;

        for (unsigned i = 0; i < 339; i++)
                buffer_printf(&text, "%10u %10u %10u\n", i * 100, 4000000000u, 100u);
        buffer_printf(&text, "%10u %10u %10u\n", 65534, 4000000000u, 1u);
        map = read_map(buffer_string(&text), "65534\n");
        ck_assert(map.overflow_is_mapped);
        text.size -= 33;
        map = read_map(buffer_string(&text), "65534\n");
        ck_assert(!map.overflow_is_mapped);
}
END_TEST

START_TEST(test_ids_id_is_known)
{
        struct id_map map = {.overflow = 65534};

        ck_assert(id_is_known(&map, 0));
        ck_assert(id_is_known(&map, 65535));
        ck_assert(!id_is_known(&map, 65534));
        map.overflow_is_mapped = true;
        ck_assert(id_is_known(&map, 65534));
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_ids_map_read,
                test_ids_map_read_longest,
                test_ids_id_is_known,
        };

        return run_suite(SUITE_OF("ids", tests));
}
