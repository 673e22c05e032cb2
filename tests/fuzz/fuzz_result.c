/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a result of 'bench --json' or 'replay --json': refused with one line, or tables. */
#include <sys/stat.h>

#include "bench/compare.h"
#include "bench/result_set.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_texts[] = {
	"{\"schema\": 1, \"kind\": \"bench\", \"manifest\": {\"cpu\": \"x\"}, \"hash\": "
	"\"0123456789abcdef\", \"benches\": "
	"[{\"name\": \"buddy/pair0\", \"suite\": \"buddy\", \"case\": \"pair0\", \"unit\": \"ns\", "
	"\"less_is_better\": true, "
	"\"goal\": 5.0, \"rival\": 26.0, \"threads\": 1, \"arg\": 1, \"values\": [5.0, 5.1, 4.9]}]}",
	"{\"schema\": 1, \"memrig\": \"0.1.0\", \"config\": {\"page\": \"16k\", \"mem\": \"1G\"}, "
	"\"seed\": 1, \"trace\": "
	"{\"path\": \"t\", \"events\": 10, \"lost\": 0, \"duration_ns\": 5}, \"replay\": {\"events\": "
	"10, \"skipped\": 0, "
	"\"seconds\": 0.5, \"events_per_second\": 20.0, \"virtual_ns\": 7}, \"vmstat\": {\"pgfault\": "
	"3}, \"host\": {}}",
	NULL,
};
const char *const fuzz_files[] = {NULL};
const unsigned fuzz_mutations = 500;

static void as_bench(const char *path)
{
	char err[512] = "", hash[17];
	struct results r;
	struct table t;

	if (results_load(&r, path, NULL, NULL, err, sizeof(err))) {
		fuzz_one_line(err);
		return;
	}
	results_hash(&r, hash);
	if (!results_bench_table(&r, "", &t))
		table_free(&t);
	results_free(&r);
}

static void as_compared(const char *path)
{
	char err[512] = "";
	json_t *j = compare_load(path, err, sizeof(err));

	if (!j)
		fuzz_one_line(err);
	json_decref(j);
}

static void as_replay(const void *data, size_t size)
{
	char err[512] = "", dir[] = "/tmp/memrig-fuzz-XXXXXX", path[64], hash[17];
	struct results r;
	struct table t;
	FILE *f;

	FUZZ_REQUIRE(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/trace", dir);
	FUZZ_REQUIRE(!mkdir(path, 0777));
	snprintf(path, sizeof(path), "%s/trace/machine.json", dir);
	f = fopen(path, "we");
	FUZZ_REQUIRE(f && fwrite(data, 1, size, f) == size && !fclose(f));
	if (results_load(&r, NULL, dir, NULL, err, sizeof(err))) {
		fuzz_one_line(err);
	} else {
		results_hash(&r, hash);
		if (!results_replay_table(&r, NULL, &t))
			table_free(&t);
		results_free(&r);
	}
	unlink(path);
	snprintf(path, sizeof(path), "%s/trace", dir);
	rmdir(path);
	rmdir(dir);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_file f = fuzz_file(data, size);

	as_bench(f.path);
	as_compared(f.path);
	as_replay(data, size);
	close(f.fd);
	return 0;
}
