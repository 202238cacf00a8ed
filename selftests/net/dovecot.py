# SPDX-License-Identifier: BSD-2-Clause
"""Dovecot as the one that knows passwords, for a Postfix behind the gate: smtpd_sasl_path = inet:127.0.0.1:12345."""

import mta
from mta import HOME

USER, PASSWORD = "user@example.org", "correct horse"
DOVECOT_UID, DOVENULL_UID = 64340, 64341


class Dovecot(mta.Server):
    """Knows the users, and nothing else."""

    package, argv, ports = "dovecot-core", ["/usr/sbin/dovecot", "-F"], (12345,)
    users = {"dovecot": DOVECOT_UID, "dovenull": DOVENULL_UID}
    files = {"etc/dovecot/dovecot.conf": f"""
protocols =
base_dir = {HOME}/dovecot.run
log_path = {HOME}/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid={mta.BOX_UID} gid={mta.BOX_UID} home=/nonexistent
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = 12345
  }}
}}
""", "etc/dovecot/users": f"{USER}:{{PLAIN}}{PASSWORD}\n"}
