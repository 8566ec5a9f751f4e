/* Memory for Python's objects in huge pages: fewer misses of the TLB, and one page fault for 2 MB instead of 512.

   CPython asks for arenas (1 MB since 3.10, 256 kB before); as many as fit share a block of one huge page. The system
   is only advised: where it has no huge page to give, a block is made of ordinary ones. A block whose arenas are all
   free goes back to the system. All calls come with the GIL held. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

struct block { char *base; uint32_t used; };            /* used: a bit for each arena */

static struct block *blocks;
static size_t block_count, block_room;
static PyObjectArenaAllocator before;

static void *map_block(void) {
    char *got = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *base;
    if (got == MAP_FAILED) return NULL;
    base = (char *)(((uintptr_t)got + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (base > got) munmap(got, base - got);
    munmap(base + HUGE_PAGE, got + HUGE_PAGE - base);
    madvise(base, HUGE_PAGE, MADV_HUGEPAGE);
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

static void use_huge_pages(void) {
    PyObjectArenaAllocator ours = {NULL, arena_alloc, arena_free};
    PyObject_GetArenaAllocator(&before);
    PyObject_SetArenaAllocator(&ours);
}
