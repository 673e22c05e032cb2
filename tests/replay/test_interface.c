/* SPDX-License-Identifier: BSD-2-Clause */
/* What the outside may rely on, from outside: files in, files out, exit status, one line of error. */
#include <jansson.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench/footprint.h"
#include "bench/manifest.h"
#include "core/config.h"
#include "tests/command.h"

#define MEMRIG MEMRIG_BINARY_DIR "/memrig "

static char dir[] = "/tmp/memrig-interface-XXXXXX";

/* Runs a shell command in the test's directory; both streams of it in @out. */
MM_PRINTF(3, 4) static int run(char *out, size_t n, const char *fmt, ...)
{
	char cmd[2048], line[3072];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "cd %s && { %s; } 2>&1", dir, cmd);
	return run_command(line, out, n);
}

static void assert_one_line(const char *out, const char *naming)
{
	const char *end = strchr(out, '\n');

	if (!end || end[1] || !strstr(out, naming))
		fail_msg("expected one line naming '%s', got: %s", naming, out);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static json_t *load(const char *name)
{
	char path[128];
	json_t *j;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	j = json_load_file(path, 0, NULL);
	assert_non_null(j);
	return j;
}

/* The value at "a.b.0.c" of @j; the test fails where there is none. */
static json_t *at(json_t *j, const char *path)
{
	char copy[256], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *k = strtok_r(copy, ".", &save); k; k = strtok_r(NULL, ".", &save)) {
		j = json_is_array(j) ? json_array_get(j, strtoul(k, NULL, 10)) : json_object_get(j, k);
		if (!j)
			fail_msg("no '%s' (of %s)", k, path);
	}
	return j;
}

static s64 num(json_t *j, const char *path)
{
	j = at(j, path);
	assert_true(json_is_integer(j));
	return json_integer_value(j);
}

static const char head[] = "memrig-trace 1\n@arch x86_64\n@page_size 4096\n";
static const char body[] =
	"0 0 1 spawn\n"
	"120 0 1 mmap addr=0x10000000 len=0x8000 prot=rw flags=private,anon,fixed = 0x10000000\n"
	"450 0 1 write addr=0x10000000 len=8192 tag=7 = minor\n"
	"- 0 1 mprotect addr=0x10002000 len=0x2000 prot=r = 0\n"
	"- 0 1 munmap addr=0x10000001 len=0x1000 = -EINVAL\n"
	"- 0 1 mark name=early\n"
	"- 0 1 munmap addr=0x10004000 len=0x4000 = 0\n"
	"- 0 1 lists name=now kind=buddy\n"
	"- 0 1 lists name=now kind=pcp\n"
	"- 0 1 lists name=now kind=blocks\n"
	"- 0 1 lists name=now kind=lru\n"
	"- 0 0 cache_create cache=7 size=100 = 0\n"
	"- 0 0 cache_alloc cache=7 id=1\n"
	"- 0 0 lists name=now kind=slab cache=7\n"
	"- 0 0 lists name=now kind=cache cache=7\n";

static void put_trace(const char *name)
{
	char text[sizeof(head) + sizeof(body)];

	snprintf(text, sizeof(text), "%s%s", head, body);
	put(name, text);
}

/* Rows 8 to 14 of spec 06 s10.2 and what else a file's mode decides, from text, and from what text becomes. */
static void test_file_modes(void **state)
{
	char out[4096], text[4096];

	(void)state;
#define SEED MEMRIG_SOURCE_DIR "/docs/seeds/files.txt"
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay " SEED " --quiet --check"), 0);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay " SEED " --quiet --check --set vma=btree "
			     "--set arch=arm32"), 0);
	assert_int_equal(run(out, sizeof(out), MEMRIG "trace import --format text " SEED " -o modes.mrt"), 0);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay modes.mrt --quiet --check"), 0);
	assert_int_equal(run(out, sizeof(out), MEMRIG "trace export modes.mrt | grep -c mode="), 0);
	assert_int_equal(strtoul(out, NULL, 10), 7);
	assert_int_equal(run(out, sizeof(out), MEMRIG "trace export modes.mrt | grep 'id=4 '"), 0);
	assert_non_null(strstr(out, "file id=4 size=65536 name=append mode=read,write,append\n"));
	snprintf(text, sizeof(text), "%s0 0 1 file id=1 size=4096 mode=reed\n", head);
	put("bad.txt", text);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay bad.txt"), 2);
	assert_one_line(out, "bad.txt:4");
	assert_non_null(strstr(out, "read, write, append, noexec, nommap"));
}

/* Every key of interfaces.md s4 is there and says what happened. */
static void test_result_keys(void **state)
{
	static const char *const present[] = {
		"schema", "memrig", "config.mem", "config.seed", "seed", "trace.path", "trace.hash", "trace.events",
		"trace.lost", "trace.duration_ns", "replay.events", "replay.skipped", "replay.seconds",
		"replay.events_per_second", "replay.virtual_ns", "vmstat.pgfault", "vmstat.pgmajfault",
		"paging.references", "paging.misses", "paging.miss_ratio", "pressure.some_ns", "pressure.full_ns",
		"pressure.io_some_ns", "pressure.io_full_ns", "pressure.stall_ns.file_read",
		"tasks.0.stall_ns.major_fault", "tasks.0.memory_stall_ns", "tasks.0.io_stall_ns",
		"ksm.pages_shared", "ksm.pages_sharing", "ksm.pages_unshared", "ksm.pages_volatile",
		"ksm.full_scans", "ksm.pages_scanned", "ksm.pages_skipped", "ksm.ksm_zero_pages",
		"ksm.stable_node_chains", "ksm.stable_node_dups", "tasks.0.task", "tasks.0.minflt",
		"tasks.0.majflt", "tasks.0.rss_anon", "tasks.0.rss_file", "tasks.0.rss_shmem", "tasks.0.swap",
		"tasks.0.pgtable_bytes", "tasks.0.vmas.0.start", "tasks.0.vmas.0.end", "tasks.0.vmas.0.perms",
		"tasks.0.vmas.0.pgoff", "tasks.0.vmas.0.kind", "tasks.0.vmas.0.flags", "zones.0.node",
		"zones.0.name", "zones.0.start_pfn", "zones.0.spanned", "zones.0.present", "zones.0.managed",
		"zones.0.min", "zones.0.low", "zones.0.high", "zones.0.protection.0", "zones.0.free.10",
		"marks.0.name", "marks.0.event", "marks.0.vmstat.pgfault", "marks.0.ksm.full_scans",
		"marks.0.tasks.0.vmas.2.start", "lists.0.name", "lists.0.kind", "lists.0.zone", "lists.0.list",
		"lists.0.items", "ops.mmap.count", "ops.mmap.errors", "ops.mmap.ns_p50", "ops.mmap.ns_p99",
		"mismatches.count", "mismatches.first", "host.kernel", "host.cpu", "host.compiler",
		"host.build_type", "host.commit",
	};
	char out[4096];
	json_t *j;

	(void)state;
	put_trace("t.txt");
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay t.txt --quiet --check --json r.json"), 0);
	assert_string_equal(out, "");
	j = load("r.json");
	for (size_t i = 0; i < ARRAY_SIZE(present); i++)
		(void)at(j, present[i]);
	for (unsigned k = 0; k < NR_CONFIG_KEYS; k++) /* every key resolved */
		assert_non_null(json_object_get(at(j, "config"), config_key_name(k)));
	assert_int_equal(num(j, "trace.events"), 15);
	assert_int_equal(num(j, "replay.skipped"), 0);
	assert_int_equal(num(j, "trace.duration_ns"), 450);
	assert_int_equal(num(j, "ops.munmap.count"), 2);
	assert_int_equal(num(j, "ops.munmap.errors"), 1);
	assert_int_equal(num(j, "tasks.0.rss_anon"), 2);
	assert_int_equal(num(j, "tasks.0.minflt"), 2);
	assert_int_equal(json_array_size(at(j, "tasks.0.vmas")), 2);
	assert_int_equal(json_array_size(at(j, "marks.0.tasks.0.vmas")), 3); /* before the munmap */
	assert_string_equal(json_string_value(at(j, "marks.0.tasks.0.vmas.1.perms")), "r--p");
	assert_string_equal(json_string_value(at(j, "tasks.0.vmas.0.start")), "0x10000000");
	json_decref(j);
}

/* `lists kind=frames`: every frame of each zone once, and as many free ones as the zone says. */
static void test_frames_of_zones(void **state)
{
	char text[2048], out[4096];
	json_t *j, *map, *zone, *one;
	size_t i, k, run_nr, nr = 0;

	(void)state;
	snprintf(text, sizeof(text), "%s%s- 0 0 drain\n- 0 0 lists name=map kind=frames\n", head, body);
	put("f.txt", text);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay f.txt --quiet --json r.json --set arch=arm32 --set "
			     "mem=1G"), 0);
	j = load("r.json");
	json_array_foreach(at(j, "lists"), i, map) {
		s64 frames = 0, unused = 0, anon = 0, want = 0;

		if (strcmp(json_string_value(at(map, "kind")), "frames"))
			continue;
		zone = json_array_get(at(j, "zones"), nr++);
		assert_true(json_equal(at(map, "zone"), at(zone, "name")));
		json_array_foreach(at(map, "items"), run_nr, one) {
			const char *use = json_string_value(json_array_get(one, 0));
			s64 n = json_integer_value(json_array_get(one, 1));

			assert_true(n > 0);
			frames += n;
			unused += !strcmp(use, "free") ? n : 0;
			anon += !strcmp(use, "anon") ? n : 0;
		}
		for (k = 0; k < json_array_size(at(zone, "free")); k++)
			want += json_integer_value(json_array_get(at(zone, "free"), k)) << k;
		assert_int_equal(frames, num(zone, "spanned"));
		assert_int_equal(unused, want);
		assert_int_equal(anon, !strcmp(json_string_value(at(zone, "name")), "HighMem") ? 2 : 0);
	}
	assert_int_equal(nr, json_array_size(at(j, "zones")));
	json_decref(j);
}

/* The same bytes twice but for times and host, whatever the sample. */
static void test_results_repeat(void **state)
{
	static const char *const volatile_keys[] = {"seconds", "events_per_second"};
	static const char *const samples[] = {"gcc", "python-malloc", "redis", "shell", "sqlite"};
	char out[4096];
	json_t *j[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		for (int n = 0; n < 2; n++) {
			const char *op;
			json_t *v;

			assert_int_equal(run(out, sizeof(out), MEMRIG "replay " MEMRIG_SOURCE_DIR
					     "/traces/samples/%s.mrt --quiet --set mem=2G --json r.json",
					     samples[i]), 0);
			j[n] = load("r.json");
			assert_int_equal(num(j[n], "replay.skipped"), 0);
			json_object_del(j[n], "host");
			for (size_t k = 0; k < ARRAY_SIZE(volatile_keys); k++)
				json_object_del(at(j[n], "replay"), volatile_keys[k]);
			json_object_foreach(at(j[n], "ops"), op, v) {
				json_object_del(v, "ns_p50");
				json_object_del(v, "ns_p99");
			}
		}
		assert_true(json_equal(j[0], j[1]));
		json_decref(j[0]);
		json_decref(j[1]);
	}
}

static void test_check_tells_line_and_both_answers(void **state)
{
	char text[1024], out[4096];
	json_t *j;

	(void)state;
	snprintf(text, sizeof(text), "%s# a comment\n0 0 1 spawn\n- 0 1 munmap addr=0x10000000 len=0x1000 = -EINVAL\n"
		 "- 0 1 mmap addr=0x10000000 len=4096 prot=rw flags=private,anon,fixed = 0x10000000\n"
		 "- 0 1 read addr=0x10000000 = major\n- 0 1 check\n", head);
	put("m.txt", text);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay m.txt --quiet --check --json r.json"), 1);
	j = load("r.json"); /* written although the check failed */
	assert_int_equal(num(j, "mismatches.count"), 2);
	assert_int_equal(num(j, "mismatches.first.0.line"), 6);
	assert_string_equal(json_string_value(at(j, "mismatches.first.0.expected")), "-EINVAL");
	assert_string_equal(json_string_value(at(j, "mismatches.first.0.got")), "0");
	assert_int_equal(num(j, "mismatches.first.1.line"), 8);
	assert_string_equal(json_string_value(at(j, "mismatches.first.1.got")), "minor");
	json_decref(j);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay m.txt --quiet"), 0); /* not asked: not compared */
}

static void test_wrong_use_is_one_line_and_2(void **state)
{
	char out[4096];

	(void)state;
	put_trace("t.txt");
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay t.txt --quiet --set swapines=1"), 2);
	assert_one_line(out, "swappiness");
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay t.txt --quiet --set policy=4.1"), 2);
	assert_one_line(out, "4.12");
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay none.txt --quiet"), 2);
	assert_one_line(out, "none.txt");
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay t.txt --quiet --json none/r.json"), 2);
	assert_one_line(out, "none/r.json");
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay t.txt --quiet --show nonsense"), 2);
	assert_non_null(strstr(out, "nonsense"));
	put("c.conf", "# machine\nmem = 64M\nncpu=x\n");
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay t.txt --quiet -c c.conf"), 2);
	assert_one_line(out, "c.conf:");
}

static bool is_char_device(const char *path, unsigned major, unsigned minor)
{
	struct stat st;

	return !stat(path, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(major, minor);
}

/* Whatever writes says so when there is no room, and leaves neither halves nor a replaced device. */
static void test_no_room(void **state)
{
	static const char *const commands[] = {
		"replay t.txt --quiet --json /dev/full", "replay t.txt --show buddyinfo >/dev/full",
		"trace export t.txt >/dev/full",	 "trace import --format text t.txt -o /dev/full",
		"trace info t.txt >/dev/full",		 "show zoneinfo >/dev/full",
		"--version >/dev/full",			 "bench --list >/dev/full",
		"run churn events=1000 --quiet --json /dev/full",
		"run churn events=1000 --write /dev/full",
		"bench --force --quiet --quick --filter hw/clock --json /dev/full",
		"bench --force --quiet --quick --filter hw/clock --csv /dev/full",
	};
	char out[4096];

	(void)state;
	if (!is_char_device("/dev/full", 1, 7))
		skip();
	put_trace("t.txt");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (run(out, sizeof(out), MEMRIG "%s", commands[i]) != 2)
			fail_msg("%s: no error: %s", commands[i], out);
		assert_one_line(out, "memrig");
		assert_true(is_char_device("/dev/full", 1, 7));
	}
}

/* A file that was there before survives an attempt that fails; nothing else is left. */
static void test_nothing_half_written(void **state)
{
	char out[4096];

	(void)state;
	put_trace("t.txt");
	if (run(out, sizeof(out), "mkdir -p small && mount -t tmpfs -o size=16k none small"))
		skip(); /* not root */
	assert_int_equal(run(out, sizeof(out), "echo old >small/r.json && cp small/r.json small/t.mrt"), 0);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay t.txt --quiet --json small/r.json"), 2);
	assert_one_line(out, "small/r.json");
	assert_int_equal(run(out, sizeof(out), MEMRIG "run churn --write small/t.mrt"), 2);
	assert_one_line(out, "small/t.mrt");
	assert_int_equal(run(out, sizeof(out), "ls small && cat small/*; umount small"), 0);
	assert_string_equal(out, "r.json\nt.mrt\nold\nold\n");
}

/* ---- mem=0.5wss ---- */

struct touch_source {
	struct mm_op ops[8];
	unsigned step;
	u64 pages;
};

/* One process that maps and writes pages, gives back nine tenths, and writes those again. */
static ssize_t touch_next(void *self, const struct mm_op **ops)
{
	struct touch_source *s = self;
	const u64 at_ = 0x10000000, len = s->pages * 4096;
	struct mm_op_ext ext = {.x0 = MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, .has = MM_EXT_X0, .code = OP_EXT};

	*ops = s->ops;
	memset(s->ops, 0, sizeof(s->ops));
	switch (s->step++) {
	case 0:
		s->ops[0] = (struct mm_op){.code = OP_TASK, .task = 1, .addr = 1, .len = 1};
		s->ops[1] = (struct mm_op){.code = OP_SPAWN, .task = 1};
		s->ops[2] = (struct mm_op){.code = OP_MMAP, .task = 1, .addr = at_, .len = len,
					   .flags = MM_PROT_READ | MM_PROT_WRITE | MM_OP_HAS_EXT};
		memcpy(&s->ops[3], &ext, sizeof(ext));
		s->ops[4] = (struct mm_op){.code = OP_WRITE, .task = 1, .addr = at_, .len = len,
					   .flags = MM_OP_HAS_LEN};
		return 5;
	case 1:
		s->ops[0] = (struct mm_op){.code = OP_MADVISE, .task = 1, .addr = at_, .len = len / 10 * 9,
					   .flags = MM_MADV_DONTNEED};
		s->ops[1] = (struct mm_op){.code = OP_WRITE, .task = 1, .addr = at_, .len = len / 10,
					   .flags = MM_OP_HAS_LEN};
		return 2;
	default:
		return 0;
	}
}

static const char *no_text(void *self)
{
	(void)self;
	return "";
}

static struct op_strings no_strings(void *self)
{
	(void)self;
	return (struct op_strings){0};
}

static u64 free_after_boot(const struct machine_config *c)
{
	char err[512];
	struct vmstat_snapshot s;
	struct machine *m = machine_create(c, err, sizeof(err));

	assert_non_null(m);
	machine_vmstat(m, &s);
	machine_destroy(m);
	return (u64)s.v[vmstat_by_name("nr_free_pages")];
}

static void test_fraction_of_the_footprint(void **state)
{
	static const struct {
		const char *mem, *arch;
		double share;
	} cases[] = {{"0.5wss", "arm64", 0.5}, {"1wss", "arm64", 1}, {"2.25wss", "arm64", 2.25},
		     {"0.5wss", "arm32", 0.5}};
	const u64 pages = 20000;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct touch_source s = {.pages = pages};
		struct op_source src = {.self = &s, .next = touch_next, .error = no_text, .strings = no_strings};
		struct machine_config c;
		char err[512];
		u64 got;

		config_init(&c);
		assert_int_equal(config_set(&c, "arch", cases[i].arch, err, sizeof(err)), 0);
		assert_int_equal(config_set(&c, "mem", cases[i].mem, err, sizeof(err)), 0);
		assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
		assert_true(footprint_asked(&c));
		assert_int_equal(footprint_resolve(&c, &src, err, sizeof(err)), 0);
		assert_false(footprint_asked(&c));
		got = free_after_boot(&c);
		/* pages, tables (one of 512 or 256 entries) and a few slabs; sizes are rounded to 2 MiB on ARM32 */
		assert_in_range(got, (u64)((double)pages * cases[i].share),
				(u64)((double)(pages + pages / 200) * cases[i].share) + 1024);
	}
}

static void test_fraction_on_the_command_line(void **state)
{
	char out[4096];
	json_t *j;
	u64 mem;

	(void)state;
	assert_int_equal(run(out, sizeof(out), MEMRIG "run stream size=4M --write s.mrt"), 0);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay s.mrt --quiet --set mem=2wss --json r.json"), 0);
	j = load("r.json");
	assert_int_equal(config_parse_size(json_string_value(at(j, "config.mem")), &mem), 0);
	/* one of the three arrays is written; kernel image and memmap come on top */
	assert_in_range(mem, 2 * 4 * MiB + 10280 * KiB, 2 * 4 * MiB + 10280 * KiB + 4 * MiB);
	json_decref(j);
	assert_int_equal(run(out, sizeof(out), MEMRIG "run stream size=4M --quiet --set mem=2wss --json q.json"), 0);
	j = load("q.json");
	assert_non_null(strchr(json_string_value(at(j, "config.mem")), 'K'));
	json_decref(j);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay s.mrt --quiet --set mem=0wss"), 2);
	assert_one_line(out, "0wss");
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay s.mrt --quiet --set mem=wss"), 2);
	assert_one_line(out, "wss");
}

static u64 resident_bytes(void)
{
	unsigned long size, resident;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
	fclose(f);
	return (u64)resident * (u64)sysconf(_SC_PAGESIZE);
}

/* A terabyte is 2^28 frames: less than half a byte of the host for each that nobody touched. */
static void test_a_terabyte_costs_little(void **state)
{
	struct machine_config c;
	char err[512];
	u64 before = resident_bytes(), after;
	struct machine *m;

	(void)state;
	config_init(&c);
	assert_int_equal(config_set(&c, "mem", "1T", err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
	m = machine_create(&c, err, sizeof(err));
	if (!m)
		fail_msg("%s", err);
	after = resident_bytes();
	assert_true(after > before && after - before < (1ull << 28) / 2);
	machine_destroy(m);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char out[256];

	(void)state;
	return run(out, sizeof(out), "rm -r %s", dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_modes),
		cmocka_unit_test(test_result_keys),
		cmocka_unit_test(test_frames_of_zones),
		cmocka_unit_test(test_results_repeat),
		cmocka_unit_test(test_check_tells_line_and_both_answers),
		cmocka_unit_test(test_wrong_use_is_one_line_and_2),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_nothing_half_written),
		cmocka_unit_test(test_fraction_of_the_footprint),
		cmocka_unit_test(test_fraction_on_the_command_line),
		cmocka_unit_test(test_a_terabyte_costs_little),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
