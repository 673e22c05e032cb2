/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a flattened device tree: refused with one line, or memory nodes. */
#include "core/phys/dtb.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_texts[] = {"not a tree", NULL};
const char *const fuzz_files[] = {"tests/fuzz/seeds/three-banks.dtb", NULL};
const unsigned fuzz_mutations = 5000;

static int count(void *arg, u64 base, u64 size)
{
	unsigned *n = arg;

	(void)base;
	(void)size;
	return ++*n > 1000 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_file f = fuzz_file(data, size);
	char err[512] = "";
	unsigned n = 0;

	if (dtb_memory(f.path, count, &n, err, sizeof(err)) && n <= 1000)
		fuzz_one_line(err);
	close(f.fd);
	return 0;
}
