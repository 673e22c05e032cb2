/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of machines: what is one, what it stands for, and what is said of a bad one. */
#include "bench/variants.h"
#include "tests/test.h"

static struct variants v; /* large */

static void start(void)
{
	memset(&v, 0, sizeof(v));
}

static void add(const char *text)
{
	char err[512];

	if (variants_add(&v, text, AXIS_KEY, err, sizeof(err)))
		fail_msg("%s: %s", text, err);
}

/* The values of the last axis, separated by blanks. */
static const char *values(void)
{
	static char text[4096];
	const struct axis *a = &v.axes[v.nr_axes - 1];

	text[0] = 0;
	for (unsigned i = 0; i < a->nr; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", a->values[i]);
	return text;
}

static void test_what_is_a_list(void **state)
{
	static const struct {
		const char *pair;
		bool list;
	} cases[] = {
		{"mem=64M", false}, {"mem=64M,128M", true}, {"mem=512M@0x60000000,256M@0xa0000000", false},
		{"mem=512M,256M@0xa0000000", false}, {"mem=0.5wss,1wss", true}, {"mem=16M,...,1G", true},
		{"workingset=0,1", true}, {"swappiness=10,20", true}, {"swap=64M,128M", true},
		{"lowmem_reserve_ratio=256,32", false}, {"lowmem_reserve_ratio=256,32;128,32", true},
		{"reserved=1M@0x60000000,1M@0x70000000", false}, {"dtb=a,b", false}, {"nosuch=1,2", false},
		{"mem", false},
		{"mem=64M@0x60000000;64M@0x60000000,64M@0x80000000", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (variants_is_list(cases[i].pair) != cases[i].list)
			fail_msg("%s", cases[i].pair);
}

static void test_dots_double(void **state)
{
	static const char *const cases[][2] = {
		{"mem=16M,...,256M", "16M 32M 64M 128M 256M"},
		{"mem=16M,32M,...,100M", "16M 32M 64M 100M"},
		{"mem=512K,...,2M", "512K 1024K 2M"},
		{"mem=24M,...,2wss", "24M ... 2wss"}, /* open until the footprint is known */
		{"mem=0.25wss,...,2wss", "0.25wss 0.5wss 1wss 2wss"},
		{"mem=16M,...,64M,1G", "16M 32M 64M 1G"},
		{"ncpu=1,...,8", "1 2 4 8"},
		{"swappiness=10,...,60", "10 20 40 60"},
		{"swap=64M,...,256M", "64M 128M 256M"},
	};
	char err[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start();
		add(cases[i][0]);
		assert_string_equal(values(), cases[i][1]);
	}
	start();
	add("mem=24M,...,2wss,8G");
	assert_string_equal(variants_open_end(&v), "2wss");
	assert_int_equal(variants_close_end(&v, 100 * MiB, err, sizeof(err)), 0);
	assert_string_equal(values(), "24M 48M 96M 2wss 8G");
	assert_null(variants_open_end(&v));
	start();
	add("mem=24M,...,2wss"); /* the fraction turns out to be the smaller one */
	assert_int_equal(variants_close_end(&v, 20 * MiB, err, sizeof(err)), 0);
	assert_string_equal(values(), "24M 2wss");
}

static void test_bad_lists_are_named(void **state)
{
	static const char *const cases[][2] = {
		{"mem=64M,foo", "mem=foo"},          {"mem=64M,0wss", "mem=0wss"},
		{"mem=...,64M", "'...' stands"},      {"mem=64M,...", "'...' stands"},
		{"mem=64M,...,32M", "not greater"},   {"mem=16M,48M,...,1G", "48M is not twice 16M"},
		{"mem=1wss,...,4G", "'...' stands"},  {"workingset=0,2", "workingset=2"},
		{"policy=4.0,...,modern", "'...'"},   {"swappiness=10,...,200", "swappiness=200"},
		{"mem=1M,...,3M,...,16M", "3M is not twice 2M"}, {"mem=64M,128M,64M", "64M stands there twice"},
		{"mem=", "no value"}, {"mem", "KEY=VALUE"},
		{"nosuch=1,2", "unknown key"},
	};
	char err[512], many[4096] = "seed=0";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start();
		if (!variants_add(&v, cases[i][0], AXIS_KEY, err, sizeof(err)))
			fail_msg("%s: taken", cases[i][0]);
		if (!strstr(err, cases[i][1]) || strchr(err, '\n'))
			fail_msg("%s: %s", cases[i][0], err);
		assert_int_equal(v.nr_axes, 0);
	}
	for (unsigned i = 1; i <= VARIANTS_MAX_VALUES; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), ",%u", i);
	start();
	assert_int_not_equal(variants_add(&v, many, AXIS_KEY, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "more than 64 values"));
}

static void test_cross_product(void **state)
{
	struct machine_config c;
	char label[VARIANTS_LABEL], err[512];
	char old[] = "old workingset=0 reclaim=zone", new[] = "brand new: policy=modern", bad[] = "bad policy=none";

	(void)state;
	start();
	add("mem=64M,128M,256M");
	assert_int_equal(variants_add_machine(&v, old, err, sizeof(err)), 0);
	assert_int_equal(variants_add_machine(&v, new, err, sizeof(err)), 0);
	assert_int_not_equal(variants_add_machine(&v, bad, err, sizeof(err)), 0);
	add("swappiness=10,60");
	assert_int_equal(variants_nr(&v), 12);
	variants_label(&v, 7, NULL, ' ', label); /* the last axis runs fastest */
	assert_string_equal(label, "128M brand new 60");
	variants_label(&v, 7, "mem", '_', label);
	assert_string_equal(label, "brand new_60");
	config_init(&c);
	assert_int_equal(variants_apply(&v, 7, &c, err, sizeof(err)), 0);
	assert_string_equal(c.mem, "128M");
	assert_int_equal(c.policy, POLICY_MODERN);
	assert_int_equal(c.swappiness, 60);
	add("mem=1G,2G"); /* a second list of a key replaces the first, and moves behind */
	assert_int_equal(variants_nr(&v), 8);
	variants_drop(&v, "swappiness=30");
	assert_int_equal(variants_nr(&v), 4);
	variants_label(&v, 2, NULL, ' ', label);
	assert_string_equal(label, "brand new 1G");
	assert_null(variants_axis(&v, "swappiness"));
	start();
	variants_label(&v, 0, NULL, ' ', label);
	assert_string_equal(label, "run");
	assert_int_equal(variants_nr(&v), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_list),
		cmocka_unit_test(test_dots_double),
		cmocka_unit_test(test_bad_lists_are_named),
		cmocka_unit_test(test_cross_product),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
