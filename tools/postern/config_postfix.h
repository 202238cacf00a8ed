/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_POSTFIX_H
#define CONFIG_POSTFIX_H

struct args;

/* `config from-postfix [FOLDER]`: prints a configuration made of FOLDER/main.cf; nothing is written, and of Postfix nothing is changed. */
int config_from_postfix(struct args *a);

#endif
