/* SPDX-License-Identifier: BSD-2-Clause */
/* config_access.c: domains, names and masks as they are written to what the rules hold. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "user/config_int.h"

bool config_domain(const char *text, char out[CONFIG_DOMAIN_MAX])
{
	bool below = *text == '.';
	struct mailbox m;

	if (!mailbox_domain(str_of(text + below), true, &m) || (below && m.domain[0] == '['))
		return false;
	snprintf(out, CONFIG_DOMAIN_MAX, "%s%s", below ? "." : "", m.domain);
	return true;
}

/* "192.0.2.300" and "10.0" are no names: no top-level domain is a number. */
bool config_client_name(const char *text, char out[CONFIG_DOMAIN_MAX])
{
	const char *top;

	if (!config_domain(text, out) || out[0] == '[')
		return false;
	top = strrchr(out, '.');
	return top && top[1 + strspn(top + 1, "0123456789")];
}

int config_unmask(const char *text, char out[PREFIX_TEXT_MAX])
{
	const char *slash = strchr(text, '/');
	struct in_addr four;
	unsigned zeros;

	snprintf(out, PREFIX_TEXT_MAX, "%s", text);
	if (!slash || slash - text >= INET_ADDRSTRLEN || inet_pton(AF_INET, slash + 1, &four) != 1)
		return 0;
	zeros = ~ntohl(four.s_addr);
	if (zeros & (zeros + 1))
		return -EINVAL;
	snprintf(out, PREFIX_TEXT_MAX, "%.*s/%d", (int)(slash - text), text, 32 - __builtin_popcount(zeros));
	return 0;
}
