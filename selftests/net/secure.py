# SPDX-License-Identifier: BSD-2-Clause
"""A certificate for the gate, and clients that check it."""

import ssl

import smtp
from gate import certificate
from lab import HOME

NAME = "mx.example.org"
CHAIN, KEY = f"{HOME}/secure.pem", f"{HOME}/secure.key"
TLS = {"tls": "offer", "tls_certificate": CHAIN, "tls_key": KEY}


def make_certificate():
    certificate(CHAIN, KEY, NAME)


def context():
    return ssl.create_default_context(cafile=CHAIN)


def greeted(dialog):
    """Reads to the end of the greeting, behind the teaser."""
    while dialog.greeting.lines[-1][3:4] == "-":
        dialog.greeting = dialog.reply()
    return dialog


def implicit(sock):
    """The dialog inside TLS that begins with the first byte."""
    return greeted(smtp.Dialog(context().wrap_socket(sock, server_hostname=NAME)))


def starttls(dialog):
    """The dialog that goes on inside TLS."""
    assert dialog.say("EHLO client.example.net") == 250
    assert dialog.say("STARTTLS") == 220
    return smtp.Dialog(context().wrap_socket(dialog.sock, server_hostname=NAME), greet=False)
