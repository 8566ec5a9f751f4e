"""Ask a database that is an HTTP server: `http://host/path` as a `db_url`."""
from osip.modules.db_http.module import DbHttp

__all__ = ["DbHttp"]
