/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_resolve.c: the addresses of a name, to be written into a list once, and whether the name itself could stand there. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/postern/out.h"
#include "tools/postern/relay.h"
#include "user/core/addr.h"
#include "user/core/mailbox.h"
#include "user/sock.h"

#define ADDRESSES_MAX 32

/* What reverse DNS says of it; "" = nothing. */
static void name_of(const struct addrinfo *ai, char out[NI_MAXHOST])
{
	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, out, NI_MAXHOST, NULL, 0, NI_NAMEREQD))
		out[0] = '\0';
}

/* Returns how many there are; entries: all of them, as a list is written. */
static unsigned show_addresses(const struct addrinfo *found, const char *host, char *entries, size_t size)
{
	unsigned n = 0;

	out_table("addresses");
	for (const struct addrinfo *ai = found; ai && n < ADDRESSES_MAX; ai = ai->ai_next) {
		struct pst_addr a;
		unsigned short port;
		char text[ADDR_TEXT_MAX], name[NI_MAXHOST];
		size_t used = strlen(entries);

		if (!sock_read((const struct sockaddr_storage *)ai->ai_addr, &a, &port))
			continue;
		name_of(ai, name);
		snprintf(entries + used, size - used, "%s%s", n ? ", " : "", addr_text(&a, text));
		out_row();
		out_str("address", "address", text);
		out_str("name", "its name", name[0] ? name : NULL);
		out_bool("confirmed", "entry by name would do", !strcasecmp(name, host));
		n++;
	}
	out_table_end();
	return n;
}

int relay_do_resolve(struct args *a)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	char entries[ADDRESSES_MAX * (ADDR_TEXT_MAX + 2)] = "";
	struct addrinfo *found = NULL;
	struct mailbox host;
	const char *word;
	int rc = arg_need(a, "HOST", &word);

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	if (!mailbox_domain(str_of(word), true, &host) || host.kind != MAILBOX_DOMAIN)
		return usage_error(a, "\"%s\" is not a host name", word);
	rc = getaddrinfo(host.domain, NULL, &hints, &found);
	if (rc) {
		out_error("%s: %s", host.domain, gai_strerror(rc));
		return CLI_FAILED;
	}
	out_str("host", NULL, host.domain);
	show_addresses(found, host.domain, entries, sizeof(entries));
	freeaddrinfo(found);
	out_line("%s", "");
	out_str("entries", "entries", entries);
	return CLI_OK;
}
