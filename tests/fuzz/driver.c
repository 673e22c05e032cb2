/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target without libFuzzer.
 *   fuzz_X             the seeds, then mutations of them (MEMRIG_SEED, MEMRIG_FUZZ_MUTATIONS)
 *   fuzz_X FILE...     these inputs
 *   fuzz_X -w DIR      writes the seeds as files
 * An input that ends the process is kept in fuzz-input.bin.
 */
#include <fcntl.h>
#include <signal.h>

#include "core/base/prng.h"
#include "tests/fuzz/fuzz.h"

#define SEED_MAX  (128 * 1024) /* of a file, its head is taken */
#define INPUT_MAX (256 * 1024)
#define SEEDS_MAX 64

static struct {
	u8 *data;
	size_t size;
} seeds[SEEDS_MAX];
static unsigned nr_seeds;

static u8 input[INPUT_MAX];
static size_t input_size;

static void on_death(int sig)
{
	int fd = open("fuzz-input.bin", O_WRONLY | O_CREAT | O_TRUNC, 0666);
	static const char text[] = "the input is in fuzz-input.bin\n";

	if (fd >= 0 && write(fd, input, input_size) == (ssize_t)input_size)
		(void)!write(2, text, sizeof(text) - 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void add_seed(const void *data, size_t size)
{
	FUZZ_REQUIRE(nr_seeds < SEEDS_MAX);
	seeds[nr_seeds].data = malloc(size + 1);
	FUZZ_REQUIRE(seeds[nr_seeds].data);
	memcpy(seeds[nr_seeds].data, data, size);
	seeds[nr_seeds++].size = size;
}

static void read_file(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f) {
		perror(path);
		exit(1);
	}
	input_size = fread(input, 1, SEED_MAX, f);
	fclose(f);
}

static void gather_seeds(void)
{
	char path[4096];

	for (unsigned i = 0; fuzz_texts[i]; i++)
		add_seed(fuzz_texts[i], strlen(fuzz_texts[i]));
	for (unsigned i = 0; fuzz_files[i]; i++) {
		snprintf(path, sizeof(path), "%s/%s", MEMRIG_SOURCE_DIR, fuzz_files[i]);
		read_file(path);
		add_seed(input, input_size);
	}
	FUZZ_REQUIRE(nr_seeds);
}

static void write_seeds(const char *dir)
{
	char path[4096];

	for (unsigned i = 0; i < nr_seeds; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/seed%u", dir, i);
		f = fopen(path, "we");
		FUZZ_REQUIRE(f && fwrite(seeds[i].data, 1, seeds[i].size, f) == seeds[i].size && !fclose(f));
	}
}

/* ---- mutations: each keeps most of the input ---- */

static void cut(size_t at, size_t n)
{
	memmove(input + at, input + at + n, input_size - at - n);
	input_size -= n;
}

static void paste(size_t at, const u8 *from, size_t n)
{
	if (input_size + n > INPUT_MAX)
		return;
	memmove(input + at + n, input + at, input_size - at);
	memcpy(input + at, from, n);
	input_size += n;
}

static void put_value(struct prng *p, size_t at)
{
	static const u64 values[] = {0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX};
	u64 v = values[prng_below(p, ARRAY_SIZE(values))];
	size_t n = 1ull << prng_below(p, 4);

	if (at + n <= input_size)
		memcpy(input + at, &v, n);
}

static void put_number(struct prng *p, size_t at)
{
	static const char *const numbers[] = {"0", "1", "-1", "4095", "4097", "65536", "0xffffffff", "0x7fffffffffff",
					      "18446744073709551615", "18446744073709551616", "1e400", "", "K", "="};
	const char *text = numbers[prng_below(p, ARRAY_SIZE(numbers))];
	size_t n = 0;

	while (at + n < input_size && n < 24 && strchr("0123456789abcdefx", input[at + n] ? input[at + n] : '-'))
		n++;
	cut(at, n);
	paste(at, (const u8 *)text, strlen(text));
}

static void mutate(struct prng *p)
{
	size_t at = input_size ? prng_below(p, input_size) : 0;
	size_t room = input_size - at, n = room ? prng_below(p, room < 64 ? room : 64) : 0;
	u8 copy[64];
	unsigned other;

	switch (prng_below(p, 8)) {
	case 0:
		if (room)
			input[at] ^= (u8)(1u << prng_below(p, 8));
		return;
	case 1:
		put_value(p, at);
		return;
	case 2:
		cut(at, n);
		return;
	case 3: /* a piece twice, elsewhere */
		memcpy(copy, input + at, n);
		paste(input_size ? prng_below(p, input_size) : 0, copy, n);
		return;
	case 4:
		put_number(p, at);
		return;
	case 5: /* a piece of another seed */
		other = (unsigned)prng_below(p, nr_seeds);
		n = prng_below(p, seeds[other].size + 1);
		n = n < 256 ? n : 256;
		paste(at, seeds[other].data + prng_below(p, seeds[other].size - n + 1), n);
		return;
	case 6:
		if (!prng_below(p, 8))
			input_size = at;
		return;
	default:
		if (room)
			input[at] = (u8)prng_u64(p);
	}
}

static void run_mutations(void)
{
	const char *text = getenv("MEMRIG_SEED"), *count = getenv("MEMRIG_FUZZ_MUTATIONS");
	u64 seed = text ? strtoull(text, NULL, 0) : 1, n = count ? strtoull(count, NULL, 0) : fuzz_mutations;
	struct prng p;

	printf("seed %llu (MEMRIG_SEED to change)\n", (unsigned long long)seed);
	fflush(stdout);
	prng_seed(&p, seed);
	for (u64 i = 0; i < n; i++) {
		unsigned s = i < nr_seeds ? (unsigned)i : (unsigned)prng_below(&p, nr_seeds);

		memcpy(input, seeds[s].data, seeds[s].size);
		input_size = seeds[s].size;
		if (i >= nr_seeds) /* the first are the seeds as they are */
			for (u64 k = 1 + prng_below(&p, 6); k; k--)
				mutate(&p);
		LLVMFuzzerTestOneInput(input, input_size);
	}
}

int main(int argc, char **argv)
{
	signal(SIGABRT, on_death);
	signal(SIGSEGV, on_death);
	signal(SIGFPE, on_death);
	signal(SIGILL, on_death);
	gather_seeds();
	if (argc == 3 && !strcmp(argv[1], "-w")) {
		write_seeds(argv[2]);
	} else if (argc > 1) {
		for (int i = 1; i < argc; i++) {
			read_file(argv[i]);
			LLVMFuzzerTestOneInput(input, input_size);
		}
	} else {
		run_mutations();
	}
	for (unsigned i = 0; i < nr_seeds; i++)
		free(seeds[i].data);
	return 0;
}
