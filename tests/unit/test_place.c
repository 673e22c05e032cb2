/* SPDX-License-Identifier: BSD-2-Clause */
/* Relocation spans against a naive page array. */
#include "core/base/prng.h"
#include "core/machine/place.h"
#include "tests/test.h"

#define PAGES 256

static void test_spans_equal_a_page_array(void **state)
{
	struct place *p = place_create();
	u64 want[PAGES] = {0}, got;
	struct prng prng;

	(void)state;
	assert_non_null(p);
	prng_seed(&prng, test_seed(7));
	for (int step = 0; step < 5000; step++) {
		u64 at = prng_below(&prng, PAGES), n = 1 + prng_below(&prng, PAGES - at);
		u64 to = (1 + prng_below(&prng, 1000)) << 20;

		if (prng_below(&prng, 3)) {
			assert_int_equal(place_add(p, at << 12, n << 12, to), 0);
			for (u64 i = 0; i < n; i++)
				want[at + i] = to + (i << 12);
		} else {
			assert_int_equal(place_remove(p, at << 12, n << 12), 0);
			memset(want + at, 0, n * sizeof(*want));
		}
		for (u64 i = 0; i < PAGES; i++) {
			assert_int_equal(place_find(p, (i << 12) + 5, &got), want[i] != 0);
			if (want[i])
				assert_int_equal(got, want[i] + 5);
		}
		if (step % 100 == 0) {
			struct place *c = place_clone(p);

			assert_non_null(c);
			assert_int_equal(c->nr, p->nr);
			place_destroy(c);
		}
	}
	place_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_spans_equal_a_page_array)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
