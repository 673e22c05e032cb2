/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A database server: client processes share a mapped table file, hot pages follow a Zipf law; each
 * change also goes to a log, and now and then log and table are written back. Each client sorts and
 * buffers in memory of its own.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "workloads/dist.h"
#include "workloads/workload.h"

enum { EVENTS, SIZE, POOL, CLIENTS, SKEW, WRITE, SCAN, SYNC };

static const struct workload_param params[] = {
	[EVENTS] = {"events", 200000, 1, 1ull << 40, "transactions"},
	[SIZE] = {"size", 64 * MiB, MiB, 256 * GiB, "bytes of the table file"},
	[POOL] = {"pool", 4 * MiB, 64 * KiB, 16 * GiB, "bytes of each client's own memory"},
	[CLIENTS] = {"clients", 4, 1, 1000, "processes"},
	[SKEW] = {"skew", 990, 0, 4000, "exponent of the pages' Zipf law, thousandths"},
	[WRITE] = {"write", 20, 0, 100, "percent of transactions that change the page"},
	[SCAN] = {"scan", 1, 0, 1000, "thousandths of transactions that read 1 MiB in order"},
	[SYNC] = {"sync", 2000, 1, 1ull << 32, "changes between two checkpoints"},
	{0},
};

#define TABLE     1u
#define LOG       2u
#define SCAN_SIZE MiB

struct database {
	u64 left, size, pool, changes, log;
	u32 clients_up;
	struct dist pages;
	bool started;
};

static int database_init(struct workload_run *r)
{
	struct database *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	r->state = d;
	d->size = ALIGN_UP(r->param[SIZE], MiB);
	d->pool = ALIGN_UP(r->param[POOL], WORKLOAD_ALIGN);
	d->left = r->param[EVENTS];
	if (d->size / r->page > DIST_MAX)
		return workload_complain(r, "the table has more than 2^31 pages");
	dist_init(&d->pages, DIST_ZIPF, d->size / r->page, (unsigned)r->param[SKEW]);
	return 0;
}

static void database_start(struct workload_run *r, struct database *d)
{
	emit_file(r, TABLE, d->size, workload_name(r, "table"));
	emit_file(r, LOG, 0, workload_name(r, "log"));
	emit_task(r, 1, 100, 100);
	emit_spawn(r, 1, workload_name(r, "database"), 0, 0);
	emit_mmap_file(r, 1, WORKLOAD_BASE, d->size, MM_PROT_READ | MM_PROT_WRITE, true, TABLE, 0);
	emit_mmap(r, 1, WORKLOAD_BASE + d->size, d->pool, MM_PROT_READ | MM_PROT_WRITE);
	emit_write(r, 1, WORKLOAD_BASE + d->size, d->pool, 1);
	d->started = true;
}

static void start_client(struct workload_run *r, struct database *d)
{
	u32 task = 2 + d->clients_up++;

	emit_task(r, task, 99 + task, 99 + task);
	emit_fork(r, 1, task);
}

static void checkpoint(struct workload_run *r)
{
	emit_fsync(r, 1, LOG);
	emit_fsync(r, 1, TABLE);
}

static void transaction(struct workload_run *r, struct database *d)
{
	u32 client = 2 + (u32)prng_below(&r->prng, r->param[CLIENTS]);
	u64 page = dist_draw(&d->pages, &r->prng) * r->page, own;

	if (r->param[SCAN] && prng_below(&r->prng, 1000) < r->param[SCAN]) {
		page = prng_below(&r->prng, d->size / SCAN_SIZE) * SCAN_SIZE;
		emit_read(r, client, WORKLOAD_BASE + page, SCAN_SIZE);
		return;
	}
	own = prng_below(&r->prng, d->pool / r->page) * r->page;
	emit_read(r, client, WORKLOAD_BASE + page, 256);
	emit_write(r, client, WORKLOAD_BASE + d->size + own, 256, client);
	if (prng_below(&r->prng, 100) >= r->param[WRITE])
		return;
	emit_write(r, client, WORKLOAD_BASE + page, 256, d->changes + 1);
	emit_fwrite(r, client, LOG, d->log, 512);
	d->log += 512;
	if (++d->changes % r->param[SYNC] == 0)
		checkpoint(r);
}

static bool database_end(struct workload_run *r, struct database *d)
{
	for (int i = 0; i < 64 && d->clients_up; i++)
		emit_exit(r, 2 + --d->clients_up);
	if (d->clients_up)
		return true;
	checkpoint(r);
	emit_exit(r, 1);
	return false;
}

static bool database_step(struct workload_run *r)
{
	struct database *d = r->state;

	if (!d->started)
		database_start(r, d);
	else if (!d->left)
		return database_end(r, d);
	else if (d->clients_up < r->param[CLIENTS])
		start_client(r, d);
	else
		for (int i = 0; i < WORKLOAD_BURST / 6 && d->left; i++, d->left--)
			transaction(r, d);
	return true;
}

static void database_fini(struct workload_run *r)
{
	free(r->state);
}

const struct workload workload_database = {
	.name = "database",
	.help = "clients on a shared mapped table with hot pages, a log and checkpoints",
	.params = params,
	.init = database_init,
	.step = database_step,
	.fini = database_fini,
};
