"""Declare db_text: parameters and management."""
from __future__ import annotations

from osip.api import MIError, Module, Scope, StoreError, mi, param
from osip.modules.db_text.folder import TextFolder


class DbText(Module):
    """Tables in text files: `text:///folder` as a `db_url`, a file for each table.

    The first line is `name(type[,null|auto]) ...` with the types int, double and string; rows have `:` between fields.
    What is changed is written at once.
    """

    db_mode = param(0, ge=0, le=1, doc="1: read a file again when it was changed, before each query; 0: when told to.")
    buffer_size = param(4096, removed="lines may be as long as they like", doc="No effect.")

    def mod_init(self) -> None:
        """Offer the scheme."""
        self._folders: dict[str, TextFolder] = {}
        self.env.stores.register("text", self._open)

    def _open(self, url: str) -> TextFolder:
        # What one worker writes, the others have to see.
        folder = TextFolder(url, bool(self.db_mode) or self.env.workers > 1, self.env.stores.tally)
        if not folder.folder.is_dir():
            raise StoreError(f"{url}: there is no such folder")
        return self._folders.setdefault(str(folder.folder), folder)

    @mi(aliases=("dbt_dump",))
    async def dump(self) -> None:
        """Write the tables to their files."""
        try:
            for folder in self._folders.values():
                await folder.dump()
        except StoreError as error:
            raise MIError(500, str(error)) from None

    @mi(aliases=("dbt_reload",), scope=Scope.EACH)
    async def reload(self, db_name: str | None = None, table_name: str | None = None) -> None:
        """Read the files of one folder or of all, or one table of a folder."""
        wanted = [folder for path, folder in self._folders.items() if db_name in (None, path, folder.url)]
        if not wanted:
            raise MIError(404, f'no folder "{db_name}" is in use; there are {", ".join(self._folders) or "none"}')
        try:
            for folder in wanted:
                await folder.reload(table_name or "")
        except StoreError as error:
            raise MIError(500, str(error)) from None
