"""Measure what a SIP message costs osip, beside a peer on the same work in the same run."""
