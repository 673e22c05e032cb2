/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig verify: the model against the running kernel. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cache_judge.h"
#include "bench/cmd.h"
#include "bench/machine_args.h"
#include "bench/manifest.h"
#include "bench/verify.h"

enum { OPT_SEEDS = 256, OPT_SEED, OPT_STEPS, OPT_MODE, OPT_LIST, OPT_CACHE };

static const struct argp_option options[] = {
	{"mode", OPT_MODE, "NAME", 0, "Only sequences of this kind (all)", 0},
	{"list", OPT_LIST, NULL, 0, "List the modes", 0},
	{"seeds", OPT_SEEDS, "N", 0, "Sequences of each mode (12)", 0},
	{"seed", OPT_SEED, "N", 0, "Seed of the first sequence (1)", 0},
	{"steps", OPT_STEPS, "N", 0, "Calls of a sequence (250)", 0},
	{"cache", OPT_CACHE, NULL, 0, "Instead: read a file in the order of reference strings under a memory limit", 0},
	{"output", 'o', "DIR", 0,
	 "Where traces of sequences go (out/verify), those that differ stay; and the file of --cache", 0},
	{0},
};

struct args {
	const char *mode, *dir;
	u64 seeds, seed, steps;
	bool list, cache;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	bool known = false;

	switch (key) {
	case OPT_MODE:
		for (unsigned i = 0; verify_mode(i); i++)
			known |= !strcmp(arg, verify_mode(i));
		if (!known)
			argp_failure(state, EXIT_USAGE, 0, "no mode '%s'; --list lists all", arg);
		a->mode = arg;
		return 0;
	case OPT_LIST:
		a->list = true;
		return 0;
	case OPT_CACHE:
		a->cache = true;
		return 0;
	case OPT_SEEDS:
		a->seeds = parse_number("seeds", arg, state);
		return 0;
	case OPT_SEED:
		a->seed = parse_number("seed", arg, state);
		return 0;
	case OPT_STEPS:
		a->steps = parse_number("steps", arg, state);
		if (!a->steps || a->steps > 100000)
			argp_failure(state, EXIT_USAGE, 0, "--steps %s: expected 1 to 100000", arg);
		return 0;
	case 'o':
		a->dir = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_failure(state, EXIT_USAGE, 0, "'%s': verify takes no arguments", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* All sequences of one mode: their row of the table. 0, 1 (they differ), 2. */
static int verify_all(const struct args *a, const char *mode)
{
	struct verify_result r = {0};
	char path[4200], err[512], first[300] = "";

	for (u64 seed = a->seed; seed < a->seed + a->seeds; seed++) {
		u64 before = r.differences;

		snprintf(path, sizeof(path), "%s/%s-%" PRIu64 ".txt", a->dir, mode, seed);
		if (verify_sequence(mode, seed, (unsigned)a->steps, path, &r, err, sizeof(err)))
			return cmd_error("verify: %s", err);
		if (r.differences == before)
			unlink(path);
		else if (!before)
			snprintf(first, sizeof(first), "  first: %s\n", r.first);
	}
	printf("%-6s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %12" PRIu64 "\n%s", mode, a->seeds, r.answers,
	       r.mappings, r.differences, first);
	return r.differences ? EXIT_CHECK_FAILED : EXIT_DONE;
}

#define CACHE_TOLERANCE 2.0 /* percent, of misses */

static void print_side(const char *name, const char *side, const struct cache_side *s)
{
	char activations[48] = "?";

	if (s->activations >= 0)
		snprintf(activations, sizeof(activations), s->strangers ? "%" PRId64 " (-%" PRIu64 ")" : "%" PRId64,
			 s->activations, s->strangers);
	printf("%-18s %-7s %9" PRIu64 " %9" PRIu64 " %14s %9" PRIu64 "\n", name, side, s->misses, s->refaults,
	       activations, s->active);
}

/* Every string on both sides. Exit status. */
static int verify_cache(const struct args *a)
{
	struct cache_verdict v;
	char err[4500];
	int worst = EXIT_DONE;

	if (!cache_judge_possible(a->dir, err, sizeof(err)))
		return cmd_error("verify: %s", err);
	printf("string             side       misses  refaults      activated    active  difference in misses\n");
	for (unsigned i = 0; cache_judge_case(i); i++) {
		const struct cache_case *c = cache_judge_case(i);
		double apart;

		if (cache_judge_run(c, a->dir, a->seed, &v, err, sizeof(err)))
			return cmd_error("verify: %s", err);
		apart = cache_judge_error(v.kernel.misses, v.model.misses);
		print_side(c->name, "kernel", &v.kernel);
		print_side("", v.mglru ? "mglru=1" : "model", &v.model);
		printf("%83.2f %%\n", apart);
		worst = apart > CACHE_TOLERANCE ? EXIT_CHECK_FAILED : worst;
	}
	return worst;
}

int cmd_verify(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "Issues random sequences of memory system calls and accesses on the running kernel and "
		       "compares every answer, every fault and the final mappings with the model's "
		       "(policy=modern). With --cache: misses, refaults and activations of a file's pages in a memory "
		       "cgroup, as root.\vExit status: 0 no difference; 1 differences; 2 this kernel cannot judge.",
	};
	struct args a = {.dir = "out/verify", .seeds = 12, .seed = 1, .steps = 250};
	char why[256];
	int worst = EXIT_DONE;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.list) {
		for (unsigned i = 0; verify_mode(i); i++)
			printf("%-6s %s\n", verify_mode(i), verify_mode_help(i));
		return EXIT_DONE;
	}
	if (make_dirs(a.dir))
		return cmd_error("verify: %s: cannot be made", a.dir);
	if (a.cache)
		return verify_cache(&a);
	if (!verify_possible(why, sizeof(why)))
		return cmd_error("verify: %s", why);
	printf("mode    sequences    answers   mappings  differences\n");
	for (unsigned i = 0; verify_mode(i); i++) {
		int rc = a.mode && strcmp(a.mode, verify_mode(i)) ? EXIT_DONE : verify_all(&a, verify_mode(i));

		if (rc == EXIT_USAGE)
			return rc;
		worst = rc > worst ? rc : worst;
	}
	return worst;
}
