/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Assertions that a test expects: this file's mm_bug() is linked in place of core/base/bug.c and jumps back to
 * bug_fires(). What the machine was doing stays half done.
 */
#ifndef MEMRIG_TESTS_BUG_HOOK_H
#define MEMRIG_TESTS_BUG_HOOK_H

#include "core/base/bug.h"
#include "tests/test.h"

static jmp_buf bug_jump;
static bool bug_armed;
static char bug_text[256]; /* of the last one */

_Noreturn void mm_bug(const char *file, int line, const char *cond)
{
	snprintf(bug_text, sizeof(bug_text), "%s:%d: %s", file, line, cond);
	if (!bug_armed) {
		fprintf(stderr, "BUG: %s\n", bug_text);
		abort();
	}
	longjmp(bug_jump, 1);
}

/* Whether an assertion fails in @call(@arg). A function of its own: no local is lost in the jump. */
static __attribute__((noinline)) bool bug_fires(void (*call)(void *arg), void *arg)
{
	bug_text[0] = 0;
	bug_armed = true;
	if (setjmp(bug_jump)) {
		bug_armed = false;
		return true;
	}
	call(arg);
	bug_armed = false;
	return false;
}

#endif
