/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PERF_CACHE_READ_MISS(cache)                                                                \
	((cache) | PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16)

static const struct event {
	const char *name, *help;
	uint32_t type;
	uint64_t config;
} events[NR_PERF_ITEMS] = {
#define PERF(SYM, name, type, config, text) {name, text, type, config},
#include "bench/perf.def"
#undef PERF
};

static int open_event(const struct event *e, int user_only)
{
	struct perf_event_attr a = {
		.type = e->type, .size = sizeof(a), .config = e->config, .disabled = 1,
		.exclude_kernel = user_only != 0, .exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};

	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

void perf_open(struct perf_set *s)
{
	for (unsigned i = 0; i < NR_PERF_ITEMS; i++) {
		s->error[i] = 0;
		s->fd[i] = open_event(&events[i], 0);
		if (s->fd[i] < 0 && (errno == EACCES || errno == EPERM))
			s->fd[i] = open_event(&events[i], 1);
		if (s->fd[i] < 0)
			s->error[i] = errno;
	}
}

void perf_close(struct perf_set *s)
{
	for (unsigned i = 0; i < NR_PERF_ITEMS; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
}

static void control(const struct perf_set *s, unsigned long request)
{
	for (unsigned i = 0; i < NR_PERF_ITEMS; i++)
		if (s->fd[i] >= 0)
			(void)ioctl(s->fd[i], request, 0);
}

void perf_start(const struct perf_set *s)
{
	control(s, PERF_EVENT_IOC_ENABLE);
}

void perf_stop(const struct perf_set *s)
{
	control(s, PERF_EVENT_IOC_DISABLE);
}

void perf_read(const struct perf_set *s, double out[NR_PERF_ITEMS])
{
	struct {
		uint64_t value, enabled, running;
	} r;

	for (unsigned i = 0; i < NR_PERF_ITEMS; i++) {
		out[i] = -1;
		if (s->fd[i] < 0 || read(s->fd[i], &r, sizeof(r)) != (ssize_t)sizeof(r))
			continue;
		out[i] = (double)r.value;
		if (r.running && r.running < r.enabled)
			out[i] *= (double)r.enabled / (double)r.running;
	}
}

const char *perf_name(unsigned item)
{
	return item < NR_PERF_ITEMS ? events[item].name : "";
}

const char *perf_help(unsigned item)
{
	return item < NR_PERF_ITEMS ? events[item].help : "";
}

const char *perf_missing(char *buf, size_t n)
{
	struct perf_set s;
	size_t at = 0;
	int why = 0;

	buf[0] = 0;
	perf_open(&s);
	for (unsigned i = 0; i < NR_PERF_ITEMS; i++) {
		if (s.fd[i] >= 0 || at >= n)
			continue;
		at += (size_t)snprintf(buf + at, n - at, "%s%s", at ? ", " : "not supported by this machine: ",
				       events[i].name);
		why = s.error[i];
	}
	if (why && at < n)
		snprintf(buf + at, n - at, " (%s)", strerror(why));
	perf_close(&s);
	return buf;
}
