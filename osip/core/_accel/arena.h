/* Memory for Python's objects in huge pages: fewer misses of the TLB, and one page fault for 2 MB instead of 512.

   CPython asks for arenas (1 MB since 3.10, 256 kB before); as many as fit share a block of one huge page. The system
   is only advised: where it has no huge page to give, a block is made of ordinary ones. A block whose arenas are all
   free goes back to the system. All calls come with the GIL held.

   A huge page comes at its first touch, in a tenth of a millisecond or three. Where it takes long (the host of a virtual
   machine finds each part of it only then, or the kernel makes room by moving others) everybody waits, so that after a
   few such pages blocks are made of ordinary ones, taken at once; now and then a huge page has another chance. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define SLOW_PAGES 3                    /* in a row, until no more are asked for */
#define ANOTHER_CHANCE 64               /* blocks */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23          /* Linux 5.14; before, pages come at their first touch */
#endif

struct block { char *base; uint32_t used; };            /* used: a bit for each arena */

static struct block *blocks;
static size_t block_count, block_room;
static size_t ordinary_blocks;                          /* made of ordinary pages, so far */
static unsigned slow_pages;                             /* in a row */
static int64_t slow_ns;                                 /* a huge page that took longer is slow */
static PyObjectArenaAllocator before;

static int64_t first_touch(char *base) {
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    *(volatile char *)base = 0;
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (int64_t)(to.tv_sec - from.tv_sec) * 1000000000 + (to.tv_nsec - from.tv_nsec);
}

static void back(char *base) {
    if (slow_pages < SLOW_PAGES || ordinary_blocks % ANOTHER_CHANCE == ANOTHER_CHANCE - 1) {
        madvise(base, HUGE_PAGE, MADV_HUGEPAGE);
        if (first_touch(base) <= slow_ns) {
            slow_pages = 0;
            return;
        }
        if (slow_pages < SLOW_PAGES) slow_pages++;
        else ordinary_blocks++;                         /* the chance is gone */
        return;
    }
    ordinary_blocks++;
    madvise(base, HUGE_PAGE, MADV_NOHUGEPAGE);
    madvise(base, HUGE_PAGE, MADV_POPULATE_WRITE);
}

static void *map_block(void) {
    char *got = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *base;
    if (got == MAP_FAILED) return NULL;
    base = (char *)(((uintptr_t)got + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (base > got) munmap(got, base - got);
    munmap(base + HUGE_PAGE, got + HUGE_PAGE - base);
    back(base);
    return base;
}

static void *arena_alloc(void *ctx, size_t size) {
    size_t i, k, fit = size ? HUGE_PAGE / size : 0;
    (void)ctx;
    if (fit < 1 || fit > 32) return before.alloc(before.ctx, size);
    for (i = block_count; i-- > 0;)
        for (k = 0; k < fit; k++)
            if (!(blocks[i].used >> k & 1)) {
                blocks[i].used |= (uint32_t)1 << k;
                return blocks[i].base + k * size;
            }
    if (block_count == block_room) {
        size_t room = block_room ? 2 * block_room : 64;
        struct block *grown = realloc(blocks, room * sizeof *grown);
        if (!grown) return NULL;
        blocks = grown;
        block_room = room;
    }
    if (!(blocks[block_count].base = map_block())) return NULL;
    blocks[block_count].used = 1;
    return blocks[block_count++].base;
}

static void arena_free(void *ctx, void *at, size_t size) {
    size_t i;
    (void)ctx;
    for (i = 0; i < block_count; i++) {
        char *base = blocks[i].base;
        if ((char *)at < base || (char *)at >= base + HUGE_PAGE) continue;
        blocks[i].used &= ~((uint32_t)1 << (((char *)at - base) / size));
        if (!blocks[i].used) {
            munmap(base, HUGE_PAGE);
            blocks[i] = blocks[--block_count];
        }
        return;
    }
    before.free(before.ctx, at, size);                  /* taken before ours was in use */
}

static void use_huge_pages(int64_t slow) {
    slow_ns = slow;
    PyObjectArenaAllocator ours = {NULL, arena_alloc, arena_free};
    PyObject_GetArenaAllocator(&before);
    PyObject_SetArenaAllocator(&ours);
}
