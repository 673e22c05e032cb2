/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel as judge: issues a sequence of memory system calls and accesses on the kernel
 * below, and writes them with the kernel's answers as a self-checking text trace on standard output.
 *
 *   kernel_judge SEED STEPS MODE
 *
 * MODE anon: private and shared anonymous mappings; lock: with mlock and munlock; place: where the
 * kernel is free to choose the address; brk: the heap; fork: with children that live on beside their
 * parent; file: mappings of a cached tmpfs file.
 *
 * All calls work on a window of WINDOW pages at a fixed address, which nothing else in this process
 * uses (brk: on the heap, which nothing here allocates from; place: also where the kernel put things).
 * Behind the last operation a comment block lists /proc/self/maps of the window, one
 * "#maps TASK START END PERMS" a VMA, for memrig verify to compare with the model's tasks[].vmas.
 * Accesses are judged by the change of the task's minor-fault count around one load or store.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/prng.h"

#define BASE   0x20000000ul
#define WINDOW 64
#define PAGE   4096ul
#define FILE_PAGES  48
#define MAX_PLACED  32
#define MAX_CHILDREN 3

static sigjmp_buf on_fault;
static volatile int fault_signal;
static int task = 1; /* number of this process in the trace */
static int the_file = -1;
static uintptr_t heap_start, heap_now;
static struct { uintptr_t at; size_t len; } placed[MAX_PLACED]; /* mappings whose place the kernel chose */
static unsigned nr_placed;

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

/* Loads or stores one byte and returns the minor faults that it took. */
static long touch(uintptr_t addr, bool write)
{
	volatile char *p = (volatile char *)addr;
	long before = minor_faults();

	fault_signal = 0;
	if (!sigsetjmp(on_fault, 1)) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	return minor_faults() - before;
}

/* One access of one byte; prints the line with what happened. */
static void do_access(uintptr_t addr, bool write)
{
	static char own[2 * PAGE];
	long faults;

	touch((uintptr_t)own + PAGE, true); /* what this program needs itself is there from now on */
	touch((uintptr_t)own + PAGE, false);
	faults = touch(addr, write);
	printf("- 0 %d %s addr=0x%lx = %s\n", task, write ? "write" : "read", (unsigned long)addr,
	       fault_signal == SIGSEGV ? "SIGSEGV" : fault_signal == SIGBUS ? "SIGBUS" :
	       faults ? "minor" : "none");
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

	printf("- 0 %d mmap addr=0x%lx len=0x%zx prot=%s flags=%s,anon,%s", task, (unsigned long)at, len,
	       prot_name(prot), shared ? "shared" : "private", noreplace ? "fixed_noreplace" : "fixed");
	print_result(r);
}

static void do_range_call(long n, const char *name)
{
	uintptr_t at = random_page();
	size_t len = random_len(at);
	int prot = random_prot();

	printf("- 0 %d %s addr=0x%lx len=0x%zx", task, name, (unsigned long)at, len);
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

	printf("- 0 %d mremap addr=0x%lx old=0x%zx new=0x%zx", task, (unsigned long)at, old, new);
	if (fixed)
		printf(" flags=maymove,fixed to=0x%lx", (unsigned long)to);
	print_result(sys(SYS_mremap, (long)at, (long)old, (long)new, flags, fixed ? (long)to : 0, 0));
}

/* A mapping of the file; within its size, so that no access meets SIGBUS but beyond the last page. */
static void do_mmap_file(void)
{
	uintptr_t at = random_page();
	size_t len = random_len(at);
	u64 off = prng_below(&prng, FILE_PAGES) * PAGE;
	bool shared = prng_below(&prng, 2);
	int prot = random_prot();
	long r = sys(SYS_mmap, (long)at, (long)len, prot, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
		     the_file, (long)off);

	printf("- 0 %d mmap addr=0x%lx len=0x%zx prot=%s flags=%s,fixed file=1 off=%lu", task, (unsigned long)at,
	       len, prot_name(prot), shared ? "shared" : "private", (unsigned long)off);
	print_result(r);
}

/* A mapping without an address, or with one that is only a hint. */
static void do_mmap_anywhere(void)
{
	uintptr_t hint = prng_below(&prng, 2) ? random_page() + prng_below(&prng, 2) * 0x123 : 0;
	size_t len = (1 + prng_below(&prng, 12)) * PAGE - prng_below(&prng, 2) * 100;
	int prot = random_prot();
	long r = sys(SYS_mmap, (long)hint, (long)len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	printf("- 0 %d mmap addr=0x%lx len=0x%zx prot=%s flags=private,anon", task, (unsigned long)hint, len,
	       prot_name(prot));
	print_result(r);
	if (r > 0 && nr_placed < MAX_PLACED) {
		placed[nr_placed].at = (uintptr_t)r;
		placed[nr_placed++].len = (len + PAGE - 1) & ~(PAGE - 1);
	}
}

static void do_access_placed(void)
{
	unsigned i = (unsigned)prng_below(&prng, nr_placed ? nr_placed : 1);

	if (nr_placed)
		do_access(placed[i].at + prng_below(&prng, placed[i].len / PAGE) * PAGE, prng_below(&prng, 2));
}

static void do_munmap_placed(void)
{
	unsigned i = (unsigned)prng_below(&prng, nr_placed ? nr_placed : 1);
	size_t skip;

	if (!nr_placed)
		return;
	skip = prng_below(&prng, placed[i].len / PAGE) * PAGE;
	printf("- 0 %d munmap addr=0x%lx len=0x%zx", task, (unsigned long)(placed[i].at + skip),
	       placed[i].len - skip);
	print_result(sys(SYS_munmap, (long)(placed[i].at + skip), (long)(placed[i].len - skip), 0, 0, 0, 0));
	placed[i].len = skip;
	if (!skip)
		placed[i] = placed[--nr_placed];
}

static void do_brk(void)
{
	uintptr_t to = heap_start + prng_below(&prng, 24 * PAGE);

	if (!prng_below(&prng, 12))
		to = heap_start - PAGE;
	heap_now = (uintptr_t)syscall(SYS_brk, to);
	printf("- 0 %d brk addr=0x%lx", task, (unsigned long)to);
	print_result((long)heap_now);
}

static void step(const char *mode)
{
	bool file = !strcmp(mode, "file");
	u64 dice = prng_below(&prng, 20);

	if (!strcmp(mode, "brk") && prng_below(&prng, 2)) {
		if (prng_below(&prng, 3))
			do_access(heap_start + prng_below(&prng, 26) * PAGE, prng_below(&prng, 3) > 0);
		else
			do_brk();
		return;
	}
	if (!strcmp(mode, "place") && prng_below(&prng, 2)) {
		u64 what = prng_below(&prng, 6);

		if (what < 2)
			do_mmap_anywhere();
		else if (what < 5)
			do_access_placed();
		else
			do_munmap_placed();
		return;
	}
	if (dice < 5)
		file && prng_below(&prng, 3) ? do_mmap_file() : do_mmap(!prng_below(&prng, 5));
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

/* Reads /proc/self/maps without allocating: the heap belongs to the sequence. */
static void print_maps(void)
{
	static char text[1 << 16];
	size_t got = 0;
	ssize_t n;
	int fd = open("/proc/self/maps", O_RDONLY);
	unsigned long start, end;
	char perms[8];

	while (fd >= 0 && got < sizeof(text) - 1 && (n = read(fd, text + got, sizeof(text) - 1 - got)) > 0)
		got += (size_t)n;
	if (fd >= 0)
		close(fd);
	text[got] = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		bool heap = false;

		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) != 3)
			continue;
		heap = start >= heap_start && end <= heap_start + 32 * PAGE && heap_now > heap_start;
		if ((start < BASE + WINDOW * PAGE && end > BASE) || heap)
			printf("#maps %d %lx %lx %s\n", task, start, end, perms);
	}
}

/* ---- children: each waits for its parent's word, works, says that it is done, and lives on ---- */

struct child {
	int go, done; /* pipes */
	pid_t pid;
};

static void child_loop(int go, int done, const char *mode, u64 seed)
{
	char word;

	prng_seed(&prng, seed);
	while (read(go, &word, 1) == 1 && word != 'x') {
		for (int i = 0; i < 12; i++)
			step(mode);
		fflush(stdout);
		if (write(done, "d", 1) != 1)
			break;
	}
	print_maps();
	printf("- 0 %d exit = 0\n", task);
	fflush(stdout);
	_exit(0);
}

static void do_fork(struct child *c, int number, const char *mode, u64 seed)
{
	int go[2], done[2];

	if (pipe(go) || pipe(done))
		exit(2);
	printf("- 0 1 fork child=%d = 0\n", number);
	fflush(stdout);
	c->pid = fork();
	if (!c->pid) {
		task = number;
		child_loop(go[0], done[1], mode, seed);
	}
	c->go = go[1];
	c->done = done[0];
	close(go[0]);
	close(done[1]);
}

static void let_work(const struct child *c)
{
	char word;

	fflush(stdout);
	if (write(c->go, "g", 1) != 1 || read(c->done, &word, 1) != 1)
		exit(2);
}

static void let_exit(const struct child *c)
{
	int status;

	fflush(stdout);
	if (write(c->go, "x", 1) != 1 || waitpid(c->pid, &status, 0) != c->pid || status)
		exit(2);
	close(c->go);
	close(c->done);
}

static void run_family(long steps, const char *mode, u64 seed)
{
	struct child children[MAX_CHILDREN];
	int number = 2, n = 0;

	for (; steps > 0; steps--) {
		u64 dice = prng_below(&prng, 16);

		if (!dice && n < MAX_CHILDREN) {
			do_fork(&children[n++], number, mode, seed + (u64)number);
			number++;
		} else if (dice == 1 && n) {
			let_exit(&children[--n]);
		} else if (dice < 4 && n) {
			let_work(&children[prng_below(&prng, (u64)n)]);
		} else {
			step(mode);
		}
	}
	print_maps();
	while (n)
		let_exit(&children[--n]);
}

/* A file of tmpfs with all its pages in the cache. */
static void make_file(void)
{
	static char page[PAGE];

	the_file = memfd_create("judge", 0);
	for (int i = 0; i < FILE_PAGES; i++)
		if (write(the_file, page, PAGE) != (ssize_t)PAGE)
			exit(2);
	printf("- 0 1 file id=1 size=%lu kind=tmpfs\n- 0 1 fwrite file=1 off=0 len=%lu\n", FILE_PAGES * PAGE,
	       FILE_PAGES * PAGE);
}

int main(int argc, char **argv)
{
	static char buffer[1 << 20];
	const char *mode = argc > 3 ? argv[3] : "anon";
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;

	if (argc < 3)
		return 2;
	if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE) && personality(ADDR_NO_RANDOMIZE) >= 0)
		execv("/proc/self/exe", argv); /* the same addresses in every run */
	memset(buffer, 1, sizeof(buffer));
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	install_handlers();
	prng_seed(&prng, seed);
	heap_start = heap_now = (uintptr_t)syscall(SYS_brk, 0);
	printf("memrig-trace 1\n@arch x86_64\n@page_size 4096\n0 0 1 spawn brk=0x%lx\n", heap_start);
	if (!strcmp(mode, "file"))
		make_file();
	for (int i = 0; i < 6; i++)
		do_mmap(i == 3);
	if (!strcmp(mode, "fork")) {
		run_family(strtol(argv[2], NULL, 0), mode, seed);
		return fflush(stdout) ? 1 : 0;
	}
	for (long n = strtol(argv[2], NULL, 0); n > 0; n--)
		step(mode);
	print_maps();
	return fflush(stdout) ? 1 : 0;
}
