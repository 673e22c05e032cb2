/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of KEY=VALUE: refused with one line, or a configuration that prints back to itself and that a
 * machine refuses with one line or boots.
 */
#include "core/machine.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_texts[] = {
	"arch=arm64\nmem=64M\npage=16k\nva=47\nncpu=2\nswap=16M\npolicy=4.12\n",
	"arch=arm32\nmem=64M@0x60000000,32M@0x70000000\nvmalloc=100M\nsplit=2g\nlpae=1\nideal=1\n",
	"machine=x86pc\nmem=1G\nlowmem_reserve_ratio=256,32,32\nmin_free_kbytes=1024\n",
	"arch=arm64\nmem=256M\nreserved=4M@0x40000000,1M@0x48000000\nreserved_late=1M\nwatermark=scale\nkhugepaged=1\n",
	"mem=32M\nnodes=2\nslab=slub\nslabdebug=1\nkmalloc_min=32\ncache_line=32\nhighmem=0\ndata=bytes\n",
	NULL,
};
const char *const fuzz_files[] = {NULL};
const unsigned fuzz_mutations = 500;

static void prints_back(const struct machine_config *c)
{
	struct machine_config again;
	char text[CONFIG_STR_MAX], twice[CONFIG_STR_MAX], err[512];

	config_init(&again);
	for (unsigned k = 0; k < NR_CONFIG_KEYS; k++) {
		config_key_print(c, k, text, sizeof(text));
		FUZZ_REQUIRE(!config_set(&again, config_key_name(k), text, err, sizeof(err)));
		FUZZ_REQUIRE(!strcmp(config_key_print(&again, k, twice, sizeof(twice)), text));
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char text[4096], err[512] = "", why[512], *save = NULL;
	struct machine_config c;
	struct machine *m;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	config_init(&c);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		err[0] = 0;
		if (config_set_pair(&c, line, err, sizeof(err)))
			fuzz_one_line(err);
	}
	err[0] = 0;
	if (config_finish(&c, err, sizeof(err))) {
		fuzz_one_line(err);
		return 0;
	}
	prints_back(&c);
	if (c.dtb[0]) /* not to open what chance names */
		return 0;
	err[0] = 0;
	m = machine_create(&c, err, sizeof(err));
	if (!m) {
		fuzz_one_line(err);
		return 0;
	}
	if (machine_check(m, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	machine_destroy(m);
	return 0;
}
