/* SPDX-License-Identifier: BSD-2-Clause */
/* What `memrig run dirtycow` tells: one rule changes the file, the others do not. */
#include "bench/dirtycow.h"
#include "tests/test.h"

static u32 times(const char *text, const char *what)
{
	u32 n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text++;
	}
	return n;
}

static void tell(struct machine_config *c, bool one, char *text, size_t n)
{
	char err[512];
	FILE *f = fmemopen(text, n, "w");

	assert_int_equal(config_finish(c, err, sizeof(err)), 0);
	assert_int_equal(dirtycow_story(c, one, 1, f, err, sizeof(err)), 0);
	fclose(f);
}

static void test_story(void **state)
{
	static const char *const archs[] = {"arch=arm64", "arch=arm32"};
	static char text[16384];
	char err[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct machine_config c;

		config_init(&c);
		assert_int_equal(config_set_pair(&c, archs[i], err, sizeof(err)), 0);
		tell(&c, false, text, sizeof(text));
		assert_int_equal(times(text, "The file is CHANGED"), 1);
		assert_int_equal(times(text, "The file is as it was"), 2);
		assert_int_equal(times(text, "EVILG"), 1);
		assert_int_equal(times(text, "successes 1"), 1);
		assert_int_equal(times(text, "successes 0"), 2);
		assert_int_equal(config_set_pair(&c, "dirtycow=fixed", err, sizeof(err)), 0);
		tell(&c, true, text, sizeof(text));
		assert_int_equal(times(text, "dirtycow="), 1);
		assert_int_equal(times(text, "The file is CHANGED"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_story)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
