/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hw/clock.h"
#include "core/hw/hw.h"
#include "tests/test.h"

#include <errno.h>

static const struct hw_params small = {.base = 0x60000000, .bytes = MiB, .page_shift = 12, .ncpu = 2, .seed = 1};

static void test_contents_in_both_modes(void **state)
{
	(void)state;
	for (int bytes = 0; bytes < 2; bytes++) {
		struct hw_params p = small;
		struct hw hw;

		p.data_bytes = bytes;
		assert_int_equal(hw_init(&hw, &p), 0);
		assert_int_equal(hw_frame_tag(&hw, 0x60001), 0);
		hw_set_frame_tag(&hw, 0x60001, 77);
		hw_copy_frame(&hw, 0x60002, 0x60001);
		assert_int_equal(hw_frame_tag(&hw, 0x60002), 77);
		assert_true(hw_frames_equal(&hw, 0x60001, 0x60002));
		hw_clear_frame(&hw, 0x60001);
		assert_false(hw_frames_equal(&hw, 0x60001, 0x60002));
		assert_int_equal(hw.now, hw_costs[COST_ZERO_PAGE] + hw_costs[COST_COPY_PAGE]);
		assert_int_equal(hw_pa(&hw, hw_ptr(&hw, 0x60003008)), 0x60003008);
		hw_destroy(&hw);
	}
}

static void test_impossible_parameters(void **state)
{
	struct hw_params p = small;
	struct hw hw;

	(void)state;
	p.bytes = 4097;
	assert_int_equal(hw_init(&hw, &p), -EINVAL);
	p = small;
	p.ncpu = 0;
	assert_int_equal(hw_init(&hw, &p), -EINVAL);
	p.ncpu = MM_MAX_CPUS + 1;
	assert_int_equal(hw_init(&hw, &p), -EINVAL);
}

struct log {
	char text[64];
	struct hw *hw;
	u64 use;
};

static u64 step_a(void *self, u64 budget)
{
	struct log *l = self;

	(void)budget;
	strcat(l->text, "a");
	return 0;
}

static u64 step_b(void *self, u64 budget)
{
	struct log *l = self;
	u64 n = l->use < budget ? l->use : budget;

	strcat(l->text, "b");
	l->use -= n;
	return n;
}

static void test_daemons_run_in_due_order(void **state)
{
	struct hw hw;
	struct log l = {.hw = &hw};
	int b;

	(void)state;
	assert_int_equal(hw_init(&hw, &small), 0);
	clock_add_daemon(&hw, step_a, &l, 100, 100);
	b = clock_add_daemon(&hw, step_b, &l, CLOCK_NEVER, 0);
	clock_advance_to(&hw, 99);
	assert_string_equal(l.text, "");
	clock_advance_to(&hw, 250);
	assert_string_equal(l.text, "aa");
	assert_int_equal(hw.now, 250);
	l.use = 120; /* more than the budget of the first step */
	clock_wake(&hw, b);
	clock_advance_to(&hw, 310);
	assert_string_equal(l.text, "aaba");
	clock_advance_to(&hw, 380);
	assert_string_equal(l.text, "aabab");
	assert_int_equal(l.use, 0);
	clock_advance_to(&hw, 100);
	assert_int_equal(hw.now, 380);
	hw_destroy(&hw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents_in_both_modes),
		cmocka_unit_test(test_impossible_parameters),
		cmocka_unit_test(test_daemons_run_in_due_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
