# cython: language_level=3
"""Give Python's objects memory in huge pages (Linux; transparent huge pages, advised)."""

from libc.stdint cimport int64_t


cdef extern from "arena.h":
    void take_huge "use_huge_pages"(int64_t slow)
    size_t block_count
    size_t ordinary_blocks

cdef bint is_used = False


def use_huge_pages(slow: int = 1000) -> None:
    """Take memory for objects in huge pages from now on; a second call changes nothing.

    Where one after the other takes more than `slow` microseconds to come, ordinary pages are taken instead.
    """
    global is_used
    if not is_used:
        is_used = True
        take_huge(slow * 1000)


def held() -> int:
    """Return the number of blocks (2 MB each) that are held for objects."""
    return block_count


def ordinary() -> int:
    """Return how many blocks were made of ordinary pages, so far."""
    return ordinary_blocks
