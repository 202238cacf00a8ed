/* SPDX-License-Identifier: BSD-2-Clause */
/* config_kinds.c: from a text in the file to a value, one function per kind of setting. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <net/if.h>

#include "user/config_int.h"
#include "user/core/names.h"

#define FILE_LINE_MAX 1024

/* Each converts one text into *dst and tells whether it could; it has said why not itself. */
typedef bool take_fn(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst);

bool config_wrong(struct config_reader *r, const struct config_item *it, const char *what, const char *right)
{
	char shown[128];

	str_escape(str_of(it->text), shown, sizeof(shown));
	config_err(r, it->file, it->line, "%s: \"%s\" %s; %s", it->where, shown, what, right);
	return false;
}

static void store_integer(void *dst, size_t size, unsigned long long v)
{
	switch (size) {
	case 1:
		*(unsigned char *)dst = v;
		break;
	case 2:
		*(unsigned short *)dst = v;
		break;
	case 4:
		*(unsigned *)dst = v;
		break;
	default:
		*(unsigned long long *)dst = v;
	}
}

static bool in_range(struct config_reader *r, const struct config_row *row, const struct config_item *it,
		     unsigned long long v, const char *low, const char *high)
{
	char right[96];

	if (v >= row->min && v <= row->max)
		return true;
	snprintf(right, sizeof(right), "write %s to %s", low, high);
	return config_wrong(r, it, "is out of range", right);
}

static bool take_NUMBER(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	char low[24], high[24];
	unsigned long long v;

	snprintf(low, sizeof(low), "%llu", row->min);
	snprintf(high, sizeof(high), "%llu", row->max);
	if (!str_u64(str_of(it->text), &v))
		return config_wrong(r, it, "is not a number", "write decimal digits alone");
	if (!in_range(r, row, it, v, low, high))
		return false;
	store_integer(dst, row->size, v);
	return true;
}

static bool take_BYTES(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	static const char units[] = "KMGT";
	struct str s = str_of(it->text);
	const char *unit = s.n ? strchr(units, toupper((unsigned char)s.p[s.n - 1])) : NULL;
	unsigned shift = unit ? 10 * (unit - units + 1) : 0;
	char low[24], high[24];
	unsigned long long v;

	if (unit)
		s.n--;
	if (!str_u64(s, &v) || v > (~0ull >> shift))
		return config_wrong(r, it, "is not a size", "write octets, or a number with K, M or G");
	snprintf(low, sizeof(low), "%llu", row->min);
	snprintf(high, sizeof(high), "%llu octets", row->max);
	if (!in_range(r, row, it, v << shift, low, high))
		return false;
	store_integer(dst, row->size, v << shift);
	return true;
}

static bool take_SECONDS(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	char low[32], high[32];
	unsigned long long v;

	if (!duration_parse(str_of(it->text), &v))
		return config_wrong(r, it, "is not a duration", "write it with a unit: 90s, 10m, 1h30m, 7d");
	if (!in_range(r, row, it, v, duration_text(row->min, low), duration_text(row->max, high)))
		return false;
	store_integer(dst, row->size, v);
	return true;
}

static bool take_MS(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct str s = str_of(it->text);
	bool ms = s.n > 2 && !strcmp(s.p + s.n - 2, "ms");
	char low[32], high[32];
	unsigned long long v;

	snprintf(low, sizeof(low), row->min ? "%llums" : "0s", row->min);
	if (ms ? !str_u64(str_sub(s, 0, s.n - 2), &v) : !duration_parse(s, &v))
		return config_wrong(r, it, "is not a duration", "write it with a unit: 500ms, 2s");
	if (!ms)
		v = v > row->max ? row->max + 1 : v * 1000;
	if (!in_range(r, row, it, v, low, duration_text(row->max / 1000, high)))
		return false;
	store_integer(dst, row->size, v);
	return true;
}

static bool take_BOOL(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true" };

	(void)row;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_ieq(str_of(it->text), str_of(words[i]))) {
			*(bool *)dst = i & 1;
			return true;
		}
	return config_wrong(r, it, "is neither yes nor no", "write yes or no");
}

static bool take_WORD(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	char right[128];
	unsigned i = 0;

	for (const char *w = row->words; *w; i++) {
		size_t n = strcspn(++w, "|");

		if (str_eq(str_of(it->text), (struct str){ w, n })) {
			store_integer(dst, row->size, i);
			return true;
		}
		w += n;
	}
	snprintf(right, sizeof(right), "write one of %s", row->words + 1);
	return config_wrong(r, it, "is not a known word", right);
}

static bool keep_text(struct config_reader *r, const struct config_item *it, void *dst)
{
	*(const char **)dst = config_keep(r, it->text);
	return true;
}

static bool take_BANNER(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	(void)row;
	for (const char *p = it->text; *p; p++)
		if (*p < ' ' || *p > '~')
			return config_wrong(r, it, "holds more than printable ASCII", "write plain text");
	if (strlen(it->text) > 200)
		return config_wrong(r, it, "is too long", "write 200 characters at most");
	return keep_text(r, it, dst);
}

static bool take_HOST(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	(void)row;
	if (*it->text && !mailbox_is_domain(str_of(it->text)))
		return config_wrong(r, it, "is not a host name", "write one like \"mx.example.org\"");
	return keep_text(r, it, dst);
}

/* It is said in one line of SMTP, by the kernel. */
static bool take_URL(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	const char *t = it->text;

	(void)row;
	if (*t && strncmp(t, "https://", 8) && strncmp(t, "http://", 7))
		return config_wrong(r, it, "is not a web address", "write one like \"https://example.org/refused\"");
	for (const char *p = t; *p; p++)
		if (*p <= ' ' || *p > '~')
			return config_wrong(r, it, "holds a blank or more than printable ASCII", "write the address percent-encoded");
	if (strlen(t) > CONFIG_URL_MAX)
		return config_wrong(r, it, "is too long", "write 60 characters at most");
	return keep_text(r, it, dst);
}

static bool take_PATH(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	(void)row;
	if (!*it->text)
		return true; /* not given: stays NULL */
	if (*it->text != '/')
		return config_wrong(r, it, "is not an absolute path", "start it with /");
	return keep_text(r, it, dst);
}

int config_user(const char *text, uid_t *uid, gid_t *gid)
{
	unsigned long long n;
	struct passwd *pw;

	if (str_u64(str_of(text), &n) && n < 0xffffffff) {
		pw = getpwuid(n);
		*uid = n;
		*gid = pw ? pw->pw_gid : n;
		return 0;
	}
	pw = getpwnam(text);
	if (!pw)
		return -ENOENT;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

int config_group(const char *text, gid_t *gid)
{
	unsigned long long n;
	struct group *gr;

	if (str_u64(str_of(text), &n) && n < 0xffffffff) {
		*gid = n;
		return 0;
	}
	gr = getgrnam(text);
	if (!gr)
		return -ENOENT;
	*gid = gr->gr_gid;
	return 0;
}

static bool take_USER(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	uid_t uid;
	gid_t gid;

	(void)row;
	if (config_user(it->text, &uid, &gid))
		return config_wrong(r, it, "is no user here", "create it (adduser --system --group --no-create-home NAME) or name another");
	if (!uid || !gid)
		return config_wrong(r, it, "is root", "name a user without rights");
	return keep_text(r, it, dst);
}

static bool take_GROUP(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	gid_t gid;

	(void)row;
	if (!*it->text)
		return true; /* none */
	if (config_group(it->text, &gid))
		return config_wrong(r, it, "is no group here", "create it (addgroup --system NAME) or leave the setting out");
	return keep_text(r, it, dst);
}

static bool take_ADDRESS(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	(void)row;
	return addr_parse(str_of(it->text), dst) ||
	       config_wrong(r, it, "is not an address", "write an IPv4 or IPv6 address like 192.0.2.1 or 2001:db8::1");
}

static bool take_NAMES(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	(void)row;
	if (!*it->text || strlen(it->text) >= IF_NAMESIZE || strpbrk(it->text, "/ \t\n:"))
		return config_wrong(r, it, "is not an interface name", "write one as `ip link` shows it");
	return keep_text(r, it, dst);
}

static bool take_TITLES(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	(void)row;
	return keep_text(r, it, dst);
}

static bool take_PORTS(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct config_row port = *row;

	port.min = 1;
	port.max = 65535;
	port.size = sizeof(unsigned short);
	return take_NUMBER(r, &port, it, dst);
}

static bool take_PREFIXES(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	bool names = row->kind == CONFIG_KIND_RULES;
	char right[PREFIX_TEXT_MAX + 32], text[PREFIX_TEXT_MAX];
	struct pst_prefix p;

	if (config_unmask(it->text, text) < 0)
		return config_wrong(r, it, "has a mask with a hole", "write the ones first, like 255.255.240.0, or a length, like /20");
	switch (prefix_parse(str_of(text), &p)) {
	case PREFIX_OK:
		*(struct pst_prefix *)dst = p;
		return true;
	case PREFIX_HOST_BITS:
		snprintf(right, sizeof(right), "%s is the network", prefix_text(&p, text));
		return config_wrong(r, it, "has host bits", right);
	case PREFIX_BAD_LENGTH:
		return config_wrong(r, it, "has a bad prefix length", "0 to 32 for IPv4, 0 to 128 for IPv6");
	case PREFIX_BOTH_FAMILIES:
		return config_wrong(r, it, "covers both families", "write 0.0.0.0/0 for IPv4, 2000::/3 for IPv6");
	default:
		return names ? config_wrong(r, it, "is not an address, network or domain", "write one like 192.0.2.7, 2001:db8::/32 or \".example.org\"") :
			       config_wrong(r, it, "is not an address or network", "write one like 192.0.2.7 or 2001:db8::/32");
	}
}

static bool take_RULES(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct access_rule *rule = dst;
	char name[CONFIG_DOMAIN_MAX];

	rule->file = it->file;
	rule->line = it->line;
	if (!config_client_name(it->text, name))
		return take_PREFIXES(r, row, it, &rule->prefix);
	rule->name.n = strlen(name);
	rule->name.p = config_keep(r, name);
	return rule->name.p;
}

static bool take_DOMAINS(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct domain_rule *rule = dst;
	char name[CONFIG_DOMAIN_MAX];
	const char *kept;

	(void)row;
	if (!config_domain(it->text, name))
		return config_wrong(r, it, "is not a domain", "write one like \"example.org\" or \".example.org\"");
	kept = config_keep(r, name);
	if (kept)
		*rule = (struct domain_rule){ str_of(kept), it->file, it->line };
	return kept;
}

static bool take_MAILBOXES(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	char path[MAILBOX_TEXT_MAX];
	struct str in;
	int n;

	(void)row;
	n = snprintf(path, sizeof(path), "<%s>", it->text);
	in = (struct str){ path, n };
	if (n >= (int)sizeof(path) || mailbox_path(&in, false, true, dst) != MAILBOX_OK || in.n)
		return config_wrong(r, it, "is not a mailbox", "write one like \"trap@example.org\"");
	return true;
}

static bool take_SENDERS(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct sender_rule *rule = dst;
	char key[SENDER_KEY_MAX + 1];
	const char *kept;

	(void)row;
	if (!sender_key(str_of(it->text), key))
		return config_wrong(r, it, "is neither an address nor a domain", "write one like \"spam@bad.example\", \"bad.example\", \".bad.example\" or \"<>\"");
	kept = config_keep(r, key);
	if (!kept)
		return false;
	*rule = (struct sender_rule){ str_of(kept), it->file, it->line };
	return true;
}

static bool take_RECIPIENTS(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct recipient_rule *rule = dst;
	char key[RECIPIENT_KEY_MAX + 1];
	const char *kept;

	(void)row;
	if (!recipient_key(str_of(it->text), key))
		return config_wrong(r, it, "is not a recipient", "write one like \"user@example.org\" or \"example.org\"");
	kept = config_keep(r, key);
	if (kept)
		*rule = (struct recipient_rule){ str_of(kept), it->file, it->line };
	return kept;
}

/* One account and one sender: see add_owner(). */
static bool take_OWNERS(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct account_owner *owner = dst;
	struct str rest = str_of(it->text), name = str_word(&rest);
	struct config_item sender = *it;
	char folded[ACCOUNT_MAX + 1];
	const char *kept;

	sender.text = str_trim(rest).p;
	if (!*sender.text || !account_fold(name, folded))
		return config_wrong(r, it, "is not an account with its senders", "write \"ACCOUNT SENDER ...\", like \"alice alice@example.org\"");
	if (!strcmp(sender.text, "*"))
		owner->sender = (struct sender_rule){ STR("*"), it->file, it->line };
	else if (!take_SENDERS(r, row, &sender, &owner->sender))
		return false;
	kept = config_keep(r, folded);
	if (kept)
		owner->account = str_of(kept);
	return kept;
}

#define take_ADDRESSES take_ADDRESS
#define take_SITES	       config_site
#define take_BELOW	       config_below
#define take_ZONE	       config_zone_name

static const struct {
	take_fn *take;
	size_t element;
} kinds[] = {
#define CONFIG_X(kind, size) [CONFIG_KIND_##kind] = { take_##kind, size },
	CONFIG_KINDS(CONFIG_X)
#undef CONFIG_X
};

bool config_is_list(enum config_kind kind)
{
	return kinds[kind].element;
}

/* A list while it grows; the result gets an exact copy. */
struct grown {
	char *v;
	size_t n, room;
};

static bool grow(struct grown *g, size_t element)
{
	char *more;

	if (g->n < g->room)
		return true;
	g->room = g->room ? 2 * g->room : 16;
	more = reallocarray(g->v, g->room, element);
	if (more)
		g->v = more;
	return more;
}

static void add_one(struct config_reader *r, const struct config_row *row, const struct config_item *it, struct grown *g)
{
	size_t element = kinds[row->kind].element;

	if (!grow(g, element)) {
		r->no_memory = true;
		return;
	}
	memset(g->v + g->n * element, 0, element);
	if (kinds[row->kind].take(r, row, it, g->v + g->n * element))
		g->n++;
}

/* "ACCOUNT SENDER SENDER ...", with commas or blanks between them: one element for each sender. */
static void add_owner(struct config_reader *r, const struct config_row *row, const struct config_item *it, struct grown *g)
{
	struct config_item one = *it;
	char *words = strdup(it->text), *text = malloc(strlen(it->text) + 2);
	char *save, *account, *sender;

	if (!words || !text) {
		r->no_memory = true;
	} else {
		account = strtok_r(words, " \t", &save);
		sender = account ? strtok_r(NULL, " \t,", &save) : NULL;
		if (!sender)
			add_one(r, row, it, g);
		for (one.text = text; sender; sender = strtok_r(NULL, " \t,", &save)) {
			sprintf(text, "%s %s", account, sender);
			add_one(r, row, &one, g);
		}
	}
	free(words);
	free(text);
}

static void add_item(struct config_reader *r, const struct config_row *row, const struct config_item *it, struct grown *g)
{
	if (row->kind == CONFIG_KIND_OWNERS)
		add_owner(r, row, it, g);
	else
		add_one(r, row, it, g);
}

/* The lines of a file in place of one item: '#' and ';' start a comment. */
static void add_file(struct config_reader *r, const struct config_row *row, const struct config_item *it, struct grown *g)
{
	const char *path = it->text + strlen("file:");
	struct config_item line = { .file = config_keep(r, path), .where = it->where };
	char text[FILE_LINE_MAX];
	const char *why;
	FILE *f = config_open(path, &why);

	if (!f) {
		config_err(r, it->file, it->line, "%s: cannot read %s: %s; name a readable file", it->where, path, why);
		return;
	}
	while (fgets(text, sizeof(text), f) && !r->no_memory) {
		struct str s = { text, strcspn(text, "#;\r\n") };

		line.line++;
		if (!strchr(text, '\n') && !feof(f)) {
			config_err(r, line.file, line.line, "%s: line too long; one entry a line", it->where);
			break;
		}
		s = str_trim(s);
		if (!s.n)
			continue;
		text[s.p - text + s.n] = 0;
		line.text = s.p;
		add_item(r, row, &line, g);
	}
	if (ferror(f)) /* half a list would be another list */
		config_err(r, line.file, line.line + 1, "%s: cannot read: %s", it->where, strerror(errno));
	fclose(f);
}

struct map_reader {
	struct config_reader *r;
	const struct config_row *row;
	struct config_item key;
	struct grown *g;
};

/* Of the maps of accounts alone the values matter. */
static bool add_key(void *ctx, const char *key, const char *value)
{
	struct map_reader *m = ctx;
	char *both = NULL;

	m->key.line++;
	m->key.text = key;
	if (m->row->kind == CONFIG_KIND_OWNERS && asprintf(&both, "%s %s", key, value) < 0)
		m->r->no_memory = true;
	if (both)
		m->key.text = both;
	if (!m->r->no_memory)
		add_item(m->r, m->row, &m->key, m->g);
	free(both);
	return !m->r->no_memory;
}

/* The keys of an LMDB map in place of one item; their "lines" are counted in the map's order. */
static void add_map(struct config_reader *r, const struct config_row *row, const struct config_item *it, struct grown *g)
{
	const char *path = it->text + strlen("lmdb:");
	struct map_reader m = { r, row, { .file = config_keep(r, path), .where = it->where }, g };
	char why[128];

	if (config_lmdb(path, add_key, &m, why, sizeof(why)))
		config_err(r, it->file, it->line, "%s: cannot read %s: %s; name an LMDB map", it->where, path, why);
}

static void store_list(struct config_reader *r, const struct config_row *row, const struct config_item *items, size_t n, void *base)
{
	size_t element = kinds[row->kind].element;
	struct grown g = { 0 };
	void *v;

	for (size_t i = 0; i < n && !r->no_memory; i++) {
		if (!strncmp(items[i].text, "file:", 5))
			add_file(r, row, &items[i], &g);
		else if (!strncmp(items[i].text, "lmdb:", 5))
			add_map(r, row, &items[i], &g);
		else
			add_item(r, row, &items[i], &g);
	}
	v = config_alloc(r, (g.n + 1) * element); /* one zeroed element behind the last */
	if (v) {
		if (g.n)
			memcpy(v, g.v, g.n * element);
		*(void **)((char *)base + row->offset) = v;
		*(size_t *)((char *)base + row->count) = g.n;
	}
	free(g.v);
}

void config_store(struct config_reader *r, const struct config_row *row, const struct config_item *items, size_t n, void *base)
{
	if (config_is_list(row->kind))
		store_list(r, row, items, n, base);
	else
		kinds[row->kind].take(r, row, items, (char *)base + row->offset);
}
