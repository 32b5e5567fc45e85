"""Greenroom gets WhatsApp media ready before it goes on stage."""

__version__ = "0.1.0"
