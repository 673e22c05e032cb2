/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program that test_record.c records. Its first argument chooses what it does, the second is
 * the file for its report. System calls are made directly, so that nothing else happens in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/op.h"
#include "tests/replay/record_target.h"

#define PAGE 4096ul

static struct did_all all;

static void note(u32 code, u64 addr, u64 len, u32 low, u64 flags, u64 arg, long ret)
{
	struct did *d = &all.v[all.nr++];

	d->code = code;
	d->addr = addr;
	d->len = len;
	d->low = low;
	d->flags = flags;
	d->arg = arg;
	d->ret = ret < 0 ? -errno : ret;
	d->pid = (u32)getpid();
	d->tid = (u32)syscall(SYS_gettid);
}

static void mark(u64 where)
{
	syscall(SYS_munmap, where, PAGE);
}

static long map(u64 addr, u64 len, int prot, int flags, u64 mflags, int fd, u64 off)
{
	long p = syscall(SYS_mmap, addr, len, prot, flags, fd, off);

	note(OP_MMAP, addr, len, (u32)prot, mflags, off, p);
	return p;
}

static void touch(u64 addr, int write)
{
	volatile char *p = (volatile char *)addr;

	if (write)
		*p = 1;
	else
		(void)*p;
	note(OP_FAULT, addr & ~(PAGE - 1), 0, write ? MM_ACCESS_WRITE : MM_ACCESS_READ, 0, 0, 0);
}

#define CALL(code, low, arg, nr, addr, len, ...)                                                   \
	note(code, (u64)(addr), len, low, 0, arg, syscall(nr, addr, len, ##__VA_ARGS__))

static void do_mappings(u64 p)
{
	for (u64 i = 0; i < 4; i++)
		touch(p + i * PAGE, 1);
	touch(p + 8 * PAGE, 0);
	touch(p + 8 * PAGE, 1);
	CALL(OP_MPROTECT, MM_PROT_READ, 0, SYS_mprotect, p + 4 * PAGE, 2 * PAGE, PROT_READ);
	touch(p + 4 * PAGE, 0);
	CALL(OP_MPROTECT, MM_PROT_READ | MM_PROT_WRITE, 0, SYS_mprotect, p + 4 * PAGE, 2 * PAGE,
	     PROT_READ | PROT_WRITE);
	CALL(OP_MPROTECT, 0, 0, SYS_mprotect, 0x1000, PAGE, PROT_NONE);
	CALL(OP_MADVISE, MM_MADV_DONTNEED, 0, SYS_madvise, p, 2 * PAGE, MADV_DONTNEED);
	touch(p, 1);
	CALL(OP_MADVISE, MM_MADV_OTHER, 0, SYS_madvise, p, PAGE, 9999);
	CALL(OP_MADVISE, MM_MADV_DONTFORK, 0, SYS_madvise, p + 14 * PAGE, PAGE, MADV_DONTFORK);
	CALL(OP_MLOCK, 0, 0, SYS_mlock, p + 10 * PAGE, PAGE);
	CALL(OP_MUNLOCK, 0, 0, SYS_munlock, p + 10 * PAGE, PAGE);
	CALL(OP_MLOCK, 0, MM_MLOCK_ONFAULT, SYS_mlock2, p + 11 * PAGE, PAGE, 1);
	CALL(OP_MUNLOCK, 0, 0, SYS_munlock, p + 11 * PAGE, PAGE);
	note(OP_MLOCKALL, 0, 0, 0, 0, MM_MCL_FUTURE | MM_MCL_ONFAULT,
	     syscall(SYS_mlockall, MCL_FUTURE | 4));
	note(OP_MUNLOCKALL, 0, 0, 0, 0, 0, syscall(SYS_munlockall));
	map(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, MM_MAP_PRIVATE | MM_MAP_ANON, -1, 0);
	CALL(OP_MUNMAP, 0, 0, SYS_munmap, p + 15 * PAGE, PAGE);
}

static void do_brk(void)
{
	u64 old = (u64)syscall(SYS_brk, 0);

	note(OP_BRK, 0, 0, 0, 0, 0, (long)old);
	note(OP_BRK, old + 16 * PAGE, 0, 0, 0, 0, syscall(SYS_brk, old + 16 * PAGE));
	note(OP_BRK, old, 0, 0, 0, 0, syscall(SYS_brk, old));
}

static void do_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char block[PAGE] = {1};
	long p;

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			_exit(1);
	p = map(0, 2 * PAGE, PROT_READ, MAP_SHARED, MM_MAP_SHARED, fd, PAGE);
	CALL(OP_MUNMAP, 0, 0, SYS_munmap, p, 2 * PAGE);
	close(fd);
}

/* The child's share is noted by the parent, who knows what it will do. */
static void do_fork(u64 p)
{
	pid_t child;

	all.child = 0;
	child = fork();
	if (!child) {
		mark(MARK_CHILD);
		*(volatile char *)p = 2;
		syscall(SYS_munmap, p + 6 * PAGE, PAGE);
		_exit(3);
	}
	all.child = (u32)child;
	waitpid(child, NULL, 0);
	touch(p, 1);
}

static void *in_thread(void *unused)
{
	(void)unused;
	all.thread = (u32)syscall(SYS_gettid);
	mark(MARK_THREAD);
	return NULL;
}

static void report(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, &all, sizeof(all)) != (ssize_t)sizeof(all))
		_exit(1);
	close(fd);
}

static int calls(const char *path, int die)
{
	char file[4096];
	pthread_t t;
	u64 p;

	snprintf(file, sizeof(file), "%s.data", path);
	memset(&all, 0, sizeof(all)); /* no fault of its own later */
	all.pid = (u32)getpid();
	mark(MARK_BEGIN);
	p = (u64)map(0, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     MM_MAP_PRIVATE | MM_MAP_ANON, -1, 0);
	all.start = p;
	all.end = p + 16 * PAGE;
	do_mappings(p);
	if (die) {
		report(path);
		raise(SIGKILL);
	}
	do_brk();
	do_file(file);
	do_fork(p);
	note(OP_MREMAP, p, 15 * PAGE, 0, MM_MREMAP_MAYMOVE, 7 * PAGE,
	     syscall(SYS_mremap, p, 15 * PAGE, 7 * PAGE, MREMAP_MAYMOVE));
	CALL(OP_MUNMAP, 0, 0, SYS_munmap, p, 7 * PAGE);
	mark(MARK_END);
	if (pthread_create(&t, NULL, in_thread, NULL) || pthread_join(t, NULL))
		return 1;
	report(path);
	return 0;
}

/* --- the malloc family: what it did is counted by the test, which knows this code --- */

static void *heap_thread(void *unused)
{
	for (int i = 0; i < 1000; i++)
		free(malloc(7001));
	return unused;
}

static int heap(void)
{
	void *keep = malloc(5001), *p;
	pthread_t t[3];
	pid_t child;

	p = calloc(3, 5011);
	p = realloc(p, 5021 * 7);
	free(p);
	p = memalign(64, 5031);
	free(p);
	if (posix_memalign(&p, 128, 5032))
		return 1;
	free(p);
	free(aligned_alloc(256, 5120));
	free(reallocarray(NULL, 2, 5041));
	for (int i = 0; i < 3; i++)
		if (pthread_create(&t[i], NULL, heap_thread, NULL))
			return 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	child = fork();
	if (!child) {
		free(keep);
		for (int i = 0; i < 10; i++)
			p = malloc(6001);
		_exit(0); /* no library's destructors run */
	}
	waitpid(child, NULL, 0);
	free(keep);
	return 0;
}

/* Maps, touches and unmaps until its standard input ends; then says so. */
static int spin(const char *path)
{
	char c;
	u64 rounds = 0;

	all.pid = (u32)getpid();
	report(path);
	fcntl(0, F_SETFL, O_NONBLOCK);
	while (read(0, &c, 1) != 0) {
		char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			return 1;
		p[0] = p[PAGE] = 1;
		munmap(p, 4 * PAGE);
		rounds++;
		usleep(200);
	}
	all.end = rounds;
	report(path);
	return 0;
}

static int fault_signals(void)
{
	pid_t child = fork();

	if (!child) {
		char *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		*(volatile char *)p = 1;
		_exit(0);
	}
	waitpid(child, NULL, 0);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";

	if (!strcmp(what, "calls"))
		return calls(path, 0);
	if (!strcmp(what, "die"))
		return calls(path, 1);
	if (!strcmp(what, "heap"))
		return heap();
	if (!strcmp(what, "spin"))
		return spin(path);
	if (!strcmp(what, "segv"))
		return fault_signals();
	return 2;
}
