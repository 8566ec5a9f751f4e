"""Serve HTTP inside the worker's loop for the modules that need it (mi_http, mi_xmlrpc, prometheus)."""
from osip.modules.httpd.module import Httpd

__all__ = ["Httpd"]
