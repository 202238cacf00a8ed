/* SPDX-License-Identifier: BSD-2-Clause */
/* test_siphash.c: bpf/siphash.h against the authors' vectors, and it and user/core/hash.h against OpenSSL's own SipHash. */
#include "unit.h"

#include <openssl/evp.h>
#include <string.h>

#include "bpf/siphash.h"
#include "rnd.h"
#include "user/core/hash.h"

#define KEY_LO 0x0706050403020100ull /* the vectors' key: octets 0, 1, ... 15 */
#define KEY_HI 0x0f0e0d0c0b0a0908ull

/* Of octets 0, 1, 2, ...: the entries of the authors' table whose length is a multiple of 8. */
static void authors_vectors(void **state)
{
	static const __u8 want[][8] = {
		{ 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 },
		{ 0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93 },
		{ 0xdb, 0x9b, 0xc2, 0x57, 0x7f, 0xcc, 0x2a, 0x3f },
	};
	static const __u64 key[2] = { KEY_LO, KEY_HI };
	__u8 in[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (__u8)i;
	for (unsigned n = 0; n < NROWS(want); n++) {
		__u64 word[8], got;

		memcpy(word, in, sizeof(word));
		got = siphash_24(key, word, (int)n);
		assert_memory_equal(&got, want[n], 8);
	}
}

static __u64 openssl_siphash(const __u64 key[2], const void *in, size_t n, unsigned c, unsigned d)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t size = 8, got;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t("size", &size),
		OSSL_PARAM_construct_uint("c-rounds", &c),
		OSSL_PARAM_construct_uint("d-rounds", &d),
		OSSL_PARAM_construct_end(),
	};
	__u64 out;

	assert_int_equal(EVP_MAC_init(ctx, (const void *)key, 16, params), 1);
	assert_int_equal(EVP_MAC_update(ctx, in, n), 1);
	assert_int_equal(EVP_MAC_final(ctx, (void *)&out, &got, sizeof(out)), 1);
	assert_int_equal(got, 8);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return out;
}

static void another_implementation(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		__u64 key[2] = { rnd(), rnd() }, word[31];
		unsigned n = rnd_below(NROWS(word) + 1);

		for (unsigned i = 0; i < n; i++)
			word[i] = rnd();
		assert_int_equal(siphash_24(key, word, (int)n), openssl_siphash(key, word, n * 8, 2, 4));
		assert_int_equal(siphash_13(key, word, (int)n), openssl_siphash(key, word, n * 8, 1, 3));
	}
}

/* user/core/hash.h, which takes bytes. */
static void of_bytes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 600; n++) {
		__u64 key[2] = { rnd(), rnd() };
		__u8 in[600];

		for (unsigned i = 0; i < n; i++)
			in[i] = (__u8)rnd();
		assert_int_equal(hash_bytes(key, (struct str){ (const char *)in, n }), openssl_siphash(key, in, n, 2, 4));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authors_vectors),
		cmocka_unit_test(another_implementation),
		cmocka_unit_test(of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
