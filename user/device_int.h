/* SPDX-License-Identifier: BSD-2-Clause */
/* device_int.h: parts of device_read() that have a file of their own. What cannot be learnt stays as it is. */
#ifndef DEVICE_INT_H
#define DEVICE_INT_H

#include "user/device.h"

/* device_ethtool.c: driver, queues, offloads */
void device_ethtool(struct device *d);
/* device_xdp.c: the kernel's netdev family */
void device_xdp_features(struct device *d);

#endif
