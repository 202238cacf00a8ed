# SPDX-License-Identifier: BSD-2-Clause
"""Mail servers of the world, as senders: a queue each that talks to the gate, and a mailbox for what comes back."""

import contextlib
import os
import shutil
import smtplib
import subprocess

import mta
from lab import GATE4, HOME, LabError, stop, until, alive, children, run

FROM, TO = "sender@client.example", "user@example.org"

MAIN_CF = """
compatibility_level = 3.6
myhostname = client.example
mydestination =
inet_interfaces = loopback-only
inet_protocols = all
mynetworks = 127.0.0.0/8 [::1]/128
relayhost = [{gate}]
smtp_bind_address = {source4}
smtp_bind_address6 = {source6}
smtp_bind_address_enforce = yes
smtp_tls_security_level = none
smtp_helo_timeout = 5s
smtp_quit_timeout = 5s
smtp_connect_timeout = 10s
minimal_backoff_time = 2s
maximal_backoff_time = 2s
queue_run_delay = 2s
virtual_mailbox_domains = client.example
virtual_mailbox_base = {mail}
virtual_mailbox_maps = inline:{{ sender@client.example=bounces/ }}
virtual_minimum_uid = 1000
virtual_uid_maps = static:{box}
virtual_gid_maps = static:{box}
smtpd_peername_lookup = no
alias_maps =
alias_database =
maillog_file = {home}/postfix-client.log
maillog_file_prefixes = /run
"""


def forget(log):
    """What a client of an earlier test has logged is not this one's."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)


class Postfix(mta.Postfix):
    """A Postfix in the world whose every message goes to the gate. Its bounces are in Mailbox("bounces")."""

    name = "postfix-client"
    log = f"{HOME}/{name}.log"

    def __init__(self, lab, source4, source6, gate=GATE4):
        super().__init__(lab)
        forget(self.log)
        self._write("etc/postfix/main.cf", MAIN_CF.format(gate=gate, source4=source4, source6=source6, mail=mta.MAIL,
                                                          box=mta.BOX_UID, home=HOME))
        services = [line for line in mta.MASTER_CF.splitlines() if "inet" not in line]
        self._write("etc/postfix/master.cf", "127.0.0.1:2525 inet n - n - - smtpd\n" + "\n".join(services) + "\n")

    def start(self):
        with open(f"{HOME}/postfix-client.out", "ab") as out:
            self.process = self.lab.world.start(
                "unshare", "--mount", "--propagation", "private", "sh", "-c", mta._ENTER_ROOT, "enter", self.home,
                "/usr/sbin/postfix", "start-fg", stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        until("the client's Postfix listens", lambda: self.lab.world.listening(2525))
        return self

    def close(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def post(self, text, *to):
        """Puts a message into the queue."""
        with self.lab.world.here(), smtplib.SMTP("127.0.0.1", 2525, timeout=20) as s:
            s.sendmail(FROM, to or (TO,), f"Subject: {text}\n\n{text}\n")


class OpenSMTPD(mta.Server):
    """An OpenSMTPD in the world whose mail goes to the gate, by STARTTLS where it is offered. Its bounces are in Mailbox("bounces")."""

    package, argv, ports, where = "opensmtpd", ["/usr/sbin/smtpd", "-d", "-f", "/etc/client.conf"], (2526,), "world"
    users = {"opensmtpd": 64333, "opensmtpq": 64334, "box": mta.BOX_UID}
    folders = {"var/spool/smtpd": 0, "var/lib/opensmtpd/empty": 0}

    def __init__(self, lab, source, gate=GATE4):
        self.name = "opensmtpd-client"
        super().__init__(lab)
        self._write("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self._write("etc/client.conf", f"""
smtp max-message-size 100M
table source {{ {source} }}
listen on 127.0.0.1 port 2526 hostname client.example
table everyone {{ "@" = "box" }}
action "home" maildir "{mta.MAIL}/bounces" virtual <everyone>
action "out" relay host smtp://{gate} src <source> helo client.example
match from any for domain "client.example" action "home"
match from any for any action "out"
""")

    def close(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


EXIM_CONF = """
primary_hostname = client.example
domainlist local_domains = client.example
spool_directory = /var/spool/exim
log_file_path = {home}/exim-log/%slog
keep_environment =
host_lookup =
bounce_return_size_limit = 10K
tls_advertise_hosts =
never_users =
begin routers
out:
  driver = manualroute
  domains = ! +local_domains
  route_list = * "<+ {gate}"
  host_find_failed = defer
  self = send
  transport = smtp
home:
  driver = accept
  transport = box
begin transports
smtp:
  driver = smtp
  interface = <; {source}
  hosts_avoid_tls = *
  command_timeout = 20s
box:
  driver = appendfile
  directory = {mail}/exim
  create_directory
  maildir_format
  user = {box}
  group = {box}
begin retry
* * F,1h,1m
"""


class Exim:
    """Exim in the world, started for one message at a time. Its bounces are in Mailbox("exim")."""

    def __init__(self, lab, source, gate):
        self.lab, self.home = lab, f"{HOME}/exim"
        package = unpack_exim()
        forget(f"{HOME}/exim-log/mainlog")
        for name in ("upper/etc", "upper/var/spool/exim", "work", "root"):
            os.makedirs(f"{self.home}/{name}")
        shutil.copytree(package, f"{self.home}/package", symlinks=True)
        etc = f"{self.home}/upper/etc"
        os.makedirs(f"{HOME}/exim-log", exist_ok=True)
        for name in (f"{self.home}/upper/var/spool/exim", f"{HOME}/exim-log"):
            os.chown(name, mta.POSTFIX_UID, mta.POSTFIX_UID)
        for name, line in (("passwd", f"Debian-exim:x:{mta.POSTFIX_UID}:{mta.POSTFIX_UID}::/:/usr/sbin/nologin\n"),
                           ("group", f"Debian-exim:x:{mta.POSTFIX_UID}:\n")):
            with open(f"/etc/{name}", encoding="utf-8") as old, open(f"{etc}/{name}", "w", encoding="utf-8") as new:
                new.write(old.read() + line)
        os.makedirs(f"{etc}/exim4")
        with open(f"{etc}/exim4/exim4.conf", "w", encoding="utf-8") as f:
            f.write(EXIM_CONF.format(gate=gate, source=source, mail=mta.MAIL, box=mta.BOX_UID, home=HOME))

    def post(self, text, to=TO, body=None):
        """Hands a message over and waits until its first delivery was tried."""
        self._exim("-odf", "-i", "-f", FROM, to, text=f"Subject: {text}\nTo: {to}\n\n{body or text}\n")

    def run_queue(self):
        """Tries all that waits once more, and waits for it."""
        self._exim("-qff")

    def _exim(self, *words, text=""):
        libraries = "/usr/lib/exim4:/usr/lib/x86_64-linux-gnu"
        done = subprocess.run(self.lab.world.command(
            "unshare", "--mount", "--propagation", "private", "sh", "-c", mta._ENTER_ROOT, "enter", self.home,
            "env", f"LD_LIBRARY_PATH={libraries}", "/usr/sbin/exim4", *words),
            input=text, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            raise LabError(f"exim: {done.stderr or done.stdout or done.returncode}")

    def said(self):
        try:
            with open(f"{HOME}/exim-log/mainlog", encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)


def unpack_exim():
    """exim4-daemon-light without exim4-base: the daemon alone is all that is run."""
    return mta.unpack("exim4-daemon-light")
