/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/never.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "user/core/addr.h"
#include "user/log.h"

static struct pst_addr mapped(const void *four)
{
	struct pst_addr a = { { [10] = 0xff, [11] = 0xff } };

	memcpy(&a.b[12], four, 4);
	return a;
}

bool never_add(struct never_list *l, const struct pst_prefix *p, const char *why)
{
	for (size_t i = 0; i < l->n; i++)
		if (!prefix_cmp(&l->entry[i].prefix, p))
			return false;
	if (l->n == NEVER_MAX) {
		log_warnx("never-ban-full entries=%d: use allow for more", NEVER_MAX);
		return false;
	}
	l->entry[l->n].prefix = *p;
	snprintf(l->entry[l->n].why, sizeof(l->entry[l->n].why), "%s", why);
	l->n++;
	return true;
}

static void add_addr(struct never_list *l, const struct pst_addr *a, const char *why)
{
	struct pst_prefix p = prefix_of(a, 128);

	never_add(l, &p, why);
}

static void add_own(struct never_list *l)
{
	struct ifaddrs *all;
	char why[64];

	if (getifaddrs(&all)) {
		log_warn("never-ban-unknown: own addresses are unknown");
		return;
	}
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct pst_addr a;

		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
			a = mapped(&((struct sockaddr_in *)i->ifa_addr)->sin_addr);
		else if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6)
			memcpy(&a, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, sizeof(a));
		else
			continue;
		snprintf(why, sizeof(why), "own address on %s", i->ifa_name);
		add_addr(l, &a, why);
	}
	freeifaddrs(all);
}

/* /proc/net/route: hexadecimal words in host order; destination and mask 0 = default. */
static void add_gateways4(struct never_list *l)
{
	FILE *f = fopen("/proc/self/net/route", "re");
	unsigned dest, gateway, mask;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %x %x %*x %*d %*d %*d %x", &dest, &gateway, &mask) == 3 && !dest && !mask && gateway) {
			struct pst_addr a = mapped(&gateway);

			add_addr(l, &a, "default gateway");
		}
	}
	if (f)
		fclose(f);
}

/* /proc/net/ipv6_route: destination, length, source, length, next hop; 32 hexadecimal digits an address. */
static void add_gateways6(struct never_list *l)
{
	static const struct pst_addr none;
	FILE *f = fopen("/proc/self/net/ipv6_route", "re");
	char line[256], hop[33];
	unsigned len;

	while (f && fgets(line, sizeof(line), f)) {
		struct pst_addr a;

		if (sscanf(line, "%*32s %x %*32s %*x %32s", &len, hop) != 2 || len || strlen(hop) != 32)
			continue;
		for (int i = 0; i < 16; i++)
			sscanf(hop + 2 * i, "%2hhx", &a.b[i]);
		if (memcmp(&a, &none, sizeof(a)))
			add_addr(l, &a, "default gateway");
	}
	if (f)
		fclose(f);
}

static void add_resolvers(struct never_list *l)
{
	FILE *f = fopen("/etc/resolv.conf", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		struct str rest = { line, strcspn(line, "\r\n%") };
		struct pst_addr a;

		if (str_eq(str_word(&rest), STR("nameserver")) && addr_parse(str_word(&rest), &a))
			add_addr(l, &a, "resolver");
	}
	if (f)
		fclose(f);
}

void never_collect(const struct conf *c, struct never_list *out)
{
	char why[64];

	out->n = 0;
	for (size_t i = 0; i < c->nbackends; i++) {
		snprintf(why, sizeof(why), "backend \"%s\"", c->backend[i].name);
		add_addr(out, &c->backend[i].addr, why);
	}
	for (size_t i = 0; i < c->nbalancers; i++)
		never_add(out, &c->balancer[i], "balancer");
	add_own(out);
	add_gateways4(out);
	add_gateways6(out);
	add_resolvers(out);
	for (size_t i = 0; i < c->nnever; i++)
		never_add(out, &c->never_ban[i], "never_ban of the configuration");
}

const struct never *never_find(const struct never_list *l, const struct pst_prefix *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (prefix_within(&l->entry[i].prefix, p) || prefix_within(p, &l->entry[i].prefix))
			return &l->entry[i];
	return NULL;
}
