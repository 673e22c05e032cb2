/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig __man: the page memrig(1), from the same tables as --help. */
#include <stdio.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/verb_help.h"
#include "core/config.h"

/* Text with what troff would take for a request or a hyphen made harmless. */
static void put(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

static void put_option(const char *option, const char *text)
{
	fputs(".TP\n.B ", stdout);
	put(option);
	fputs("\n", stdout);
	put(text);
	fputs("\n", stdout);
}

/* What every verb has. */
static bool common(const char *option)
{
	return !strcmp(option, "-?, --help") || !strcmp(option, "--usage");
}

static int put_verb(const char *name, const char *summary)
{
	char line[512], *left, *right;
	FILE *f = verb_help_open(name);
	bool blank = false, in_option = false, skipping = false;

	if (!f)
		return cmd_error("__man: %s --help cannot be run", name);
	printf(".SS %s\n", name);
	put(summary);
	fputs(".\n", stdout);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Mandatory or optional", 21)) { /* argp's own remark, two lines */
			if (!fgets(line, sizeof(line), f))
				break;
			continue;
		}
		switch (verb_help_split(line, &left, &right)) {
		case VERB_HELP_OPTION:
			skipping = common(left);
			if (!skipping)
				put_option(left, right);
			in_option = true;
			break;
		case VERB_HELP_MORE:
			if (!skipping) {
				put(right);
				putchar('\n');
			}
			break;
		case VERB_HELP_TEXT:
			if (!*right) {
				blank = true;
				continue;
			}
			if (blank || in_option)
				puts(".PP");
			in_option = false;
			if (!strncmp(right, "Usage:", 6))
				puts(".PP\n.nf");
			put(right);
			putchar('\n');
			if (!strncmp(right, "Usage:", 6))
				puts(".fi");
		}
		blank = false;
	}
	pclose(f);
	return EXIT_DONE;
}

static void put_keys(void)
{
	char def[CONFIG_STR_MAX];

	puts(".SH MACHINE KEYS\nFor \\-\\-set KEY=VALUE, configuration files and sweeps.");
	for (unsigned k = 0; k < NR_CONFIG_KEYS; k++) {
		config_key_default(k, def, sizeof(def));
		fputs(".TP\n.B ", stdout);
		put(config_key_name(k));
		if (*config_key_values(k)) {
			putchar('=');
			put(config_key_values(k));
		}
		putchar('\n');
		put(config_key_help(k));
		if (*def) {
			fputs(" (default ", stdout);
			put(def);
			putchar(')');
		}
		puts(".");
	}
}

int cmd_man(int argc, char **argv)
{
	int rc = EXIT_DONE;

	if (argc > 1)
		return cmd_error("__man: '%s': takes no arguments", argv[1]);
	printf(".TH MEMRIG 1 \"\" \"memrig %s\" \"User Commands\"\n", MEMRIG_VERSION);
	puts(".SH NAME\nmemrig \\- records, replays and times the memory traces of programs\n"
	     ".SH SYNOPSIS\n.B memrig\n.I VERB\n[\\fIOPTION\\fR...]\n"
	     ".SH DESCRIPTION\nThe memory management of Linux as a program. memrig records what a live program does "
	     "to its memory, replays it on an emulated machine (ARM page tables, buddy allocator, slabs, address "
	     "spaces, reclaim, compaction, KSM), times the hot paths and draws comparisons.\n.SH VERBS");
	for (unsigned i = 0; verb_name(i) && rc == EXIT_DONE; i++)
		if (*verb_summary(i))
			rc = put_verb(verb_name(i), verb_summary(i));
	put_keys();
	puts(".SH EXIT STATUS\n0 done; 1 the check asked for failed; 2 wrong usage or unusable input.\n"
	     ".SH ENVIRONMENT\n.TP\n.B MEMRIG_PLOTS, MEMRIG_STUDIES\nWhere plots.list and the studies are, if not "
	     "beside the program or installed.\n.SH SEE ALSO\n.BR perf (1),\n.BR strace (1),\n.BR gnuplot (1)");
	return rc;
}
