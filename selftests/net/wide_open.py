# SPDX-License-Identifier: BSD-2-Clause
"""Mail servers that trust everyone and relay everything: what leaves one behind the gate, the gate let through.

Mail for the gate's own domains goes to the Maildir "user", whoever the recipient; all other mail, wherever
it would go, to the Maildir "leaked". Each listens on a loopback port of its own.
"""

import mta
from mta import BOX_UID, HOME, MAIL

OURS = ("example.org", "mx.example.org")
SMTPD_UID, SMTPQ_UID = 64333, 64334


class Postfix(mta.Postfix):
    """Takes every spelling that Postfix has a switch for: percent hack, bang path, source routes."""

    ports, log = (10028,), f"{HOME}/wide_open.log"
    files = {
        "etc/postfix/main.cf": f"""
compatibility_level = 3.6
myhostname = mx.example.org
mydestination = {" ".join(OURS)}
inet_interfaces = loopback-only
mynetworks = 0.0.0.0/0 [::]/0
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
smtpd_reject_unlisted_recipient = no
allow_percent_hack = yes
swap_bangpath = yes
allow_untrusted_routing = yes
strict_rfc821_envelopes = no
default_transport = virtual
local_transport = virtual
virtual_transport = virtual
virtual_mailbox_base = {MAIL}
local_recipient_maps =
virtual_mailbox_maps = regexp:/etc/postfix/boxes
virtual_uid_maps = static:{BOX_UID}
virtual_gid_maps = static:{BOX_UID}
virtual_minimum_uid = 1000
virtual_mailbox_limit = 0
message_size_limit = 100000000
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
in_flow_delay = 0
alias_maps =
alias_database =
maillog_file = {HOME}/wide_open.log
maillog_file_prefixes = /run
""",
        "etc/postfix/boxes": "/@(mx\\.)?example\\.org$/ user/\n/./ leaked/\n",
        "etc/postfix/master.cf": "127.0.0.1:10028 inet n - n - - smtpd\n" + mta.MASTER_CF[mta.MASTER_CF.index("pickup"):],
    }

    def __init__(self, lab):
        super().__init__(lab)
        self.name = "wide-open Postfix"


class Exim(mta.Server):
    package, argv, ports = "exim4-daemon-light", ["/usr/sbin/exim4", "-bdf", "-q1m"], (10030,)
    # On a tmpfs without setuid programs it delivers as the user that it runs as.
    users, folders = {"Debian-exim": BOX_UID}, {"var/spool/exim4": BOX_UID, "var/log/exim4": BOX_UID}
    files = {"etc/exim4/exim4.conf": f"""
primary_hostname = mx.example.org
domainlist ours = {" : ".join(OURS)}
daemon_smtp_ports = 10030
local_interfaces = 127.0.0.1
tls_advertise_hosts =
host_lookup =
helo_lookup_domains =
rfc1413_query_timeout = 0s
keep_environment =
deliver_drop_privilege
percent_hack_domains = *
allow_domain_literals
recipient_unqualified_hosts = *
sender_unqualified_hosts = *
qualify_domain = example.org
smtp_accept_max = 0
message_size_limit = 100M
smtp_accept_max_per_connection = 10000
smtp_accept_queue_per_connection = 0
smtputf8_advertise_hosts = *
acl_smtp_rcpt = all
acl_smtp_data = all
begin acl
all:
  accept
begin routers
ours:
  driver = accept
  domains = +ours
  transport = ours
others:
  driver = accept
  transport = leaked
begin transports
ours:
  driver = appendfile
  directory = {MAIL}/user
  maildir_format
  create_directory
leaked:
  driver = appendfile
  directory = {MAIL}/leaked
  maildir_format
  create_directory
"""}


class OpenSMTPD(mta.Server):
    package, argv, ports = "opensmtpd", ["/usr/sbin/smtpd", "-d", "-f", "/etc/wide-open.conf"], (10031,)
    users = {"opensmtpd": SMTPD_UID, "opensmtpq": SMTPQ_UID, "box": BOX_UID}
    folders = {"var/spool/smtpd": 0, "var/lib/opensmtpd/empty": 0}
    files = {"etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", "etc/wide-open.conf": f"""
smtp max-message-size 100M
table everyone {{ "@" = "box" }}
listen on 127.0.0.1 port 10031 hostname mx.example.org
action "ours" maildir "{MAIL}/user" virtual <everyone>
action "others" maildir "{MAIL}/leaked" virtual <everyone>
match from any for domain {{ {", ".join(f'"{name}"' for name in OURS)} }} action "ours"
match from any for any action "others"
"""}


SERVERS = (Postfix, Exim, OpenSMTPD)
