/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as operations on a small machine, of which every invariant must hold in the end: no guest can
 * break the model. The bytes choose operations and values from pools, so that most of them mean something;
 * they become a text trace, which the reader must accept, and which is applied.
 */
#include "core/machine.h"
#include "tests/fuzz/fuzz.h"
#include "traces/grammar.h"
#include "traces/reader.h"

const char *const fuzz_texts[] = {
	"\x01\x02\x03 mappings and faults in one process, the quick brown fox jumps over the lazy dog 01234567",
	"\x10 kernel pages, caches, kmalloc and vmalloc: pack my box with five dozen liquor jugs, AND AGAIN",
	"\x21\x80\xff\x7f files, heap and control the five boxing wizards jump quickly \x90\x91\x92\x93\x94",
	"\x33zzzzyyyyxxxxwwwwvvvvuuuuttttssssrrrrqqqqppppoooonnnnmmmmllllkkkkjjjjiiiihhhhgggg",
	NULL,
};
const char *const fuzz_files[] = {"traces/samples/sqlite-malloc.mrt", NULL}; /* noise */
const unsigned fuzz_mutations = 400;

struct bytes {
	const u8 *at, *end;
};

static unsigned take(struct bytes *b)
{
	return b->at < b->end ? *b->at++ : 0;
}

static const char *pick(struct bytes *b, const char *const *words, unsigned n)
{
	return words[take(b) % n];
}
#define PICK(b, ...) pick(b, (const char *const[]){__VA_ARGS__}, ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

static u64 address(struct bytes *b)
{
	unsigned a = take(b);

	switch (a & 7) {
	case 0:
		return 0;
	case 1:
		return (u64)take(b) << 56 | 0xfff;
	case 2:
		return 0x10000000ull + take(b) * 0x1001ull;
	default:
		return 0x10000000ull + (u64)take(b) * 0x1000 * (1 + (a >> 6));
	}
}

static u64 length(struct bytes *b)
{
	unsigned a = take(b);

	switch (a & 7) {
	case 0:
		return 0;
	case 1:
		return 1ull << (take(b) & 63);
	case 2:
		return take(b);
	default:
		return (a >> 3) * 0x1000ull;
	}
}

static void put_number(FILE *out, struct bytes *b, const char *name)
{
	if (!strcmp(name, "id") || !strcmp(name, "file") || !strcmp(name, "page") || !strcmp(name, "child") ||
	    !strcmp(name, "tid"))
		fprintf(out, "%u", 1 + take(b) % 12);
	else if (!strcmp(name, "order") || !strcmp(name, "mark") || !strcmp(name, "what") || !strcmp(name, "scans"))
		fprintf(out, "%u", take(b) % 13);
	else if (!strcmp(name, "n") || !strcmp(name, "index"))
		fprintf(out, "%u", take(b));
	else if (!strcmp(name, "ptr") || !strcmp(name, "old"))
		fprintf(out, "0x%x", 0x5000 + take(b) % 64 * 16);
	else if (!strcmp(name, "align"))
		fprintf(out, "%llu", 1ull << take(b) % 14);
	else
		fprintf(out, "%llu", (unsigned long long)length(b));
}

static const char *string_of(struct bytes *b, const char *name, unsigned code)
{
	if (code == OP_LISTS && !strcmp(name, "kind"))
		return PICK(b, "buddy", "pcp", "blocks", "lru", "slab", "cache", "nonsense");
	if (!strcmp(name, "kind"))
		return PICK(b, "disk", "tmpfs", "fault");
	if (!strcmp(name, "type"))
		return PICK(b, "movable", "unmovable", "reclaimable", "reserve", "isolate", "nonsense");
	if (!strcmp(name, "thread"))
		return PICK(b, "kswapd", "ksmd", "kcompactd", "cache_reap", "nonsense");
	if (code == OP_SYSCTL && !strcmp(name, "name"))
		return PICK(b, "min_free_kbytes", "pcp_batch", "pcp_high", "swappiness", "lowmem_reserve_ratio",
			    "percpu_pagelist_fraction", "overcommit_memory", "nonsense");
	if (!strcmp(name, "value"))
		return PICK(b, "0", "1", "7", "8", "64", "1000000", "18446744073709551615", "1,2,3", "x");
	return PICK(b, "a", "b", "c", "dentry");
}

static void put_value(FILE *out, struct bytes *b, const struct op_key *k, unsigned code)
{
	char text[256] = "";

	switch (k->kind) {
	case KK_STR:
	case KK_NAME:
		fputs(string_of(b, k->name, code), out);
		return;
	case KK_TASK:
		fprintf(out, "%u", 1 + take(b) % 6);
		return;
	case KK_HEX:
		if (strcmp(k->name, "addr") && strcmp(k->name, "to") && strcmp(k->name, "buf") &&
		    strcmp(k->name, "brk"))
			put_number(out, b, k->name);
		else
			fprintf(out, "0x%llx", (unsigned long long)address(b));
		return;
	case KK_BYTES: /* of swap areas, which checks read through */
		fprintf(out, "%llu", (unsigned long long)(length(b) & (16 * MiB - 1)));
		return;
	case KK_DEC:
		put_number(out, b, k->name);
		return;
	case KK_GFP:
		fputs(PICK(b, "kernel", "atomic", "user", "highuser_movable", "kernel,zero", "kernel,memalloc",
			   "nowait",
			   "kernel,comp", "kernel,reclaimable", "kernel,noretry", "dma"),
		      out);
		return;
	default:
		names_print((enum key_kind)k->kind, k->kind == KK_ADVICE ? take(b) % (MM_MADV_OTHER + 1) :
			    k->kind == KK_ACCESS ? take(b) % 3 : k->kind == KK_PROT ? take(b) % 8 :
			    take(b) & (take(b) | 3), text, sizeof(text));
		fputs(text, out);
	}
}

static void put_op(FILE *out, struct bytes *b, const struct grammar *g)
{
	unsigned code = take(b) % NR_OP_CODES, task = 1 + take(b) % 5;

	while (!g->shape[code].known) /* the next that is one; the last is */
		code = (code + 1) % NR_OP_CODES;
	if (op_group(code) == OPG_KERNEL)
		task = 0;
	fprintf(out, "- %u %u %s", take(b) & 1, task, op_name(code));
	for (unsigned i = 0; i < g->shape[code].nr_keys; i++) {
		const struct op_key *k = &g->shape[code].keys[i];

		if (k->optional && take(b) & 1)
			continue;
		fprintf(out, " %s=", k->name);
		put_value(out, b, k, code);
	}
	fputc('\n', out);
}

static struct machine *boot(unsigned choice)
{
	static const char *const sets[][4] = {
		{"mem=32M", "ideal=1"}, {"mem=24M", "slab=slub"}, {"arch=arm32", "mem=48M", "ideal=1", "vmalloc=900M"},
		{"page=16k", "va=47", "mem=64M", "policy=4.12"}, {"mem=32M", "ideal=1", "data=bytes", "ncpu=2"},
		{"mem=32M", "ideal=1", "slabdebug=1", "vmapstack=1"}, {"arch=arm32", "mem=48M", "lpae=1", "ideal=1"},
		{"mem=32M", "ideal=1", "swap=8M", "policy=modern"},
	};
	const char *const *s = sets[choice % ARRAY_SIZE(sets)];
	struct machine_config c;
	char err[512];
	struct machine *m;

	config_init(&c);
	for (unsigned i = 0; i < 4 && s[i]; i++)
		FUZZ_REQUIRE(!config_set_pair(&c, s[i], err, sizeof(err)));
	FUZZ_REQUIRE(!config_finish(&c, err, sizeof(err)));
	m = machine_create(&c, err, sizeof(err));
	if (!m) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	return m;
}

static void apply(struct machine *m, const char *path)
{
	char err[512];
	struct trace_reader *r = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
	const struct mm_op *ops;
	ssize_t n;

	if (!r) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings strings = trace_reader_strings(r);

		machine_apply(m, ops, (size_t)n, &strings, NULL);
	}
	if (n) {
		fprintf(stderr, "%s\n", trace_reader_error(r));
		abort();
	}
	trace_close(r);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct grammar grammar;
	struct bytes b = {data, data + (size < 8192 ? size : 8192)};
	char *text = NULL, why[512];
	struct machine *m;
	struct fuzz_file f;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	FUZZ_REQUIRE(out && !grammar_init(&grammar));
	m = boot(take(&b));
	fputs("memrig-trace 1\n- 0 1 spawn brk=0x20000000\n", out);
	while (b.at < b.end)
		put_op(out, &b, &grammar);
	fclose(out);
	if (getenv("MEMRIG_FUZZ_PRINT")) /* the trace of an input, to replay it by hand */
		fputs(text, stdout);
	f = fuzz_file(text, len);
	apply(m, f.path);
	if (machine_check(m, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	machine_destroy(m);
	close(f.fd);
	free(text);
	return 0;
}
