"""Imports what `storyledger serve` imports at its start, in the background after it, and for its first requests."""

# ruff: noqa: F401

from __future__ import annotations

import docx
import email_validator
import jinja2.ext
import phonenumbers
import PIL.ImageDraw
import qrcode
import stripe
import uvloop

import adapters.documents.layout
import adapters.documents.pdf
import adapters.documents.qr
import adapters.documents.word
import adapters.drafting.local
import adapters.payments.stripe_client
import adapters.speech.local
import adapters.stripe_sandbox.parameters
import entrypoints.cli.serving
