/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel as judge: issues a sequence of memory system calls and accesses on the kernel
 * below, and writes them with the kernel's answers as a self-checking text trace on standard output.
 *
 *   kernel_judge SEED STEPS [anon|lock|brk]
 *
 * All calls work on a window of WINDOW pages at a fixed address, which nothing else in this process
 * uses. Behind the last operation a comment block lists /proc/self/maps of the window, one
 * "#maps START END PERMS" a VMA, for the caller to compare with the model's tasks[].vmas.
 * Accesses are judged by the change of the task's minor-fault count around one load or store.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/prng.h"

#define BASE   0x20000000ul
#define WINDOW 64
#define PAGE   4096ul

static sigjmp_buf on_fault;
static volatile int fault_signal;

static void handler(int sig)
{
	fault_signal = sig;
	siglongjmp(on_fault, 1);
}

static void install_handlers(void)
{
	static char stack[65536];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_NODEFER};

	memset(stack, 1, sizeof(stack)); /* its own faults must not count */
	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

static long minor_faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt;
}

static void print_result(long r)
{
	if (r < 0 && r > -4096)
		printf(" = -%s\n", strerrorname_np((int)-r));
	else if (r > 0xfffff)
		printf(" = 0x%lx\n", r);
	else
		printf(" = %ld\n", r);
}

static long sys(long n, long a, long b, long c, long d, long e, long f)
{
	long r = syscall(n, a, b, c, d, e, f);

	return r == -1 ? -errno : r;
}

static const char *prot_name(int prot)
{
	static const char *const names[] = {"-", "r", "w", "rw", "x", "rx", "wx", "rwx"};

	return names[prot & 7];
}

/* One access of one byte; prints the line with what happened. */
static void do_access(uintptr_t addr, bool write)
{
	volatile char *p = (volatile char *)addr;
	long before = minor_faults(), after;

	fault_signal = 0;
	if (!sigsetjmp(on_fault, 1)) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	after = minor_faults();
	printf("- 0 1 %s addr=0x%lx = %s\n", write ? "write" : "read", (unsigned long)addr,
	       fault_signal == SIGSEGV ? "SIGSEGV" : fault_signal == SIGBUS ? "SIGBUS" :
	       after > before ? "minor" : "none");
}

static struct prng prng;

static uintptr_t random_page(void)
{
	return BASE + prng_below(&prng, WINDOW) * PAGE;
}

static size_t random_len(uintptr_t at)
{
	size_t max = (BASE + WINDOW * PAGE - at) / PAGE;
	size_t n = 1 + prng_below(&prng, prng_below(&prng, 4) ? 6 : 24);

	return (n < max ? n : max) * PAGE;
}

static int random_prot(void)
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
				    PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};

	return prots[prng_below(&prng, sizeof(prots) / sizeof(*prots))];
}

static void do_mmap(bool shared)
{
	uintptr_t at = random_page();
	size_t len = random_len(at);
	int prot = random_prot();
	bool noreplace = !prng_below(&prng, 4);
	long r = sys(SYS_mmap, (long)at, (long)len, prot, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS |
		     (noreplace ? MAP_FIXED_NOREPLACE : MAP_FIXED), -1, 0);

	printf("- 0 1 mmap addr=0x%lx len=0x%zx prot=%s flags=%s,anon,%s", (unsigned long)at, len,
	       prot_name(prot), shared ? "shared" : "private", noreplace ? "fixed_noreplace" : "fixed");
	print_result(r);
}

static void do_range_call(long n, const char *name)
{
	uintptr_t at = random_page();
	size_t len = random_len(at);
	int prot = random_prot();

	printf("- 0 1 %s addr=0x%lx len=0x%zx", name, (unsigned long)at, len);
	if (n == SYS_mprotect)
		printf(" prot=%s", prot_name(prot));
	if (n == SYS_madvise)
		printf(" advice=dontneed");
	print_result(sys(n, (long)at, (long)len, n == SYS_madvise ? MADV_DONTNEED : prot, 0, 0, 0));
}

static void do_lock(void)
{
	bool lock = prng_below(&prng, 2);

	do_range_call(lock ? SYS_mlock : SYS_munlock, lock ? "mlock" : "munlock");
}

static void do_mremap(void)
{
	uintptr_t at = random_page(), to = random_page();
	size_t old = random_len(at), new = random_len(to);
	bool fixed = prng_below(&prng, 2);
	long flags = fixed ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;

	printf("- 0 1 mremap addr=0x%lx old=0x%zx new=0x%zx", (unsigned long)at, old, new);
	if (fixed)
		printf(" flags=maymove,fixed to=0x%lx", (unsigned long)to);
	print_result(sys(SYS_mremap, (long)at, (long)old, (long)new, flags, fixed ? (long)to : 0, 0));
}

static void step(const char *mode)
{
	u64 dice = prng_below(&prng, 20);

	if (dice < 5)
		do_mmap(!prng_below(&prng, 5));
	else if (dice < 7)
		do_range_call(SYS_munmap, "munmap");
	else if (dice < 9)
		do_range_call(SYS_mprotect, "mprotect");
	else if (dice < 10)
		do_range_call(SYS_madvise, "madvise");
	else if (dice < 11 && !strcmp(mode, "lock"))
		do_lock();
	else if (dice < 12)
		do_mremap();
	else
		do_access(random_page() + 8, prng_below(&prng, 3) > 0);
}

static void print_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512], perms[8];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) == 3 && start < BASE + WINDOW * PAGE &&
		    end > BASE)
			printf("#maps %lx %lx %s\n", start, end, perms);
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 3 ? argv[3] : "anon";
	static char buffer[1 << 20];

	if (argc < 3)
		return 2;
	memset(buffer, 1, sizeof(buffer));
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	install_handlers();
	prng_seed(&prng, strtoull(argv[1], NULL, 0));
	printf("memrig-trace 1\n@arch x86_64\n@page_size 4096\n0 0 1 spawn\n");
	do_access(BASE, false); /* warms up: code, stack, handlers */
	for (int i = 0; i < 6; i++)
		do_mmap(i == 3);
	for (long n = strtol(argv[2], NULL, 0); n > 0; n--)
		step(mode);
	print_maps();
	return fflush(stdout) ? 1 : 0;
}
