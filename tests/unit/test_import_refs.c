/* SPDX-License-Identifier: BSD-2-Clause */
/* Reference traces of cache studies become reads and writes of one file. */
#include <unistd.h>

#include "tests/test.h"
#include "traces/import.h"
#include "traces/reader.h"

static void put_file(const char *path, const void *data, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* The trace's operations as "c off len;" with c r or w. */
static void read_back(const char *path, char *out, size_t n)
{
	char err[256];
	struct trace_reader *r = trace_open(path, 0, err, sizeof(err));
	const struct mm_op *ops;
	ssize_t got;
	size_t used = 0;

	assert_non_null(r);
	out[0] = 0;
	while ((got = trace_next(r, &ops)) > 0)
		for (ssize_t i = 0; i < got; i++)
			if (ops[i].code == OP_FREAD || ops[i].code == OP_FWRITE)
				used += (size_t)snprintf(out + used, n - used, "%c %llu %llu;",
							 ops[i].code == OP_FREAD ? 'r' : 'w',
							 (unsigned long long)ops[i].addr / 4096,
							 (unsigned long long)ops[i].len / 4096);
	trace_close(r);
}

static void import(const char *format, const void *data, size_t size, struct import_report *rep, char *out, size_t n)
{
	char in[64], to[64], err[256] = "";

	snprintf(in, sizeof(in), "/tmp/memrig-refs-%d.in", (int)getpid());
	snprintf(to, sizeof(to), "/tmp/memrig-refs-%d.mrt", (int)getpid());
	put_file(in, data, size);
	if (trace_import(format, in, to, 0, rep, err, sizeof(err)))
		fail_msg("%s", err);
	read_back(to, out, n);
	unlink(in);
	unlink(to);
}

static void test_csv(void **state)
{
	static const char text[] = "time,object,bytes,op\n1.5,900000000000,4096\n2,8,100,r\n2.5,900000000000,4096\n"
				   "3,9,8192,w\n4,8,9000\nnonsense\n";
	struct import_report rep;
	char out[256];

	(void)state;
	import(NULL, text, sizeof(text) - 1, &rep, out, sizeof(out));
	/* object 8 grew: it moved behind the others */
	assert_string_equal(out, "r 0 1;r 1 1;r 0 1;w 2 2;r 4 3;");
	assert_int_equal(rep.unknown, 1);
	assert_int_equal(rep.first_unknown, 7);
}

static void test_oracle_general(void **state)
{
	struct import_report rep;
	u8 records[3 * 24 + 5] = {0};
	char out[256];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		u8 *r = records + 24 * i;

		r[0] = (u8)i;             /* seconds */
		r[4 + 7] = i == 1 ? 0xff : 0xee; /* the object's highest byte */
		r[13] = 0x10;             /* 4096 bytes */
	}
	import("oracleGeneral", records, sizeof(records), &rep, out, sizeof(out));
	assert_string_equal(out, "r 0 1;r 1 1;r 0 1;");
	assert_int_equal(rep.lines, 3);
	assert_int_equal(rep.unknown, 1); /* the five bytes at the end */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_oracle_general),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
