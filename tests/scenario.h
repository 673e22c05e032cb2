/* SPDX-License-Identifier: BSD-2-Clause */
/* A bit of everything that takes memory, as a text trace in a file without a name; ends with all given back. */
#ifndef MEMRIG_TESTS_SCENARIO_H
#define MEMRIG_TESTS_SCENARIO_H

#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"
#include "traces/reader.h"

static const char scenario[] =
	"memrig-trace 1\n0 0 1 spawn brk=0x20000000 stack=0x7ff000000000\n"
	"- 0 1 mmap addr=0x10000000 len=0x800000 prot=rw flags=private,anon,fixed\n"
	"- 0 1 write addr=0x10000000 len=0x40000\n- 0 1 read addr=0x10100000 len=0x8000\n"
	"- 0 1 mprotect addr=0x10010000 len=0x3000 prot=r\n- 0 1 munmap addr=0x10020000 len=0x1000\n"
	"- 0 1 madvise addr=0x10030000 len=0x4000 advice=dontneed\n- 0 1 mlock addr=0x10000000 len=0x4000\n"
	"- 0 1 mremap addr=0x10200000 old=0x10000 new=0x20000 flags=maymove\n"
	"- 0 1 brk addr=0x20400000\n- 0 1 write addr=0x20000000 len=0x30000\n"
	"- 0 1 file id=1 size=0x100000 name=f kind=disk\n- 0 1 file id=2 size=0x20000 name=t kind=tmpfs\n"
	"- 0 1 mmap addr=0x30000000 len=0x40000 prot=rw flags=private,fixed file=1 off=0\n"
	"- 0 1 mmap addr=0x31000000 len=0x20000 prot=rw flags=shared,fixed file=2 off=0\n"
	"- 0 1 read addr=0x30000000 len=0x10000\n- 0 1 write addr=0x30008000 len=0x8000\n"
	"- 0 1 write addr=0x31000000 len=0x8000\n- 0 1 fread file=1 off=0x40000 len=0x10000 buf=0x10001000\n"
	"- 0 1 fork child=2\n- 0 2 write addr=0x10000000 len=0x20000\n- 0 1 write addr=0x20000000 len=0x8000\n"
	"- 0 2 fork child=3\n- 0 3 read addr=0x31000000 len=0x8000\n- 0 3 munmap addr=0x10000000 len=0x100000\n"
	"- 0 2 exec name=b\n- 0 2 mmap addr=0x40000000 len=0x10000 prot=rw flags=private,anon,fixed,populate\n"
	"- 0 4 spawn brk=0x20000000\n- 0 4 malloc ptr=0x1000 size=100000\n- 0 4 malloc ptr=0x2000 size=300000\n"
	"- 0 4 free ptr=0x1000\n"
	"- 0 0 alloc_pages id=1 order=0 gfp=kernel\n- 0 0 alloc_pages id=2 order=3 gfp=kernel,comp\n"
	"- 0 0 alloc_bulk id=3 n=40 gfp=highuser_movable\n- 0 0 kmalloc id=4 size=200\n- 0 0 kmalloc id=5 size=9000\n"
	"- 0 0 cache_create cache=c size=700\n- 0 0 cache_alloc cache=c id=6\n- 0 0 cache_alloc cache=c id=7\n"
	"- 0 0 vmalloc id=8 size=50000\n- 0 0 vmalloc id=9 size=3000000\n"
	"- 0 0 vfree id=8\n- 0 0 vfree id=9\n- 0 0 free_pages id=1\n- 0 0 free_pages id=2\n- 0 0 free_pages id=3\n"
	"- 0 0 kfree id=4\n- 0 0 kfree id=5\n- 0 0 cache_free id=6\n- 0 0 cache_free id=7\n"
	"- 0 0 cache_destroy cache=c\n"
	"- 0 4 exit\n- 0 3 exit\n- 0 2 exit\n- 0 1 exit\n- 0 1 unlink file=2\n- 0 1 unlink file=1\n"
	"- 0 1 drop_caches what=3\n- 0 1 drain\n";

/* The file, whose path is @path[64]; close() forgets it. */
static inline int scenario_file(char *path)
{
	int fd = memfd_create("scenario", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, scenario, sizeof(scenario) - 1), (ssize_t)sizeof(scenario) - 1);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

#endif
