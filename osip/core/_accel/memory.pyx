# cython: language_level=3
"""Give Python's objects memory in huge pages (Linux; transparent huge pages, advised)."""

cdef extern from "arena.h":
    void take_huge "use_huge_pages"()
    size_t block_count

cdef bint is_used = False


def use_huge_pages() -> None:
    """Take memory for objects in huge pages from now on; a second call changes nothing."""
    global is_used
    if not is_used:
        is_used = True
        take_huge()


def held() -> int:
    """Return the number of huge pages (2 MB each) that are held for objects."""
    return block_count
