/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.c: one read of the configuration file. libconfuse does the grammar; every value
 * passes through it as text that carries its line ("12:value"), so that the conversion can
 * go on after an error and name each one's place.
 */
#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/config_int.h"

#define S_ROW(sec, nm, knd, wrds, strct, mem, dflt, mn, mx, hlp)                                                 \
	{ .section = sec, .name = #nm, .kind = CONFIG_KIND_##knd, .words = "" wrds, .def = dflt, .min = mn, .max = mx, \
	  .offset = offsetof(strct, mem), .size = sizeof(((strct *)0)->mem), .help = hlp },
#define L_ROW(sec, nm, knd, strct, mem, cnt, dflt, hlp)                                                          \
	{ .section = sec, .name = #nm, .kind = CONFIG_KIND_##knd, .words = "", .def = dflt, .offset = offsetof(strct, mem), \
	  .size = sizeof(((strct *)0)->mem), .count = offsetof(strct, cnt), .help = hlp },
#define POINT_ROW(sym, nm, code, enh, text, pts, fin, hlp)                                                    \
	{ .section = "points", .name = nm, .kind = CONFIG_KIND_NUMBER, .words = "", .def = #pts, .max = CONFIG_POINT_MAX, \
	  .offset = offsetof(struct config_whole, conf.policy.points[PST_RSN_##sym]), .size = sizeof(unsigned), .help = hlp },

#define TEST_ROW(sym, nm, reason, mde, life, hlp)                                                                \
	{ .section = "tests", .name = #nm, .kind = CONFIG_KIND_WORD, .words = "" CONFIG_TESTS, .def = mde,           \
	  .offset = offsetof(struct config_whole, sess.test[TEST_##sym].mode), .size = sizeof(unsigned), .help = hlp },
#define PASS_ROW(sym, nm, reason, mde, life, hlp)                                                                \
	{ .section = "passes", .name = #nm, .kind = CONFIG_KIND_SECONDS, .words = "", .def = life, .max = CONFIG_YEAR, \
	  .offset = offsetof(struct config_whole, sess.test[TEST_##sym].life_s), .size = sizeof(unsigned), .help = hlp },

/* The first reason, an operator's command, is never found in a session: config_rows starts behind it. */
_Static_assert(PST_RSN_OPERATOR == 0, "the row that is left out");
static const struct config_row all_rows[] = { PST_REASONS(POINT_ROW) TRIAGE_TESTS(TEST_ROW) TRIAGE_TESTS(PASS_ROW) CONFIG_ROWS(S_ROW, L_ROW) };
const struct config_row *const config_rows = all_rows + 1;
const size_t config_nrows = sizeof(all_rows) / sizeof(*all_rows) - 1;

#define SECTION_ROW(nm, mlt, hlp) { .name = nm, .multi = mlt, .help = hlp },
const struct config_section config_sections[] = { CONFIG_SECTIONS(SECTION_ROW) };
const size_t config_nsections = sizeof(config_sections) / sizeof(*config_sections);

/* --- the grammar: libconfuse ------------------------------------------------- */

/* libconfuse's callbacks take no context; set during config_parse() alone. */
static struct config_reader *reading;

/* How many edits lead from a to b: for "did you mean". Names are short. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[40], n = strlen(b);

	if (n >= 40)
		return 99;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (; *a; a++) {
		unsigned diagonal = row[0]++;

		for (unsigned j = 1; j <= n; j++) {
			unsigned best = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static unsigned line_now(const cfg_t *cfg)
{
	return reading->base + (unsigned)cfg->line;
}

static void unknown_setting(cfg_t *cfg, const char *name)
{
	const char *nearest = NULL, *place = strcmp(cfg->name, "root") ? cfg->name : "the top level";
	unsigned best = 4, d;
	char shown[64];

	for (cfg_opt_t *o = cfg->opts; o->name; o++) {
		d = distance(name, o->name);
		if (d < best && d < strlen(o->name)) {
			best = d;
			nearest = o->name;
		}
	}
	str_escape(str_of(name), shown, sizeof(shown));
	if (nearest)
		config_err(reading, reading->path, line_now(cfg), "unknown setting \"%s\" in %s; did you mean \"%s\"?", shown, place, nearest);
	else
		config_err(reading, reading->path, line_now(cfg), "unknown setting \"%s\" in %s; `postern config show` lists them", shown, place);
}

static void grammar_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char what[256], shown[256];

	if (!strcmp(fmt, "no such option '%s'")) {
		unknown_setting(cfg, va_arg(ap, const char *));
		return;
	}
	vsnprintf(what, sizeof(what), fmt, ap);
	str_escape(str_of(what), shown, sizeof(shown));
	if (!strncmp(fmt, "found duplicate title", 21))
		config_err(reading, reading->path, line_now(cfg), "%s; names of a kind of section are unique", shown);
	else
		config_err(reading, reading->path, line_now(cfg),
			   "%s; expected name = value, name = { value, ... } or section { ... }", shown);
}

/* Stamps the value with its line. def.number of our options is otherwise unused: the line of the first value. */
static int stamp_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	size_t need = strlen(value) + 16;
	char *more, place[CONFIG_PLACE_MAX];

	if (opt->nvalues <= 1 && opt->def.number)
		config_err(reading, reading->path, line_now(cfg), "%s is set twice, first in %s; set it once%s", opt->name,
			   config_place(reading, (unsigned)opt->def.number, place), opt->flags & CFGF_LIST ? ", append with +=" : "");
	if (!opt->def.number)
		opt->def.number = line_now(cfg);
	if (need > reading->stamp_size) {
		more = realloc(reading->stamp, need);
		if (!more) {
			reading->no_memory = true;
			return -1;
		}
		reading->stamp = more;
		reading->stamp_size = need;
	}
	snprintf(reading->stamp, need, "%u:%s", line_now(cfg), value);
	*(const char **)result = reading->stamp;
	return 0;
}

static void option_of(const struct config_row *row, cfg_opt_t *out)
{
	const cfg_opt_t scalar = CFG_STR_CB(row->name, NULL, CFGF_NONE, stamp_value);
	const cfg_opt_t list = CFG_STR_LIST_CB(row->name, NULL, CFGF_NONE, stamp_value);

	memcpy(out, config_is_list(row->kind) ? &list : &scalar, sizeof(*out));
}

/* The options of one section, ended by CFG_END. libconfuse copies them. */
static void options_of(const struct config_section *s, cfg_opt_t *out)
{
	const cfg_opt_t end = CFG_END();

	for (size_t i = 0; i < config_nrows; i++)
		if (!strcmp(config_rows[i].section, s->name))
			option_of(&config_rows[i], out++);
	memcpy(out, &end, sizeof(end));
}

#define NSECTIONS (sizeof(config_sections) / sizeof(*config_sections))
#define NROWS	  (sizeof(all_rows) / sizeof(*all_rows))

static cfg_t *grammar(void)
{
	cfg_opt_t top[NROWS + NSECTIONS], sub[NSECTIONS][NROWS];
	const cfg_opt_t end = CFG_END();
	size_t n = 0;

	options_of(&config_sections[0], top);
	while (top[n].name)
		n++;
	for (size_t i = 1; i < config_nsections; i++) {
		const struct config_section *s = &config_sections[i];
		const cfg_opt_t sec = CFG_SEC(s->name, sub[i], s->multi ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE);

		options_of(s, sub[i]);
		memcpy(&top[n++], &sec, sizeof(sec));
	}
	memcpy(&top[n], &end, sizeof(end));
	return cfg_init(top, CFGF_NONE);
}

/* Sections that have no setting are known by the line that the parser gave them: of this file, too. */
static void number_sections(cfg_t *cfg, unsigned base)
{
	for (size_t i = 1; i < config_nsections; i++)
		for (unsigned k = 0; config_sections[i].multi && k < cfg_size(cfg, config_sections[i].name); k++) {
			cfg_t *sec = cfg_getnsec(cfg, config_sections[i].name, k);

			if ((unsigned)sec->line < CONF_FILE_LINES)
				sec->line += (int)base;
		}
}

/* libconfuse counts a comment twice. */
static unsigned lines_of(const char *text)
{
	unsigned n = 1;

	while ((text = strchr(text, '\n')) && *++text)
		n++;
	return n;
}

static bool parse_one(struct config_reader *r, cfg_t *cfg, unsigned file)
{
	char *text = config_text(r, r->file[file]);
	int rc = CFG_PARSE_ERROR;

	if (!text)
		return false;
	if (!config_closed(r, r->file[file], text)) {
		free(text);
		return false;
	}
	r->base = file * CONF_FILE_LINES;
	rc = cfg_parse_buf(cfg, text);
	if (!file)
		r->last_line = lines_of(text);
	else
		number_sections(cfg, r->base);
	if (rc != CFG_SUCCESS && !r->errors)
		config_err(r, r->path, r->base + (unsigned)cfg->line, "%s", "cannot be parsed; see postern.conf(5)");
	free(text);
	return rc == CFG_SUCCESS;
}

/* NULL after having said why. */
static cfg_t *config_parse(struct config_reader *r)
{
	cfg_t *cfg = config_files(r) ? grammar() : NULL;
	bool good = cfg;

	if (!cfg && !r->errors)
		r->no_memory = true;
	reading = r;
	if (cfg)
		cfg_set_error_function(cfg, grammar_error);
	for (unsigned i = 0; good && i < r->nfiles; i++)
		good = parse_one(r, cfg, i);
	reading = NULL;
	if (cfg && !good) {
		cfg_free(cfg);
		cfg = NULL;
	}
	free(r->stamp);
	r->stamp = NULL;
	r->stamp_size = 0;
	return cfg;
}

/* --- from texts to the struct -------------------------------------------------- */

static const char *own_hostname(struct config_reader *r)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) || !mailbox_is_domain(str_of(name)))
		config_err(r, r->path, r->last_line, "hostname is not set and the system's, \"%s\", is none; set one like \"mx.example.org\"", name);
	return config_keep(r, name);
}

static struct config_item item_of(struct config_reader *r, cfg_opt_t *o, unsigned i, const char *where)
{
	char *text;
	unsigned long line = strtoul(cfg_opt_getnstr(o, i), &text, 10);

	return (struct config_item){ text + 1, r->file[line / CONF_FILE_LINES], conf_line(line), where };
}

static void show_setting(struct config_reader *r, const struct config_row *row, const char *title, cfg_opt_t *o)
{
	struct config_shown s = { .row = row, .title = title, .value = row->def, .set = o->flags & CFGF_MODIFIED };
	unsigned n = s.set ? cfg_opt_size(o) : 0;
	size_t size = 1, used = 0;
	char *text;

	for (unsigned i = 0; i < n; i++)
		size += strlen(cfg_opt_getnstr(o, i)) + 4;
	text = calloc(1, size);
	if (!text) {
		r->no_memory = true;
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct config_item it = item_of(r, o, i, "");

		s.line = s.line ? s.line : it.line;
		s.file = it.file;
		used += snprintf(text + used, size - used, config_is_list(row->kind) ? "%s\"%s\"" : "%s%s", i ? ", " : "", it.text);
	}
	if (s.set)
		s.value = text;
	r->show(r->ctx, &s);
	free(text);
}

/* The values of a setting as written, or its default. Returns how many; none leaves the member alone. */
static size_t items_of(struct config_reader *r, const struct config_row *row, cfg_opt_t *o, const char *where, struct config_item *items)
{
	size_t n = o->flags & CFGF_MODIFIED ? cfg_opt_size(o) : 0;

	for (size_t i = 0; i < n; i++)
		items[i] = item_of(r, o, i, where);
	if (n && !config_is_list(row->kind) && !*row->def && !*items[0].text)
		return 0; /* the default, written out */
	if (!(o->flags & CFGF_MODIFIED) && *row->def) {
		items[0] = (struct config_item){ row->def, r->path, r->last_line, where };
		n = 1;
	}
	return n;
}

static void take_setting(struct config_reader *r, cfg_t *sec, const struct config_row *row, void *base)
{
	cfg_opt_t *o = cfg_getopt(sec, row->name);
	const char *title = cfg_title(sec);
	struct config_item *items;
	char where[96];
	size_t n;

	if (r->show) {
		show_setting(r, row, title, o);
		return;
	}
	items = calloc(cfg_opt_size(o) + 1, sizeof(*items));
	if (!items) {
		r->no_memory = true;
		return;
	}
	snprintf(where, sizeof(where), title ? "%s \"%s\": %s" : *row->section ? "%s: %.0s%s" : "%s%.0s%s", row->section, title ? title : "",
		 row->name);
	n = items_of(r, row, o, where, items);
	if (n || config_is_list(row->kind))
		config_store(r, row, items, n, base);
	free(items);
}

static void take_section(struct config_reader *r, cfg_t *sec, const char *section, void *base)
{
	for (size_t i = 0; i < config_nrows && !r->no_memory; i++)
		if (!strcmp(config_rows[i].section, section))
			take_setting(r, sec, &config_rows[i], base);
}

unsigned config_line(const struct config_reader *r, const char *section, const char *name)
{
	cfg_opt_t *o = cfg_getopt(*section ? cfg_getsec(r->parsed, section) : r->parsed, name);

	return o->def.number ? o->def.number : r->last_line;
}

/* Where a titled section is: the line of its first setting, or of its end when it has none. */
static unsigned section_line(cfg_t *sec)
{
	long line = 0;

	for (cfg_opt_t *o = sec->opts; o->name; o++)
		if (o->def.number && (!line || o->def.number < line))
			line = o->def.number;
	return line ? line : sec->line;
}

/* All sections of one kind into an array of elements; each starts as a copy of model. */
static void *take_titled(struct config_reader *r, cfg_t *cfg, const char *section, const void *model, size_t element, size_t *n)
{
	char *v;

	*n = cfg_size(cfg, section);
	v = config_alloc(r, (*n + 1) * element);
	for (size_t i = 0; v && i < *n; i++) {
		memcpy(v + i * element, model, element);
		take_section(r, cfg_getnsec(cfg, section, i), section, v + i * element);
	}
	return v;
}

static const char *title_of(struct config_reader *r, cfg_t *cfg, const char *section, size_t i)
{
	return config_keep(r, cfg_title(cfg_getnsec(cfg, section, i)));
}

#define NAME_ALL(section, array, n)                                                         \
	for (size_t i = 0; array && i < n; i++) {                                           \
		array[i].name = title_of(r, cfg, section, i);                               \
		array[i].line = section_line(cfg_getnsec(cfg, section, i));                 \
	}

static void name_titled(struct config_reader *r, cfg_t *cfg, struct conf *c)
{
	NAME_ALL("listener", c->listener, c->nlisteners)
	NAME_ALL("certificate", c->certificate, c->ncertificates)
	NAME_ALL("backend", c->backend, c->nbackends)
	NAME_ALL("list", c->list, c->nlists)
}

static int by_key(const void *a, const void *b)
{
	return sender_order(((const struct sender_rule *)a)->key, ((const struct sender_rule *)b)->key);
}

static void sort_keys(const struct sender_list *l)
{
	if (l->nrules)
		qsort((void *)l->rule, l->nrules, sizeof(*l->rule), by_key);
}

/* Sorted: a list is searched for every sender. */
static struct sender_list *take_senders(struct config_reader *r, cfg_t *cfg, size_t *n)
{
	struct sender_list *v = take_titled(r, cfg, "sender", &(struct sender_list){ 0 }, sizeof(*v), n);

	for (size_t i = 0; v && i < *n; i++) {
		v[i].name = title_of(r, cfg, "sender", i);
		v[i].line = section_line(cfg_getnsec(cfg, "sender", i));
		sort_keys(&v[i]);
	}
	return v;
}

static const char *const *keep_files(struct config_reader *r)
{
	const char **kept = config_alloc(r, CONF_FILES_MAX * sizeof(*kept));

	for (unsigned i = 0; kept && i < r->nfiles; i++)
		kept[i] = config_keep(r, r->file[i]);
	return kept;
}

static void place_list(struct config_reader *r, cfg_t *cfg, const char *section, struct access_list *l)
{
	unsigned line = section_line(cfg_getsec(cfg, section));

	l->file = config_keep(r, r->file[line / CONF_FILE_LINES]);
	l->line = conf_line(line);
}

static void take_whole(struct config_reader *r, cfg_t *cfg, struct config_whole *w)
{
	struct conf *c = &w->conf;
	struct conf_listener listener = { 0 };
	struct conf_route *route;
	struct conf_zone *zone;
	size_t nroutes, nzones;

	for (size_t i = 0; i < config_nsections; i++) {
		const struct config_section *s = &config_sections[i];

		if (!s->multi)
			take_section(r, *s->name ? cfg_getsec(cfg, s->name) : cfg, s->name, w);
	}
	if (!w->sess.hostname || !*w->sess.hostname)
		w->sess.hostname = own_hostname(r);
	if (!w->conf.refuse.hostname || !*w->conf.refuse.hostname)
		w->conf.refuse.hostname = w->sess.hostname;
	if (!w->conf.refuse.url)
		w->conf.refuse.url = "";
	w->sess.relay = &c->relay;
	w->sess.name_timeout_s = c->dns.timeout_s;
	w->sess.senders = &c->senders;
	w->sess.accounts = &c->accounts;
	c->test = w->sess.test;
	w->sess.grey = &c->grey;
	w->sess.dnsl = &c->dnsl.rules;
	sort_keys(&c->grey.exempt_recipients);
	sort_keys(&c->grey.exempt_senders);
	listener.sess = w->sess;
	c->path = config_keep(r, r->path);
	c->listener = take_titled(r, cfg, "listener", &listener, sizeof(listener), &c->nlisteners);
	c->certificate = take_titled(r, cfg, "certificate", &(struct conf_certificate){ 0 }, sizeof(*c->certificate), &c->ncertificates);
	c->backend = take_titled(r, cfg, "backend", &(struct conf_backend){ 0 }, sizeof(*c->backend), &c->nbackends);
	w->conf.senders.list = take_senders(r, cfg, &c->senders.nlists);
	c->list = take_titled(r, cfg, "list", &(struct conf_list){ 0 }, sizeof(*c->list), &c->nlists);
	route = take_titled(r, cfg, "route", &(struct conf_route){ 0 }, sizeof(*route), &nroutes);
	zone = take_titled(r, cfg, "zone", &(struct conf_zone){ 0 }, sizeof(*zone), &nzones);
	name_titled(r, cfg, c);
	NAME_ALL("route", route, nroutes)
	NAME_ALL("zone", zone, nzones)
	c->file = keep_files(r);
	place_list(r, cfg, "connect", &c->relay.connect);
	place_list(r, cfg, "relay", &c->relay.relay);
	config_relay(r, c, route, nroutes);
	config_dnsl(r, c, zone, nzones);
}

/* Only names and values as written: for `config show`. */
static void show_whole(struct config_reader *r, cfg_t *cfg)
{
	for (size_t i = 0; i < config_nsections; i++) {
		const struct config_section *s = &config_sections[i];

		if (!*s->name)
			take_section(r, cfg, s->name, NULL);
		for (unsigned n = 0; *s->name && n < cfg_size(cfg, s->name); n++)
			take_section(r, cfg_getnsec(cfg, s->name, n), s->name, NULL);
	}
}

/* --- the doors ------------------------------------------------------------------- */

static int config_end(struct config_reader *r)
{
	if (r->no_memory)
		config_err(r, r->path, 1, "%s", "out of memory; nothing was changed");
	if (!r->errors)
		return 0;
	config_free_chunks(r->chunks);
	return -EINVAL;
}

/* NULL after having said why; what is returned is owned by r->chunks. */
static struct config_whole *config_whole(struct config_reader *r)
{
	struct config_whole *w = config_alloc(r, sizeof(*w));
	cfg_t *cfg = w ? config_parse(r) : NULL;

	if (cfg) {
		r->parsed = cfg;
		take_whole(r, cfg, w);
		if (!r->no_memory)
			config_check(r, w);
		if (r->warn && !r->errors)
			config_advise(r, &w->conf);
		cfg_free(cfg);
	}
	return config_end(r) ? NULL : w;
}

int config_read(const char *path, struct conf **out, void (*err)(void *ctx, const char *message), void *ctx)
{
	struct config_reader r = { .path = path, .err = err, .ctx = ctx };
	struct config_whole *w = config_whole(&r);

	if (!w)
		return -EINVAL;
	w->conf.owner = r.chunks;
	*out = &w->conf;
	return 0;
}

int config_verify(const char *path, void (*err)(void *ctx, const char *message), void (*warn)(void *ctx, const char *message), void *ctx)
{
	struct config_reader r = { .path = path, .lists = true, .err = err, .warn = warn, .ctx = ctx };

	if (!config_whole(&r))
		return -EINVAL;
	config_free_chunks(r.chunks);
	return 0;
}

void config_free(struct conf *c)
{
	if (c)
		config_free_chunks(c->owner);
}

int config_show(const char *path, void (*show)(void *ctx, const struct config_shown *),
		void (*err)(void *ctx, const char *message), void *ctx)
{
	struct config_reader r = { .path = path, .err = err, .show = show, .ctx = ctx };
	cfg_t *cfg = config_parse(&r);
	int rc;

	if (cfg) {
		show_whole(&r, cfg);
		cfg_free(cfg);
	}
	rc = config_end(&r);
	if (!rc)
		config_free_chunks(r.chunks);
	return rc;
}
