/* SPDX-License-Identifier: BSD-2-Clause */
/* safety.c: width, loopback, this machine's own addresses, the far end of the caller's SSH session; and what the daemon would say, were there one. */
#include "tools/postern/safety.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/postern/place.h"


static struct pst_addr mapped(const void *four)
{
	struct pst_addr a = { .b = { [10] = 0xff, [11] = 0xff } };

	memcpy(a.b + 12, four, 4);
	return a;
}

static bool of_sockaddr(const struct sockaddr *sa, struct pst_addr *out)
{
	if (sa && sa->sa_family == AF_INET)
		*out = mapped(&((const struct sockaddr_in *)sa)->sin_addr);
	else if (sa && sa->sa_family == AF_INET6)
		memcpy(out->b, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
	else
		return false;
	return true;
}

/* Asked for once: a file may name a million prefixes. Never freed: they are needed until the command ends. */
static const struct ifaddrs *own_addresses(void)
{
	static struct ifaddrs *all;
	static bool asked;

	if (!asked && getifaddrs(&all))
		all = NULL;
	asked = true;
	return all;
}

static bool own_address(const struct pst_prefix *p, char *room, size_t size)
{
	char text[ADDR_TEXT_MAX];
	struct pst_addr a;

	for (const struct ifaddrs *i = own_addresses(); i; i = i->ifa_next) {
		if (!of_sockaddr(i->ifa_addr, &a) || !prefix_covers(p, &a))
			continue;
		snprintf(room, size, "it holds %s, this machine's own address on %s", addr_text(&a, text), i->ifa_name);
		return true;
	}
	return false;
}

/* The first word of SSH_CONNECTION and of SSH_CLIENT is the peer. A scoped IPv6 address is of no use to a ban. */
static bool ssh_peer(const struct pst_prefix *p, char *room, size_t size)
{
	static const char *const names[] = { "SSH_CONNECTION", "SSH_CLIENT" };
	char text[ADDR_TEXT_MAX];
	struct pst_addr a;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = getenv(names[i]);
		struct str rest = str_of(value ? value : "");

		if (addr_parse(str_word(&rest), &a) && prefix_covers(p, &a)) {
			snprintf(room, size, "it holds %s, where your own SSH session comes from", addr_text(&a, text));
			return true;
		}
	}
	return false;
}

static bool overlaps(const struct pst_prefix *a, const struct pst_prefix *b)
{
	return prefix_within(a, b) || prefix_within(b, a);
}

const char *safety_too_wide(const struct pst_prefix *p)
{
	if (!prefix_is_wide(p))
		return NULL;
	return prefix_is4(p) ? "it is wider than an IPv4 /8" : "it is wider than an IPv6 /19";
}

const char *safety_objection(const struct pst_prefix *p, char *room, size_t size)
{
	const unsigned char four[4] = { 127 };
	struct pst_addr v4 = mapped(four), v6 = { .b = { [15] = 1 } };
	struct pst_prefix loop4 = prefix_of(&v4, 96 + 8), loop6 = prefix_of(&v6, 128);

	if (safety_too_wide(p))
		return safety_too_wide(p);
	if (overlaps(p, &loop4) || overlaps(p, &loop6))
		return "it is the loopback network";
	if (own_address(p, room, size) || ssh_peer(p, room, size))
		return room;
	return NULL;
}

const struct never_list *safety_never(void)
{
	static const struct conf none;
	static struct never_list list;
	static bool collected;

	if (!collected)
		never_collect(place_conf() ? place_conf() : &none, &list);
	collected = true;
	return &list;
}

const char *safety_unmanned(const struct pst_prefix *p, char *room, size_t size)
{
	const struct never *rule = never_find(safety_never(), p);
	char text[PREFIX_TEXT_MAX];

	if (!rule)
		return NULL;
	snprintf(room, size, "%s is %s", prefix_text(&rule->prefix, text), rule->why);
	return room;
}
