/* SPDX-License-Identifier: BSD-2-Clause */
/* test_resolve.c: what answers of DNS say, and the table of names. The lookups themselves meet a real resolver in selftests/net. */
#include "unit.h"

#include <arpa/nameser.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/addr.h"
#include "user/resolve.h"

static struct pst_addr addr(const char *text)
{
	struct pst_addr a;

	if (!addr_parse(str_of(text), &a))
		fail_msg("\"%s\" is an address", text);
	return a;
}

static void arpa_names(void **state)
{
	static const struct { const char *addr, *arpa; } rows[] = {
		{ "198.51.100.7", "7.100.51.198.in-addr.arpa" },
		{ "255.255.255.255", "255.255.255.255.in-addr.arpa" },
		{ "2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
	};
	char arpa[RESOLVE_ARPA_MAX];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_addr a = addr(rows[i].addr);

		resolve_arpa(&a, arpa);
		assert_string_equal(arpa, rows[i].arpa);
	}
}

/* A message while it is written. */
struct message {
	unsigned char b[2048];
	int n;
};

static void put16(struct message *m, unsigned v)
{
	m->b[m->n++] = (unsigned char)(v >> 8);
	m->b[m->n++] = (unsigned char)v;
}

static void put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		m->b[m->n++] = (unsigned char)n;
		memcpy(m->b + m->n, name, n);
		m->n += (int)n;
		name += n + (name[n] == '.');
	}
	m->b[m->n++] = 0;
}

static void begin(struct message *m, unsigned answers, unsigned authorities)
{
	memset(m, 0, sizeof(*m));
	put16(m, 1);
	put16(m, 0x8180);
	put16(m, 1);
	put16(m, answers);
	put16(m, authorities);
	put16(m, 0);
	put_name(m, "7.100.51.198.in-addr.arpa");
	put16(m, ns_t_ptr);
	put16(m, ns_c_in);
}

/* data: a name, or an address for A and AAAA. */
static void put_record(struct message *m, const char *owner, unsigned type, unsigned ttl_s, const char *data)
{
	struct pst_addr a;
	int size_at;

	put_name(m, owner);
	put16(m, type);
	put16(m, ns_c_in);
	put16(m, ttl_s >> 16);
	put16(m, ttl_s & 0xffff);
	size_at = m->n;
	put16(m, 0);
	if (type == ns_t_a || type == ns_t_aaaa) {
		a = addr(data);
		memcpy(m->b + m->n, a.b + (type == ns_t_a ? 12 : 0), type == ns_t_a ? 4 : 16);
		m->n += type == ns_t_a ? 4 : 16;
	} else {
		put_name(m, data);
	}
	if (type == ns_t_soa) { /* the other name, and five numbers; the last one is 30 */
		put_name(m, "hostmaster.example");
		for (int i = 0; i < 10; i++)
			put16(m, i == 9 ? 30 : i < 8);
	}
	m->b[size_at] = (unsigned char)((m->n - size_at - 2) >> 8);
	m->b[size_at + 1] = (unsigned char)(m->n - size_at - 2);
}

static void names_of_an_address(void **state)
{
	struct resolve_names names;
	struct message m;

	(void)state;
	begin(&m, 7, 0); /* delegated by CNAME (RFC 2317); only host names count, four at most */
	put_record(&m, "7.100.51.198.in-addr.arpa", ns_t_cname, 500, "7.0-15.100.51.198.in-addr.arpa");
	put_record(&m, "7.0-15.100.51.198.in-addr.arpa", ns_t_ptr, 400, "MX.Example.NET");
	put_record(&m, "7.0-15.100.51.198.in-addr.arpa", ns_t_ptr, 300, "two words.example.net");
	put_record(&m, "7.0-15.100.51.198.in-addr.arpa", ns_t_ptr, 450, "x\r\nRCPT.example.net");
	put_record(&m, "7.0-15.100.51.198.in-addr.arpa", ns_t_ptr, 450, "b.example.net");
	put_record(&m, "7.0-15.100.51.198.in-addr.arpa", ns_t_ptr, 450, "c.example.net");
	put_record(&m, "7.0-15.100.51.198.in-addr.arpa", ns_t_ptr, 450, "under_score.example.net");
	resolve_read_names(m.b, m.n, &names);
	assert_int_equal(names.n, 3);
	assert_string_equal(names.name[0], "mx.example.net");
	assert_string_equal(names.name[2], "c.example.net");
	assert_int_equal(names.ttl_s, 300);

	begin(&m, 6, 0);
	for (int i = 0; i < 6; i++)
		put_record(&m, "7.100.51.198.in-addr.arpa", ns_t_ptr, 60, "a.example.net");
	resolve_read_names(m.b, m.n, &names);
	assert_int_equal(names.n, RESOLVE_NAMES_MAX);
}

/* How long a denial is kept: RFC 2308. */
static void denials(void **state)
{
	struct resolve_names names;
	struct message m;

	(void)state;
	begin(&m, 0, 1);
	put_record(&m, "100.51.198.in-addr.arpa", ns_t_soa, 900, "ns.example");
	resolve_read_names(m.b, m.n, &names);
	assert_int_equal(names.n, 0);
	assert_int_equal(names.ttl_s, 30);
	begin(&m, 0, 1);
	put_record(&m, "100.51.198.in-addr.arpa", ns_t_soa, 20, "ns.example");
	resolve_read_names(m.b, m.n, &names);
	assert_int_equal(names.ttl_s, 20);
	begin(&m, 0, 0);
	resolve_read_names(m.b, m.n, &names);
	assert_int_equal(names.ttl_s, 60);
	resolve_read_names(NULL, 0, &names);
	assert_int_equal(names.n, 0);
	assert_int_equal(names.ttl_s, 0);
}

static void addresses_of_a_name(void **state)
{
	const struct pst_addr four = addr("198.51.100.7"), six = addr("2001:db8::7"), other = addr("198.51.100.8");
	struct message m;
	unsigned ttl_s;

	(void)state;
	begin(&m, 4, 0);
	put_record(&m, "mx.example.net", ns_t_cname, 100, "a.example.net");
	put_record(&m, "a.example.net", ns_t_a, 200, "198.51.100.9");
	put_record(&m, "a.example.net", ns_t_a, 0x80000000, "198.51.100.7"); /* RFC 2181: such a TTL is 0 */
	put_record(&m, "a.example.net", ns_t_aaaa, 200, "2001:db8::7");
	assert_true(resolve_has_addr(m.b, m.n, &four, &ttl_s));
	assert_int_equal(ttl_s, 0);
	assert_true(resolve_has_addr(m.b, m.n, &six, &ttl_s));
	assert_false(resolve_has_addr(m.b, m.n, &other, &ttl_s));
	assert_false(resolve_has_addr(NULL, 0, &four, &ttl_s));
}

static void addresses_of_a_list(void **state)
{
	unsigned char got[RESOLVE_ADDRS_MAX][4];
	struct message m;
	unsigned ttl_s;
	size_t n;

	(void)state;
	begin(&m, 4, 0);
	put_record(&m, "2.0.0.127.bl.example", ns_t_cname, 100, "a.bl.example");
	put_record(&m, "a.bl.example", ns_t_a, 200, "127.0.0.2");
	put_record(&m, "a.bl.example", ns_t_aaaa, 50, "2001:db8::7");
	put_record(&m, "a.bl.example", ns_t_a, 300, "127.0.0.10");
	assert_true(resolve_read_addrs(m.b, m.n, got, &n, &ttl_s));
	assert_int_equal(n, 2);
	assert_memory_equal(got, "\177\0\0\2\177\0\0\12", 8);
	assert_int_equal(ttl_s, 50);
	begin(&m, RESOLVE_ADDRS_MAX + 3, 0);
	for (unsigned i = 0; i < RESOLVE_ADDRS_MAX + 3; i++)
		put_record(&m, "a.bl.example", ns_t_a, 300, "127.0.0.10");
	assert_true(resolve_read_addrs(m.b, m.n, got, &n, &ttl_s));
	assert_int_equal(n, RESOLVE_ADDRS_MAX);
	begin(&m, 0, 1);
	put_record(&m, "bl.example", ns_t_soa, 900, "ns.example");
	assert_true(resolve_read_addrs(m.b, m.n, got, &n, &ttl_s));
	assert_int_equal(n, 0);
	assert_true(ttl_s > 0 && ttl_s <= 900);
	assert_false(resolve_read_addrs(m.b, m.n - 1 > 12 ? 13 : 0, got, &n, &ttl_s)); /* cut */
	assert_false(resolve_read_addrs(NULL, 0, got, &n, &ttl_s));
	assert_int_equal(n + ttl_s, 0);
}

/* Cut anywhere and with any byte changed: never a read past the end (each message has a block of its own), never an endless loop. */
static void torn_and_changed(void **state)
{
	const struct pst_addr four = addr("198.51.100.7");
	unsigned char list[RESOLVE_ADDRS_MAX][4];
	struct resolve_names names;
	struct message m;
	unsigned ttl_s;
	size_t nlist;

	(void)state;
	begin(&m, 3, 1);
	put_record(&m, "7.100.51.198.in-addr.arpa", ns_t_cname, 500, "7.0-15.100.51.198.in-addr.arpa");
	put_record(&m, "7.0-15.100.51.198.in-addr.arpa", ns_t_ptr, 400, "mx.example.net");
	put_record(&m, "mx.example.net", ns_t_a, 400, "198.51.100.7");
	put_record(&m, "100.51.198.in-addr.arpa", ns_t_soa, 900, "ns.example");
	for (int round = 0; round < 200000; round++) {
		int n = (int)rnd_below((unsigned)m.n + 1);
		unsigned char *copy = malloc((size_t)n + 1);

		memcpy(copy, m.b, (size_t)n);
		for (unsigned i = rnd_below(4); n && i; i--)
			copy[rnd_below((unsigned)n)] = (unsigned char)rnd();
		copy = realloc(copy, n ? (size_t)n : 1);
		resolve_read_names(copy, n, &names);
		assert_true(names.n <= RESOLVE_NAMES_MAX);
		for (unsigned i = 0; i < names.n; i++)
			assert_true(mailbox_is_domain(str_of(names.name[i])));
		resolve_has_addr(copy, n, &four, &ttl_s);
		resolve_read_addrs(copy, n, list, &nlist, &ttl_s);
		assert_true(nlist <= RESOLVE_ADDRS_MAX);
		free(copy);
	}
}

#define MODEL 64

/* Against a plain table that forgets nothing: what is found is what was put last, and not past its time. */
static void cache_tells_no_lies(void **state)
{
	struct { char name[16]; __u64 until_ns; } model[MODEL] = { { "", 0 } };
	struct resolve_cache *c = resolve_cache_new(32, rnd());
	unsigned found = 0, wrong = 0;
	__u64 now_ns = 1;

	(void)state;
	for (int round = 0; round < 300000; round++) {
		unsigned i = rnd_below(MODEL);
		struct pst_addr a = addr("198.51.100.0");
		struct str name;
		enum sess_lack lack;

		a.b[15] = (__u8)i;
		now_ns += rnd_below(3);
		if (rnd_below(3)) {
			if (resolve_cache_find(c, &a, now_ns, &name, &lack)) {
				found++;
				wrong += lack != (enum sess_lack)(i % 3) || model[i].until_ns <= now_ns || !str_eq(name, str_of(model[i].name));
			}
			continue;
		}
		snprintf(model[i].name, sizeof(model[i].name), "n%u", rnd_below(1000));
		if (!rnd_below(4)) /* it has none */
			model[i].name[0] = 0;
		model[i].until_ns = now_ns + 1 + rnd_below(2000);
		resolve_cache_put(c, &a, str_of(model[i].name), (enum sess_lack)(i % 3), model[i].until_ns);
	}
	assert_int_equal(wrong, 0);
	assert_true(found > 60000); /* of 200000: half of the addresses fit */
	resolve_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arpa_names),
		cmocka_unit_test(names_of_an_address),
		cmocka_unit_test(denials),
		cmocka_unit_test(addresses_of_a_name),
		cmocka_unit_test(addresses_of_a_list),
		cmocka_unit_test(torn_and_changed),
		cmocka_unit_test(cache_tells_no_lies),
	};

	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
