/* Runs of packets that the kernel takes in one call: the twin of sfu/edge/runs.py. */

#define SEGMENTS_MAX 64
#define RUN_BYTES_MAX 65000
#define TAG_BYTES_MAX 16
#define PADDING_BYTES_MAX 255
#define PADDING_PERCENT_MAX 3

typedef struct {
    Py_ssize_t packets, size, last, total, least;
    int is_padded;
} run_t;

/* Take one more packet into a run; 0 when it has to begin another (runs.py: _longer). */
static int longer(run_t *run, Py_ssize_t one, int may_pad) {
    Py_ssize_t wide = one > run->size ? one : run->size;
    Py_ssize_t count = run->packets + 1, even = wide * count;
    Py_ssize_t least = one < run->least ? one : run->least;
    Py_ssize_t padding = even - run->total - one;
    if (run->last < run->size || run->packets == SEGMENTS_MAX ||
        count * (wide + TAG_BYTES_MAX) > RUN_BYTES_MAX)
        return 0;
    if (padding == 0) {
        run->last = one;
    } else if (may_pad && wide - least <= PADDING_BYTES_MAX &&
               padding * 100 <= even * PADDING_PERCENT_MAX) {
        run->size = run->last = wide;
        run->is_padded = 1;
    } else if (one < run->size) {
        run->last = one;
    } else {
        return 0;
    }
    run->packets = count;
    run->total += one;
    run->least = least;
    return 1;
}
