# SPDX-License-Identifier: BSD-2-Clause
"""A real nginx, the mail proxy, in front of the gate: it names its clients by XCLIENT."""

import os

import pytest

import mta
import smtp
from lab import GATE4, HOME, stop, until

NGINX, CLIENT, PORT = "198.51.100.50", "203.0.113.77", 2525
TO = "user@example.org"


def configuration():
    root = mta.unpack("libnginx-mod-mail")
    return f"""
load_module {root}/usr/lib/nginx/modules/ngx_mail_module.so;
user nobody nogroup;
daemon off;
pid {HOME}/nginx.pid;
error_log {HOME}/nginx.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {HOME}/nginx.1; proxy_temp_path {HOME}/nginx.2; fastcgi_temp_path {HOME}/nginx.3;
    uwsgi_temp_path {HOME}/nginx.4; scgi_temp_path {HOME}/nginx.5;
    server {{
        listen {NGINX}:9125;
        location / {{
            add_header Auth-Status OK;
            add_header Auth-Server {GATE4};
            add_header Auth-Port 25;
            return 200 "";
        }}
    }}
}}
mail {{
    server_name balancer.example;
    auth_http {NGINX}:9125/;
    xclient on;
    server {{
        listen {NGINX}:{PORT};
        protocol smtp;
        smtp_auth plain none;
        smtp_greeting_delay 0;
    }}
}}
"""


@pytest.fixture
def nginx(lab, gate):
    source = lab.world.run("ip", "-o", "route", "get", GATE4).split(" src ")[1].split()[0]
    gate.configure(balancers=[source], listener__mx={"xclient": True}).start()
    with open(f"{HOME}/nginx.conf", "w", encoding="ascii") as f:
        f.write(configuration())
    with open(f"{HOME}/nginx.out", "wb") as out:
        process = lab.world.start(f"{mta.unpack('nginx')}/usr/sbin/nginx", "-e", f"{HOME}/nginx.log", "-c", f"{HOME}/nginx.conf", stdout=out, stderr=out)
    try:
        until("nginx listens", lambda: lab.world.listening(PORT) or process.poll() is not None)
        assert process.poll() is None, open(f"{HOME}/nginx.out", encoding="utf-8").read()
        yield gate
    finally:
        stop(process)


def through(lab):
    return smtp.Dialog(lab.world.connect(CLIENT, NGINX, PORT))


def test_mail_of_a_client_behind_nginx(nginx, lab, box):
    d = through(lab)
    assert d.mail("sender@example.net", [TO], b"Subject: behind nginx\r\n\r\nhello\r\n") == 250
    assert d.mail("sender@example.net", [TO], b"Subject: once more\r\n\r\nhello\r\n") == 250
    d.quit()
    assert f"[{CLIENT}]".encode() in box.wait_for(b"Subject: behind nginx")
    until("the session is logged", lambda: f"client={CLIENT} " in nginx.said())


def test_nginx_passes_its_clients_xclient_on(nginx, lab):
    """It does; the gate hears none behind the first EHLO of the client."""
    d = through(lab)
    d.say("EHLO client.example.net")
    assert d.say("MAIL FROM:<a@example.net>") == 250
    assert d.say(f"RCPT TO:<{TO}>") == 250
    d.say("RSET")
    assert d.say("XCLIENT ADDR=192.0.2.1 LOGIN=root") == 500
    d.say("MAIL FROM:<a@example.net>")
    assert d.say("RCPT TO:<someone@elsewhere.example>") == 550
    until("it is the client's offence", lambda: f"addr={CLIENT} reason=unknown-command" in nginx.said())
    d.close()


def test_who_logged_in_at_nginx_may_relay(nginx, lab):
    d = through(lab)
    d.say("EHLO client.example.net")
    assert d.say("AUTH PLAIN AHVzZXIAcGFzcw==") == 235
    d.say("MAIL FROM:<a@example.net>")
    assert "Unable to relay" not in str(d.say("RCPT TO:<someone@elsewhere.example>"))
    d.close()
    until("the session is logged", lambda: "auth=yes" in nginx.said())
