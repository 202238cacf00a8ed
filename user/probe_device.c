/* SPDX-License-Identifier: BSD-2-Clause */
/* probe_device.c: what there is to say about one interface. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/probe.h"

#define MTU_ONE_BUFFER 3498 /* of a page, behind the head room that most drivers leave for XDP */

__attribute__((format(printf, 2, 3)))
static void found(struct probe *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->found, sizeof(p->found), fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 3, 4)))
static void advise(struct probe *p, enum probe_state s, const char *fmt, ...)
{
	va_list ap;

	p->state = s;
	va_start(ap, fmt);
	vsnprintf(p->advice, sizeof(p->advice), fmt, ap);
	va_end(ap);
}

static void place(const struct device *d, struct probe *p)
{
	if (*d->parent)
		found(p, "%s on %s", d->kind, d->parent);
	else if (*d->master)
		found(p, "member of %s (%s)", d->master, *d->master_kind ? d->master_kind : "?");
	else
		found(p, "%s", *d->kind ? d->kind : "of its own");
	if (device_elsewhere(d, p->advice, sizeof(p->advice)))
		p->state = PROBE_BETTER;
}

static void driver(const struct device *d, struct probe *p)
{
	found(p, "%s", *d->driver ? d->driver : "does not tell");
	p->state = *d->driver ? PROBE_OK : PROBE_UNKNOWN;
}

static void native(const struct device *d, struct probe *p)
{
	if (!d->xdp_known) {
		found(p, "the kernel does not tell (6.3 does)");
		advise(p, PROBE_UNKNOWN, "xdp_mode = auto tries, and `postern gate show` tells");
	} else if (d->xdp_features & DEVICE_XDP_BASIC) {
		found(p, "yes, features 0x%llx", (unsigned long long)d->xdp_features);
	} else {
		found(p, "no");
		advise(p, PROBE_BETTER, "generic mode works, several times slower; a card whose driver has XDP runs it natively");
	}
}

static void mtu(const struct device *d, struct probe *p)
{
	found(p, "%u", d->mtu);
	if (d->mtu > MTU_ONE_BUFFER && d->xdp_known && d->xdp_features & DEVICE_XDP_BASIC && !(d->xdp_features & DEVICE_XDP_RX_SG))
		advise(p, PROBE_BETTER, "the driver takes packets in one buffer only: for native mode ip link set dev %s mtu %d, or less", d->name, MTU_ONE_BUFFER);
}

static void queues(const struct device *d, struct probe *p)
{
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), want = d->rx_queues_max < cpus ? d->rx_queues_max : cpus;

	if (!d->rx_queues) {
		found(p, "does not tell");
		p->state = PROBE_UNKNOWN;
		return;
	}
	found(p, "%u for receiving, %u at most, %u CPUs", d->rx_queues, d->rx_queues_max, cpus);
	if (d->rx_queues < want)
		advise(p, PROBE_BETTER, "more CPUs could share a flood: ethtool -L %s combined %u", d->name, want);
}

static void offload(const struct device *d, struct probe *p, int on, const char *flag)
{
	found(p, "%s", on < 0 ? "has none" : on ? "on" : "off");
	if (on > 0)
		advise(p, PROBE_BETTER, "joined packets have no place in native mode: ethtool -K %s %s off, if attaching fails", d->name, flag);
}

static void lro(const struct device *d, struct probe *p)
{
	offload(d, p, d->lro, "lro");
}

static void gro_hw(const struct device *d, struct probe *p)
{
	offload(d, p, d->gro_hw, "rx-gro-hw");
}

static void programs(const struct device *d, struct probe *p)
{
	if (!device_others(d, 0, p->found, sizeof(p->found)))
		found(p, "none");
}

#define DEVICE_PROBES(X) \
	X("place", "route netlink", place) \
	X("driver", "ethtool", driver) \
	X("native XDP", "netdev netlink", native) \
	X("MTU", "route netlink", mtu) \
	X("queues", "ethtool", queues) \
	X("LRO", "ethtool", lro) \
	X("GRO in hardware", "ethtool", gro_hw) \
	X("XDP programs", "route netlink", programs)

size_t probe_device(const struct device *d, struct probe out[PROBES_MAX])
{
	static const struct {
		const char *name, *how;
		void (*ask)(const struct device *d, struct probe *p);
	} rows[] = {
#define PROBE_X(name, how, ask) { name, how, ask },
		DEVICE_PROBES(PROBE_X)
#undef PROBE_X
	};
	size_t n = sizeof(rows) / sizeof(*rows);

	for (size_t i = 0; i < n; i++) {
		out[i] = (struct probe){ .name = rows[i].name, .how = rows[i].how };
		rows[i].ask(d, &out[i]);
	}
	return n;
}
