/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a trace, binary or text: refused with one line, or what is read keeps the contract of
 * core/op.h and survives the way through the other form unchanged.
 */
#include "core/base/limits.h"
#include "tests/fuzz/fuzz.h"
#include "traces/reader.h"
#include "traces/tools.h"
#include "traces/validate.h"

const char *const fuzz_texts[] = {
	"memrig-trace 1\n@arch x86_64\n@page_size 4096\n# c\n0 0 1 spawn name=a brk=0x1000 stack=0x7fff0000\n"
	"120 0 1 mmap addr=0x10000000 len=0x8000 prot=rw flags=private,anon,fixed = 0x10000000\n"
	"450 0 1 write addr=0x10000000 len=4096 tag=7 = minor\n- 0 1 mprotect addr=0x10002000 len=0x2000 prot=r = 0\n"
	"- 1 1 fork child=2\n- 0 2.3 malloc ptr=0x5000 size=16\n- 0 2 free ptr=0x5000\n- 0 1 exit\n",
	"memrig-trace 1\n@lost 3\n0 0 0 alloc_pages id=1 order=3 gfp=kernel = 77\n"
	"- 0 0 cache_create cache=dentry size=192 align=8 flags=hwcache_align\n"
	"- 0 0 cache_alloc cache=dentry id=9 = 12:3\n- 0 0 sysctl name=swappiness value=\"6 0\"\n- - 1 mark name=x\n",
	NULL,
};
const char *const fuzz_files[] = {
	"traces/samples/shell.mrt", "traces/samples/sqlite-malloc.mrt", NULL,
};
const unsigned fuzz_mutations = 1500;

struct seen {
	u64 events, hash, ts;
};

/* Whole records in order, times that do not decrease; hashes what does not depend on numbering. */
static void see(struct seen *s, struct trace_reader *r, const struct mm_op *ops, size_t n)
{
	FUZZ_REQUIRE(n <= MM_MAX_OP_BATCH);
	for (size_t i = 0; i < n; i++) {
		FUZZ_REQUIRE(op_known(ops[i].code) && ops[i].code != OP_EXT);
		FUZZ_REQUIRE(ops[i].ts >= s->ts);
		FUZZ_REQUIRE(ops[i].task < trace_nr_tasks(r) || ops[i].code == OP_TASK);
		s->ts = ops[i].ts;
		if (ops[i].code != OP_TASK) {
			s->events++;
			s->hash = (s->hash ^ ops[i].ts ^ (u64)ops[i].code << 56 ^ ops[i].flags) * 0x100000001b3ull;
		}
		if (ops[i].flags & MM_OP_HAS_EXT) {
			FUZZ_REQUIRE(i + 1 < n && ops[i + 1].code == OP_EXT);
			i++;
		}
	}
}

/* 0, or -1 when the trace was refused or broke off. */
static int read_all(const char *path, unsigned flags, struct seen *s)
{
	char err[512] = "";
	struct trace_reader *r = trace_open(path, flags, err, sizeof(err));
	const struct mm_op *ops;
	ssize_t n;

	memset(s, 0, sizeof(*s));
	if (!r) {
		fuzz_one_line(err);
		return -1;
	}
	while ((n = trace_next(r, &ops)) > 0)
		see(s, r, ops, (size_t)n);
	if (n < 0)
		fuzz_one_line(trace_reader_error(r));
	FUZZ_REQUIRE(trace_next(r, &ops) == n); /* again and again */
	trace_close(r);
	return n < 0 ? -1 : 0;
}

/* To the other form, which must say the same. */
static void through(const char *path, int flags, const struct seen *want)
{
	char err[512] = "", copy[] = "/tmp/memrig-fuzz-XXXXXX";
	struct trace_reader *r = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
	struct trace_select all;
	struct seen got;
	u64 events;
	int fd = mkstemp(copy);

	FUZZ_REQUIRE(r && fd >= 0);
	close(fd);
	trace_select_init(&all);
	if (trace_copy_selected(r, copy, flags, &all, &events, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	trace_close(r);
	FUZZ_REQUIRE(events == want->events);
	FUZZ_REQUIRE(!read_all(copy, TRACE_READ_INLINE, &got));
	FUZZ_REQUIRE(got.events == want->events && got.hash == want->hash);
	unlink(copy);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static unsigned turn;
	struct fuzz_file f = fuzz_file(data, size);
	struct seen s;

	/* checksums would refuse nearly every mutation: every second time they are not looked at */
	if (!read_all(f.path, TRACE_READ_INLINE, &s) && s.events < 4096) {
		through(f.path, TRACE_WRITE_TEXT, &s);
		through(f.path, 0, &s);
	}
	if (turn++ & 1)
		read_all(f.path, TRACE_READ_NO_CHECKSUM, &s);
	else
		read_all(f.path, TRACE_READ_INLINE | TRACE_READ_NO_CHECKSUM, &s);
	close(f.fd);
	return 0;
}
