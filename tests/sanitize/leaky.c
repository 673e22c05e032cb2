/* SPDX-License-Identifier: BSD-2-Clause */
/* Loses a block: under AddressSanitizer it must exit with an error, or the leak check does not run at all. */
#include <stdlib.h>
#include <string.h>

static char *volatile lost;

int main(void)
{
	lost = malloc(1000);
	if (lost)
		memset(lost, 1, 1000);
	lost = NULL;
	return 0;
}
