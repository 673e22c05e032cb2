/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as each foreign format (the first byte chooses; told by the first lines otherwise): refused
 * with one line, or a trace that reads.
 */
#include "tests/fuzz/fuzz.h"
#include "traces/import.h"
#include "traces/reader.h"

const char *const fuzz_texts[] = {
	"0memrig-trace 1\n@arch x86_64\n0 0 1 spawn\n- 0 1 brk addr=0x1000 = 0x1000\n",
	"11234  1700000000.000001 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, "
	"-1, 0) = 0x7f0000000000\n"
	"1234  1700000000.000002 brk(NULL) = 0x55d000000000\n1234  1700000000.000003 "
	"mprotect(0x7f0000000000, 4096, PROT_READ) = 0\n"
	"1234  1700000000.000004 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD) = 1235\n"
	"1235  1700000000.000005 munmap(0x7f0000000000, 8192 <unfinished ...>\n"
	"1234  1700000000.000006 madvise(0x7f0000001000, 4096, MADV_DONTNEED) = -1 EINVAL (Invalid argument)\n"
	"1235  1700000000.000007 <... munmap resumed>) = 0\n1235  1700000000.000008 +++ exited with 0 +++\n",
	"2prog  1234/1234  [001]  100.000001: syscalls:sys_enter_mmap: addr: 0x0, len: 0x2000, prot: "
	"0x3, flags: 0x22, fd: 0xffffffff, off: 0x0\n"
	"prog  1234/1234  [001]  100.000002: syscalls:sys_exit_mmap: 0x7f0000000000\n"
	"prog  1234/1234  [001]  100.000003: exceptions:page_fault_user: address=0x7f0000000000 ip=0x1 "
	"error_code=0x6\n",
	"3v 10200\nX ./a\nI 1000 100\ns 2 ab\nt 1 0\na 10 1\n+ 0\n- 0\nc 5\n",
	"4 I  04000000,3\n L 1ffeffe7e0,8\n S 1ffeffe7d8,8\n M 0421c7cc,4\n",
	NULL,
};
const char *const fuzz_files[] = {NULL};
const unsigned fuzz_mutations = 800;

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char err[512] = "", out[] = "/tmp/memrig-fuzz-XXXXXX";
	const struct import_format *format = NULL;
	struct import_report report;
	struct fuzz_file f;
	int fd;

	if (!size)
		return 0;
	if (data[0] >= '0' && data[0] <= '9')
		format = import_format((unsigned)(data[0] - '0'));
	f = fuzz_file(data + 1, size - 1);
	fd = mkstemp(out);
	FUZZ_REQUIRE(fd >= 0);
	close(fd);
	if (trace_import(format ? format->name : NULL, f.path, out, 0, &report, err, sizeof(err))) {
		fuzz_one_line(err);
	} else {
		struct trace_reader *r = trace_open(out, TRACE_READ_INLINE, err, sizeof(err));
		const struct mm_op *ops;
		ssize_t n;

		if (!r) {
			fprintf(stderr, "%s\n", err);
			abort();
		}
		while ((n = trace_next(r, &ops)) > 0)
			;
		if (n)
			fprintf(stderr, "%s\n", trace_reader_error(r));
		FUZZ_REQUIRE(!n);
		trace_close(r);
	}
	unlink(out);
	close(f.fd);
	return 0;
}
