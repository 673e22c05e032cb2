/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "core/config.h"
#include "core/op.h"
#include "core/vmstat.h"
#include "tests/test.h"

static void test_defaults_print_and_parse_back(void **state)
{
	struct machine_config a, b;
	char text[CONFIG_STR_MAX], err[256];

	(void)state;
	config_init(&a);
	config_init(&b);
	for (unsigned k = 0; k < NR_CONFIG_KEYS; k++) {
		config_key_print(&a, k, text, sizeof(text));
		assert_int_equal(config_set(&b, config_key_name(k), text, err, sizeof(err)), 0);
		assert_true(config_key_help(k)[0]);
	}
	memset(b.given, 0, sizeof(b.given));
	assert_memory_equal(&a, &b, sizeof(a));
}

static void test_bad_keys_name_the_nearest(void **state)
{
	struct machine_config c;
	char err[256];

	(void)state;
	config_init(&c);
	assert_int_not_equal(config_set_pair(&c, "swapines=3", err, sizeof(err)), 0);
	assert_non_null(strstr(err, "swappiness"));
	assert_int_not_equal(config_set_pair(&c, "page=8k", err, sizeof(err)), 0);
	assert_non_null(strstr(err, "4k|16k|64k"));
	assert_int_not_equal(config_set_pair(&c, "swappiness=101", err, sizeof(err)), 0);
	assert_int_not_equal(config_set_pair(&c, "swappiness=-1", err, sizeof(err)), 0);
	assert_int_not_equal(config_set_pair(&c, "swap=10Q", err, sizeof(err)), 0);
	assert_int_not_equal(config_set_pair(&c, "swap=99999999999T", err, sizeof(err)), 0);
	assert_int_not_equal(config_set_pair(&c, "swap", err, sizeof(err)), 0);
}

static void test_bundle_leaves_given_keys_alone(void **state)
{
	struct machine_config c;
	char err[256];

	(void)state;
	config_init(&c);
	assert_int_equal(config_set_pair(&c, "policy=4.12", err, sizeof(err)), 0);
	assert_int_equal(config_set_pair(&c, "steal=4.0", err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
	assert_int_equal(c.steal, STEAL_4_0);
	assert_int_equal(c.wmark, WMARK_RULE_4_4);
	assert_int_equal(c.fair, 0);
	assert_int_equal(c.kmalloc_min, 128);
	assert_int_equal(c.dirtycow, DIRTYCOW_FIXED);
}

/* Spec 13 s1 calls the policy of swap slots by the name of the swap area's size. */
static void test_swap_is_a_size_or_a_policy(void **state)
{
	struct machine_config c;
	char err[256];

	(void)state;
	config_init(&c);
	assert_int_equal(config_set_pair(&c, "swap=slots", err, sizeof(err)), 0);
	assert_int_equal(config_set_pair(&c, "swap=64M", err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
	assert_int_equal(c.swap, 64 * MiB);
	assert_int_equal(c.swap_slots, SWAP_SLOTS_SLOTS);
	assert_int_equal(c.dirtycow, DIRTYCOW_VULNERABLE); /* policy=4.0 */
	assert_int_equal(config_set_pair(&c, "swap=lots", err, sizeof(err)), -EINVAL);
}

static void test_impossible_geometry(void **state)
{
	struct machine_config c;
	char err[256];

	(void)state;
	config_init(&c);
	assert_int_equal(config_set_pair(&c, "page=16k", err, sizeof(err)), 0);
	assert_int_equal(config_set_pair(&c, "va=39", err, sizeof(err)), 0);
	assert_int_not_equal(config_finish(&c, err, sizeof(err)), 0);
}

static void test_vocabularies_have_unique_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		assert_int_equal(vmstat_by_name(vmstat_name(i)), i);
	for (unsigned c = 1; c < NR_OP_CODES; c++)
		if (op_known(c) && op_name(c)[0])
			assert_int_equal(op_by_name(op_name(c)), c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_print_and_parse_back),
		cmocka_unit_test(test_bad_keys_name_the_nearest),
		cmocka_unit_test(test_bundle_leaves_given_keys_alone),
		cmocka_unit_test(test_swap_is_a_size_or_a_policy),
		cmocka_unit_test(test_impossible_geometry),
		cmocka_unit_test(test_vocabularies_have_unique_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
