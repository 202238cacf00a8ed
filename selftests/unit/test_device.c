/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "user/probe.h"

static void names_the_right_device(void **state)
{
	static const struct {
		struct device d;
		bool elsewhere;
		const char *advice;
	} rows[] = {
		{ { .name = "eth0" }, false, "" },
		{ { .name = "veth0", .kind = "veth" }, false, "" },
		{ { .name = "eth0.5", .kind = "vlan", .parent = "eth0" }, true,
		  "attach to eth0 instead: the gate looks through VLAN tags there, and may run in its driver" },
		{ { .name = "mv0", .kind = "macvlan", .parent = "eth0" }, true,
		  "attach to eth0 instead: what mv0 gets comes in there, and the gate may run in its driver" },
		{ { .name = "bond0.5", .kind = "vlan", .parent = "bond0" }, true,
		  "attach to bond0 instead: the gate looks through VLAN tags there, and may run in its driver" },
		{ { .name = "eth1", .master = "bond0", .master_kind = "bond" }, true,
		  "attach to bond0 instead: eth1 is one of its members, and the others would be a way round" },
		{ { .name = "eth1", .master = "team0", .master_kind = "team" }, true,
		  "attach to team0 instead: eth1 is one of its members, and the others would be a way round" },
		{ { .name = "bond0", .kind = "bond" }, false, "" },
		{ { .name = "br0", .kind = "bridge" }, true,
		  "attach to its ports instead (bridge link show master br0): a bridge itself has no native mode" },
		{ { .name = "eth0", .master = "br0", .master_kind = "bridge" }, false,
		  "a port of bridge br0: what comes in by other ports is not seen here" },
		/* a VLAN whose parent is a member of something: one step at a time */
		{ { .name = "eth0.5", .kind = "vlan", .parent = "eth0", .master = "br0", .master_kind = "bridge" }, true,
		  "attach to eth0 instead: the gate looks through VLAN tags there, and may run in its driver" },
		{ { .name = "eth0", .master = "vrf1", .master_kind = "vrf" }, false, "" },
	};
	char advice[192];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		assert_int_equal(device_elsewhere(&rows[i].d, advice, sizeof(advice)), rows[i].elsewhere);
		assert_string_equal(advice, rows[i].advice);
	}
}

static void lists_other_programs(void **state)
{
	const struct device d = { .prog = { { 7, "gate", "native" }, { 9, "", "generic" }, { 12, "filter", "offload" } }, .nprogs = 3 };
	char text[96];

	(void)state;
	assert_int_equal(device_others(&d, 7, text, sizeof(text)), 2);
	assert_string_equal(text, "id 9 (?) generic, id 12 (filter) offload");
	assert_int_equal(device_others(&d, 0, text, sizeof(text)), 3);
	assert_int_equal(device_others(&(struct device){ 0 }, 0, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(device_others(&d, 0, text, 8), 3); /* cut, never written past */
	assert_string_equal(text, "id 7 (g");
}

static const struct probe *row(const struct probe *p, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(p[i].name, name))
			return &p[i];
	fail_msg("no row %s", name);
	return NULL;
}

static void says_what_to_do(void **state)
{
	static const struct {
		struct device d;
		const char *name;
		enum probe_state state;
		const char *found, *advice;
	} rows[] = {
		{ { .name = "e0", .mtu = 9000, .xdp_known = true, .xdp_features = DEVICE_XDP_BASIC }, "MTU", PROBE_BETTER, "9000",
		  "the driver takes packets in one buffer only: for native mode ip link set dev e0 mtu 3498, or less" },
		{ { .mtu = 9000, .xdp_known = true, .xdp_features = DEVICE_XDP_BASIC | DEVICE_XDP_RX_SG }, "MTU", PROBE_OK, "9000", "" },
		{ { .mtu = 9000, .xdp_known = true }, "MTU", PROBE_OK, "9000", "" }, /* generic mode takes any */
		{ { .mtu = 1500, .xdp_known = true, .xdp_features = DEVICE_XDP_BASIC }, "MTU", PROBE_OK, "1500", "" },
		{ { .name = "e0" }, "native XDP", PROBE_UNKNOWN, "the kernel does not tell (6.3 does)", "xdp_mode = auto tries, and `postern gate show` tells" },
		{ { .xdp_known = true }, "native XDP", PROBE_BETTER, "no",
		  "generic mode works, several times slower; a card whose driver has XDP runs it natively" },
		{ { .xdp_known = true, .xdp_features = 0x23 }, "native XDP", PROBE_OK, "yes, features 0x23", "" },
		{ { .name = "e0", .lro = 1 }, "LRO", PROBE_BETTER, "on",
		  "joined packets have no place in native mode: ethtool -K e0 lro off, if attaching fails" },
		{ { .lro = 0 }, "LRO", PROBE_OK, "off", "" },
		{ { .gro_hw = -1 }, "GRO in hardware", PROBE_OK, "has none", "" },
		{ { .name = "e0" }, "queues", PROBE_UNKNOWN, "does not tell", "" },
		{ { .name = "e0.5", .kind = "vlan", .parent = "e0" }, "place", PROBE_BETTER, "vlan on e0",
		  "attach to e0 instead: the gate looks through VLAN tags there, and may run in its driver" },
		{ { .driver = "veth" }, "driver", PROBE_OK, "veth", "" },
		{ { .name = "e0" }, "XDP programs", PROBE_OK, "none", "" },
	};
	struct probe p[PROBES_MAX];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		const struct probe *got = row(p, probe_device(&rows[i].d, p), rows[i].name);

		assert_int_equal(got->state, rows[i].state);
		assert_string_equal(got->found, rows[i].found);
		assert_string_equal(got->advice, rows[i].advice);
	}
}

static void lo_is_known(void **state)
{
	struct device d;

	(void)state;
	assert_int_equal(device_read("lo", &d), 0);
	assert_int_equal(d.ifindex, 1);
	assert_true(d.mtu > 0);
	assert_int_equal(device_read("no-such-dev", &d), -19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_right_device),
		cmocka_unit_test(lists_other_programs),
		cmocka_unit_test(says_what_to_do),
		cmocka_unit_test(lo_is_known),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
