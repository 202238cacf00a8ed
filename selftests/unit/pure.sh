#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# pure.sh: the core (user/core) has no descriptor, no clock, no memory of its own and no output. What it may call is listed here;
# any other undefined symbol fails by the name of its object. So does writable data: the core has no global that changes.
# `pure.sh --self-test` proves on an impure object that the check can fail.
set -u
O=${O:-build}
CC=${CC:-gcc}

# The C library's, and what the compiler calls by itself (stack protector, _FORTIFY_SOURCE, position-independent code).
allowed='
memchr memcmp memcpy memmove memset
strchr strcmp strlen strncmp strnlen strrchr
__memcpy_chk __memmove_chk __memset_chk
__stack_chk_fail __stack_chk_guard _GLOBAL_OFFSET_TABLE_
'

# impurities LIBRARY: one line for every offence
impurities() {
	nm -A -f sysv "$1" | awk -F'|' -v allowed="$allowed" '
		BEGIN { n = split(allowed, a, /[ \n]+/); for (i = 1; i <= n; i++) ok[a[i]] = 1 }
		NF < 7 { next }
		{
			n = split($1, where, ":"); object = where[n - 1]; name = where[n]
			kind = $3; section = $7
			gsub(/ /, "", name); gsub(/ /, "", kind)
		}
		kind == "U" { wanted[object ": calls " name] = name; next }
		kind ~ /[A-Z]/ { ok[name] = 1 } # defined here: another object of the core may use it
		section ~ /^\.(data|bss|tdata|tbss)|COM/ && section !~ /^\.data\.rel\.ro/ { data[object ": " name " is writable data"] = 1 }
		END {
			for (line in wanted) if (!(wanted[line] in ok)) print line
			for (line in data) print line
		}' | sort
}

self_test() {
	dir=$(mktemp -d) || exit 1
	trap 'rm -rf "$dir"' EXIT
	cat >"$dir/impure.c" <<-'C'
		#include <stdlib.h>
		#include <time.h>
		int counter;
		__thread int own;
		static int hidden = 1;
		const char *const words[] = { "constant", "data", "is", "fine" };
		void *impure(void) { return malloc(time(0) + counter++ + hidden++ + own++); }
	C
	"$CC" -O2 -fPIE -c "$dir/impure.c" -o "$dir/impure.o" && ar rcs "$dir/lib.a" "$dir/impure.o" || exit 1
	found=$(impurities "$dir/lib.a" | tr '\n' ',')
	want='impure.o: calls malloc,impure.o: calls time,impure.o: counter is writable data,impure.o: hidden is writable data,impure.o: own is writable data,'
	[ "$found" = "$want" ] || {
		echo "pure: the check itself is broken: found \"$found\""
		exit 1
	}
}

self_test
[ "${1:-}" = --self-test ] && exit 0
[ -f "$O/libcore.a" ] || {
	echo "pure: $O/libcore.a is not built: make $O/libcore.a" >&2
	exit 1
}
offences=$(impurities "$O/libcore.a")
[ -z "$offences" ] || {
	echo "user/core is not pure:"
	echo "$offences"
	exit 1
}
echo "user/core is pure: $(nm -A "$O/libcore.a" | cut -d: -f2 | sort -u | wc -l) objects"
