/* SPDX-License-Identifier: BSD-2-Clause */
/* allow.c: the allow table and the gate's settings (ban.h). */
#include "user/ban.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "user/lpm.h"

/* Values of pst_allow: whose word it is. Of two, the greater stays. */
#define ALLOW_CONFIG   1
#define ALLOW_OPERATOR 2

static struct pst_lpm_key key_of(const struct pst_prefix *p)
{
	return (struct pst_lpm_key){ .len = p->len, .addr = p->addr };
}

/* The program asks the table only when the settings say that there is something in it. */
static int allows_say(const struct kern_maps *m, bool some)
{
	struct pst_conf c;
	int e = gate_conf_get(m, &c);

	if (e || !c.no_allows == some)
		return e;
	c.no_allows = !some;
	return gate_conf_put(m, &c);
}

bool allow_any(const struct kern_maps *m)
{
	struct pst_lpm_key first;

	return !bpf_map_get_next_key(m->allow, NULL, &first);
}

int allow_put(const struct kern_maps *m, const struct pst_prefix *p)
{
	struct pst_lpm_key key = key_of(p);
	__u32 whose = ALLOW_OPERATOR;
	int e = allows_say(m, true);

	if (!e && bpf_map_update_elem(m->allow, &key, &whose, BPF_ANY))
		e = -errno;
	return e;
}

int allow_del(const struct kern_maps *m, const struct pst_prefix *p)
{
	struct pst_lpm_key key = key_of(p);

	return bpf_map_delete_elem(m->allow, &key) ? -errno : allows_say(m, allow_any(m));
}

int allow_each(const struct kern_maps *m, int (*each)(void *ctx, const struct pst_prefix *), void *ctx)
{
	struct lists_entry *e;
	long n = lpm_read(m->allow, &e);
	int r = 0;

	if (n < 0)
		return (int)n;
	for (long i = 0; i < n && !r; i++)
		r = each(ctx, &e[i].prefix);
	free(e);
	return r;
}

bool allow_has(const struct kern_maps *m, const struct pst_addr *a)
{
	struct pst_lpm_key key = { .len = 128, .addr = *a };
	__u32 yes;

	return !bpf_map_lookup_elem(m->allow, &key, &yes);
}

/* What operators said, behind room for n entries of the configuration. Returns how many, or -errno. */
static long operators_words(const struct kern_maps *m, size_t n, struct lists_entry **out)
{
	struct lists_entry *now, *all;
	long have = lpm_read(m->allow, &now), kept = 0;

	if (have < 0)
		return have;
	all = calloc(n + (size_t)have + 1, sizeof(*all));
	for (long i = 0; all && i < have; i++)
		if (now[i].value == ALLOW_OPERATOR)
			all[n + (size_t)kept++] = now[i];
	free(now);
	*out = all;
	return all ? kept : -ENOMEM;
}

int allow_replace(const struct kern_maps *m, const struct pst_prefix *p, size_t n)
{
	struct lists_entry *e;
	long operators = operators_words(m, n, &e);
	size_t kept = 0, all;
	int r;

	if (operators < 0)
		return (int)operators;
	all = n + (size_t)operators;
	for (size_t i = 0; i < n; i++)
		e[i] = (struct lists_entry){ p[i], ALLOW_CONFIG };
	qsort(e, all, sizeof(*e), prefix_cmp);
	for (size_t i = 0; i < all; i++) { /* one prefix may be named twice */
		if (!kept || prefix_cmp(&e[kept - 1].prefix, &e[i].prefix))
			e[kept++] = e[i];
		else if (e[i].value > e[kept - 1].value)
			e[kept - 1] = e[i];
	}
	r = lpm_replace(m->allow, e, kept);
	free(e);
	return r;
}

int gate_conf_get(const struct kern_maps *m, struct pst_conf *out)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(m->conf, &zero, out) ? -errno : 0;
}

int gate_conf_put(const struct kern_maps *m, const struct pst_conf *c)
{
	struct pst_conf next = *c, now;
	__u32 zero = 0;
	int e = gate_conf_get(m, &now);

	next.ban_mask = now.ban_mask;
	return e ? e : bpf_map_update_elem(m->conf, &zero, &next, BPF_ANY) ? -errno : 0;
}
