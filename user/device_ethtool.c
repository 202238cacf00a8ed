/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/device_int.h"

#define FEATURES_MAX 1024 /* of which Linux has about 64 */

static bool ask(int fd, const struct device *d, void *request)
{
	struct ifreq ifr = { .ifr_data = request };

	memcpy(ifr.ifr_name, d->name, sizeof(d->name));
	return !ioctl(fd, SIOCETHTOOL, &ifr);
}

static void read_queues(int fd, struct device *d)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };

	if (!ask(fd, d, &c))
		return;
	d->rx_queues = c.rx_count + c.combined_count;
	d->rx_queues_max = c.max_combined ? c.max_combined : c.max_rx;
}

static unsigned count_features(int fd, const struct device *d)
{
	union {
		struct ethtool_sset_info info;
		__u32 words[sizeof(struct ethtool_sset_info) / 4 + 1]; /* the count stands behind it */
	} sset = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES } };

	if (!ask(fd, d, &sset) || !sset.info.sset_mask || sset.info.data[0] > FEATURES_MAX)
		return 0;
	return sset.info.data[0];
}

static void take_feature(struct device *d, const char *name, const struct ethtool_get_features_block *b, unsigned bit)
{
	int *out = !strcmp(name, "rx-lro") ? &d->lro : !strcmp(name, "rx-gro-hw") ? &d->gro_hw : NULL;

	if (out && ((b->available | b->active) >> bit & 1))
		*out = b->active >> bit & 1;
}

static void read_features(int fd, struct device *d)
{
	unsigned n = count_features(fd, d), blocks = (n + 31) / 32;
	struct ethtool_gstrings *names = calloc(1, sizeof(*names) + (size_t)n * ETH_GSTRING_LEN);
	struct ethtool_gfeatures *f = calloc(1, sizeof(*f) + blocks * sizeof(f->features[0]));

	if (n && names && f) {
		*names = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = n };
		*f = (struct ethtool_gfeatures){ .cmd = ETHTOOL_GFEATURES, .size = blocks };
		if (ask(fd, d, names) && ask(fd, d, f)) {
			for (unsigned i = 0; i < n; i++) {
				char name[ETH_GSTRING_LEN + 1] = "";

				memcpy(name, names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
				take_feature(d, name, &f->features[i / 32], i % 32);
			}
		}
	}
	free(names);
	free(f);
}

void device_ethtool(struct device *d)
{
	struct ethtool_drvinfo drv = { .cmd = ETHTOOL_GDRVINFO };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (ask(fd, d, &drv))
		snprintf(d->driver, sizeof(d->driver), "%.31s", drv.driver);
	read_queues(fd, d);
	read_features(fd, d);
	close(fd);
}
