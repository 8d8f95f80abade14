"""Signatures of webhooks that come in, and how a vendor's own are added."""
