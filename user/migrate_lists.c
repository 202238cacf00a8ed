/* SPDX-License-Identifier: BSD-2-Clause */
/* migrate_lists.c: the lists of schema 1, a trie of prefixes with one list each, as lists of today. */
#include "user/migrate.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/gatelist.h"
#include "user/lpm.h"

/* Frozen: bpf/abi.h may change, these do not. A trie's value: number of the list, then its action. */
struct listed1 {
	__u8 list, action, zero[2];
};

struct info1 {
	char name[32], source[128];
	__u64 loaded_ns;
	__u32 prefixes;
	__u8 action, zero[3];
};

_Static_assert(sizeof(struct info1) == 176 && sizeof(struct listed1) == sizeof(__u32), "schema 1");

static int open_map(const char *old, const char *name, __u32 value_bytes)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	int fd = kern_pins_open(old, name, true);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) || info.value_size != value_bytes) {
		close(fd);
		return -EPROTO;
	}
	return fd;
}

/* A list without a name would have no row of its own. */
static int info_read(int fd, __u32 i, struct pst_list_info *out)
{
	struct info1 was;

	if (bpf_map_lookup_elem(fd, &i, &was))
		return -errno;
	*out = (struct pst_list_info){ .loaded_ns = was.loaded_ns, .action = was.action, .stale = 1 };
	memcpy(out->name, was.name, sizeof(out->name) - 1);
	memcpy(out->source, was.source, sizeof(out->source) - 1);
	return 0;
}

static int infos_read(const char *old, struct pst_list_info info[PST_LISTS_MAX])
{
	int e = 0, fd = open_map(old, "pst_list_info", sizeof(struct info1));

	if (fd < 0)
		return fd;
	for (__u32 i = 0; !e && i < PST_LISTS_MAX; i++)
		e = info_read(fd, i, &info[i]);
	close(fd);
	return e;
}

/* The number of each entry's list takes the place of the trie's value. */
static void number(struct lists_entry *e, size_t n, struct pst_list_info info[PST_LISTS_MAX])
{
	for (size_t i = 0; i < n; i++) {
		struct listed1 was;
		struct pst_list_info *of;

		memcpy(&was, &e[i].value, sizeof(was));
		e[i].value = was.list % PST_LISTS_MAX;
		of = &info[e[i].value];
		if (!of->name[0]) {
			snprintf(of->name, sizeof(of->name), "list %u", e[i].value);
			of->action = was.action;
		}
		of->prefixes++;
	}
}

static bool has_lists(const struct kern_maps *m)
{
	struct pst_list_info info;

	for (unsigned i = 0; i < PST_LISTS_MAX; i++)
		if (!list_info(m, i, &info))
			return true;
	return false;
}

int migrate_lists(const char *old, const struct kern_maps *to, char *err, size_t errsize)
{
	struct pst_list_info info[PST_LISTS_MAX];
	struct lists_entry *e = NULL;
	int rc, fd;
	long n;

	if (has_lists(to))
		return 0;
	fd = open_map(old, "pst_lists", sizeof(struct listed1));
	if (fd < 0)
		return fd;
	n = lpm_read(fd, &e);
	close(fd);
	rc = n < 0 ? (int)n : infos_read(old, info);
	if (!rc && n) {
		number(e, (size_t)n, info);
		rc = list_replace(to, e, (size_t)n, info, err, errsize);
	}
	free(e);
	return rc;
}
