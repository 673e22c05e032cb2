/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/bench_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/prng.h"
#include "core/vm/vm.h"

static bool configure(struct machine_config *c, const char *settings, const char **error)
{
	char err[256];
	char *copy = strdup(settings), *save = NULL;
	bool ok = copy;

	config_init(c);
	for (char *w = copy ? strtok_r(copy, " ", &save) : NULL; w && ok; w = strtok_r(NULL, " ", &save))
		ok = !config_set_pair(c, w, err, sizeof(err));
	if (ok)
		ok = !config_finish(c, err, sizeof(err));
	free(copy);
	if (!ok)
		*error = "the settings are refused";
	return ok;
}

struct bench_rig *bench_rig_new(const char *settings, const char **error)
{
	struct machine_config c;
	struct bench_rig *r = calloc(1, sizeof(*r));
	char err[256];

	*error = "out of memory";
	if (!r || !configure(&c, settings, error))
		goto fail;
	r->m = machine_create(&c, err, sizeof(err));
	*error = "the machine does not boot";
	if (!r->m)
		goto fail;
	r->vm = &r->m->vm;
	if (vm_define_task(r->vm, 1, 1, 1) || vm_define_task(r->vm, 2, 2, 2))
		goto fail;
	r->t = vm_task(r->vm, 1);
	r->child = vm_task(r->vm, 2);
	if (vm_spawn(r->vm, r->t, 0, 0))
		goto fail;
	return r;
fail:
	bench_rig_free(r);
	return NULL;
}

void bench_rig_free(struct bench_rig *r)
{
	if (!r)
		return;
	machine_destroy(r->m);
	free(r->order);
	free(r);
}

int bench_rig_setup(struct bench_ctx *ctx, const char *settings, vaddr_t base, u64 pages)
{
	struct bench_rig *r = bench_rig_new(settings, &ctx->error);

	ctx->data = r;
	if (!r)
		return -ENOMEM;
	bench_rig_map(r, base, pages);
	return 0;
}

int bench_rig_setup_touched(struct bench_ctx *ctx, const char *settings, vaddr_t base, u64 pages)
{
	struct bench_rig *r;

	if (bench_rig_setup(ctx, settings, base, pages))
		return -ENOMEM;
	r = ctx->data;
	bench_rig_touch(r);
	vm_lru_drain_all(r->vm);
	return 0;
}

void bench_rig_teardown(struct bench_ctx *ctx)
{
	bench_rig_free(ctx->data);
}

void bench_rig_map(struct bench_rig *r, vaddr_t base, u64 pages)
{
	r->base = base;
	r->pages = pages;
	BUG_ON(sys_mmap(r->vm, r->t, base, pages << r->vm->page_shift, MM_PROT_READ | MM_PROT_WRITE,
			MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0) < 0);
}

void bench_rig_touch(struct bench_rig *r)
{
	for (u64 i = 0; i < r->pages; i++)
		mm_access(r->vm, r->t, r->base + (i << r->vm->page_shift), MM_ACCESS_WRITE);
}

bool bench_rig_shuffle(struct bench_rig *r, u64 n)
{
	struct prng prng;

	r->order = malloc(n * sizeof(*r->order));
	if (!r->order)
		return false;
	prng_seed(&prng, 1);
	for (u64 i = 0; i < n; i++) {
		u64 j = prng_below(&prng, i + 1);

		r->order[i] = r->order[j];
		r->order[j] = i;
	}
	return true;
}
