/* The native twin of sfu/edge/fanout.py: the same datagrams, without the interpreter's lock.
 *
 * In: immutable Python values that describe one batch (see _fanout.pyi), and the addresses of
 * libsrtp's two protecting functions. Out: what became of the packets. It knows the loop and
 * nothing else: who may be sent what, and for how long an address goes without segments, is
 * decided in Python. Constants and the cutting of runs mirror sfu/edge/runs.py.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifndef __linux__
#error "UDP segmentation offload is Linux'; the reference in Python serves elsewhere"
#endif

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define SEGMENTS_MAX 64
#define RUN_BYTES_MAX 65000
#define TAG_BYTES_MAX 16
#define PADDING_BYTES_MAX 255
#define PADDING_PERCENT_MAX 3
#define PADDED 0x20
#define HEADER_BYTES 12
#define WRITABLE_WAIT_MS 5
/* As in sfu/packet/srtp.py, so that both twins refuse the same packets: what an Ethernet path
   carries less the tag; for RTCP what pylibsrtp's own buffer takes. */
#define RTP_BYTES_MAX (1472 - TAG_BYTES_MAX)
#define RTCP_BYTES_MAX (1500 - 148)
#define SLOT_BYTES 1536

/* libsrtp 2: srtp_err_status_t srtp_protect(srtp_t, void *, int *). */
typedef int (*protect_function)(void *context, void *packet, int *size);

typedef struct {
    const uint8_t *header, *payload;
    Py_ssize_t header_bytes, payload_bytes;
    int is_done;
} packet_t;

typedef struct {
    const void *address;
    socklen_t address_bytes;
    void *context;
    packet_t *packets; /* media, then feedback */
    Py_ssize_t media, feedback;
    PyObject *paddable;
    int may_segment;
    int was_refused;
} job_t;

typedef struct {
    int fd, segments, is_full;
    protect_function protect_rtp, protect_rtcp;
    long packets, bytes, errors, calls, switched_off;
    struct iovec wires[SEGMENTS_MAX];
    int wire_count;
    uint8_t slots[SEGMENTS_MAX][SLOT_BYTES] __attribute__((aligned(8)));
} state_t;

typedef struct {
    Py_ssize_t packets, size, last, total, least;
    int is_padded;
} run_t;

static Py_ssize_t size_of(const packet_t *packet) {
    return packet->header_bytes + packet->payload_bytes;
}

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

/* Call into the kernel; 0, an error's number, or EAGAIN when there was no room in time. */
static int transmit(state_t *state, const job_t *job, struct iovec *wires, int count, int segment) {
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } control;
    struct msghdr message = {0};
    int waited = 0;
    message.msg_name = job->address_bytes ? (void *)job->address : NULL;
    message.msg_namelen = job->address_bytes;
    message.msg_iov = wires;
    message.msg_iovlen = (size_t)count;
    if (segment) {
        uint16_t size = (uint16_t)segment;
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *ancillary = CMSG_FIRSTHDR(&message);
        ancillary->cmsg_level = SOL_UDP;
        ancillary->cmsg_type = UDP_SEGMENT;
        ancillary->cmsg_len = CMSG_LEN(sizeof size);
        memcpy(CMSG_DATA(ancillary), &size, sizeof size);
    }
    for (;;) {
        if (sendmsg(state->fd, &message, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return errno;
        /* POLLOUT asks for less room than a run may need: once woken, once more. */
        struct pollfd writable = {state->fd, POLLOUT, 0};
        if (waited || poll(&writable, 1, WRITABLE_WAIT_MS) <= 0)
            return EAGAIN;
        waited = 1;
    }
}

static void count_sent(state_t *state, const struct iovec *wires, int count) {
    state->calls++;
    state->packets += count;
    for (int at = 0; at < count; at++)
        state->bytes += (long)wires[at].iov_len;
}

static void send_one(state_t *state, const job_t *job, struct iovec *wire) {
    int number = transmit(state, job, wire, 1, 0);
    if (number == 0)
        count_sent(state, wire, 1);
    else if (number == EAGAIN)
        state->is_full = 1;
    else
        state->errors++;
}

/* Send the gathered wires in one call, or one by one when kernel or path cannot. */
static void send_wires(state_t *state, job_t *job) {
    int count = state->wire_count;
    if (count > 1 && state->segments && job->may_segment) {
        int number = transmit(state, job, state->wires, count, (int)state->wires[0].iov_len);
        if (number == 0) {
            count_sent(state, state->wires, count);
            return;
        }
        if (number == EAGAIN) {
            state->is_full = 1;
            return;
        }
        if (number == EIO || number == ENOPROTOOPT || number == EOPNOTSUPP) {
            state->segments = 0;
            state->switched_off++;
        } else if (number == EINVAL || number == EMSGSIZE) {
            job->may_segment = 0;
            job->was_refused = 1;
        } else {
            state->errors += count;
            return;
        }
    }
    for (int at = 0; at < count && !state->is_full; at++)
        send_one(state, job, &state->wires[at]);
}

/* Copy, pad up to `size`, protect; what SRTP refuses is an error and leaves no wire. */
static void add_wire(state_t *state, const job_t *job, const packet_t *packet, Py_ssize_t size,
                     protect_function protect, Py_ssize_t bytes_max) {
    Py_ssize_t plain = size_of(packet);
    if (size > bytes_max) {
        state->errors++;
        return;
    }
    uint8_t *slot = state->slots[state->wire_count];
    memcpy(slot, packet->header, (size_t)packet->header_bytes);
    memcpy(slot + packet->header_bytes, packet->payload, (size_t)packet->payload_bytes);
    if (size > plain) {
        memset(slot + plain, 0, (size_t)(size - plain));
        slot[size - 1] = (uint8_t)(size - plain);
        slot[0] |= PADDED;
    }
    int bytes = (int)size;
    if (protect(job->context, slot, &bytes) != 0) {
        state->errors++;
        return;
    }
    state->wires[state->wire_count].iov_base = slot;
    state->wires[state->wire_count].iov_len = (size_t)bytes;
    state->wire_count++;
}

static int is_of(const packet_t *packet, const uint8_t *ssrc) {
    return !packet->is_done && memcmp(packet->header + 8, ssrc, 4) == 0;
}

/* Send all of one stream, from the packet at `from` on, in runs. */
static void send_stream(state_t *state, job_t *job, Py_ssize_t from, int may_pad) {
    const uint8_t *ssrc = job->packets[from].header + 8;
    Py_ssize_t at = from, ahead = from;
    while (at < job->media && !state->is_full) {
        Py_ssize_t first = size_of(&job->packets[at]);
        run_t run = {1, first, first, first, first, 0};
        for (ahead = at + 1; ahead < job->media; ahead++) {
            if (!is_of(&job->packets[ahead], ssrc))
                continue;
            if (!longer(&run, size_of(&job->packets[ahead]), may_pad))
                break;
        }
        state->wire_count = 0;
        for (Py_ssize_t left = run.packets; at < ahead; at++) {
            packet_t *packet = &job->packets[at];
            if (!is_of(packet, ssrc))
                continue;
            left--;
            packet->is_done = 1;
            Py_ssize_t size = size_of(packet);
            if (run.is_padded)
                size = left ? run.size : run.last;
            add_wire(state, job, packet, size, state->protect_rtp, RTP_BYTES_MAX);
        }
        send_wires(state, job);
    }
}

/* Reads of immutable values that outlive the call need no lock. */
static int may_pad(const job_t *job, const uint8_t *ssrc) {
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(job->paddable); at++)
        if (memcmp(PyBytes_AS_STRING(PyTuple_GET_ITEM(job->paddable, at)), ssrc, 4) == 0)
            return 1;
    return 0;
}

static void send_job(state_t *state, job_t *job) {
    int may_segment = state->segments && job->may_segment;
    for (Py_ssize_t at = 0; at < job->media && !state->is_full; at++) {
        packet_t *packet = &job->packets[at];
        if (!packet->is_done && !may_segment) {
            /* Without runs there is nothing to gather: in the order given. */
            state->wire_count = 0;
            packet->is_done = 1;
            add_wire(state, job, packet, size_of(packet), state->protect_rtp, RTP_BYTES_MAX);
            send_wires(state, job);
        } else if (!packet->is_done) {
            send_stream(state, job, at, may_pad(job, packet->header + 8));
        }
    }
    for (Py_ssize_t at = 0; at < job->feedback && !state->is_full; at++) {
        const packet_t *compound = &job->packets[job->media + at];
        state->wire_count = 0;
        add_wire(state, job, compound, size_of(compound), state->protect_rtcp, RTCP_BYTES_MAX);
        send_wires(state, job);
    }
}

static int read_packet(packet_t *packet, PyObject *header, PyObject *payload) {
    if (!PyBytes_Check(header) || (payload != NULL && !PyBytes_Check(payload))) {
        PyErr_SetString(PyExc_TypeError, "packets are bytes");
        return -1;
    }
    packet->header = (const uint8_t *)PyBytes_AS_STRING(header);
    packet->header_bytes = PyBytes_GET_SIZE(header);
    packet->payload = (const uint8_t *)PyBytes_AS_STRING(payload ? payload : header);
    packet->payload_bytes = payload ? PyBytes_GET_SIZE(payload) : 0;
    packet->is_done = 0;
    if (payload != NULL && packet->header_bytes < HEADER_BYTES) {
        PyErr_SetString(PyExc_ValueError, "a header has 12 bytes at least");
        return -1;
    }
    return 0;
}

/* Point at everything inside the values; they are immutable and outlive the call. */
static int read_job(job_t *job, packet_t *packets, PyObject *value) {
    PyObject *address, *context, *media, *feedback;
    if (!PyArg_ParseTuple(value, "O!O!O!O!O!p", &PyBytes_Type, &address, &PyLong_Type, &context,
                          &PyTuple_Type, &media, &PyTuple_Type, &feedback, &PyTuple_Type,
                          &job->paddable, &job->may_segment))
        return -1;
    job->address = PyBytes_AS_STRING(address);
    job->address_bytes = (socklen_t)PyBytes_GET_SIZE(address);
    job->context = PyLong_AsVoidPtr(context);
    if (job->context == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a job needs a context");
        return -1;
    }
    job->was_refused = 0;
    job->packets = packets;
    job->media = PyTuple_GET_SIZE(media);
    job->feedback = PyTuple_GET_SIZE(feedback);
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(job->paddable); at++) {
        PyObject *ssrc = PyTuple_GET_ITEM(job->paddable, at);
        if (!PyBytes_Check(ssrc) || PyBytes_GET_SIZE(ssrc) != 4) {
            PyErr_SetString(PyExc_ValueError, "an SSRC has four bytes");
            return -1;
        }
    }
    for (Py_ssize_t at = 0; at < job->media; at++, packets++) {
        PyObject *packet = PyTuple_GET_ITEM(media, at);
        if (!PyTuple_Check(packet) || PyTuple_GET_SIZE(packet) != 2) {
            PyErr_SetString(PyExc_TypeError, "a packet is a header and a payload");
            return -1;
        }
        if (read_packet(packets, PyTuple_GET_ITEM(packet, 0), PyTuple_GET_ITEM(packet, 1)) < 0)
            return -1;
    }
    for (Py_ssize_t at = 0; at < job->feedback; at++, packets++)
        if (read_packet(packets, PyTuple_GET_ITEM(feedback, at), NULL) < 0)
            return -1;
    return 0;
}

/* Count the packets of all jobs; -1 when a job is not what it should be. */
static Py_ssize_t count_packets(PyObject *values) {
    Py_ssize_t total = 0;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(values); at++) {
        PyObject *job = PyTuple_GET_ITEM(values, at);
        if (!PyTuple_Check(job) || PyTuple_GET_SIZE(job) != 6 ||
            !PyTuple_Check(PyTuple_GET_ITEM(job, 2)) || !PyTuple_Check(PyTuple_GET_ITEM(job, 3))) {
            PyErr_SetString(PyExc_TypeError, "a job is a tuple of six");
            return -1;
        }
        total += PyTuple_GET_SIZE(PyTuple_GET_ITEM(job, 2));
        total += PyTuple_GET_SIZE(PyTuple_GET_ITEM(job, 3));
    }
    return total;
}

static PyObject *result_of(const state_t *state, const job_t *jobs, Py_ssize_t count,
                           Py_ssize_t total, Py_ssize_t stopped_at) {
    Py_ssize_t dropped = total - state->packets - state->errors;
    PyObject *refused = PyList_New(0);
    for (Py_ssize_t at = 0; refused != NULL && at < count; at++) {
        if (!jobs[at].was_refused)
            continue;
        PyObject *number = PyLong_FromSsize_t(at);
        if (number == NULL || PyList_Append(refused, number) < 0)
            Py_CLEAR(refused);
        Py_XDECREF(number);
    }
    if (refused == NULL)
        return NULL;
    return Py_BuildValue("llnlllnN", state->packets, state->bytes, dropped, state->errors,
                         state->calls, state->switched_off, stopped_at, refused);
}

static PyObject *fanout_send(PyObject *module, PyObject *arguments) {
    int fd, segments;
    PyObject *rtp, *rtcp, *values;
    Py_ssize_t first, stopped_at = -1;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "iO!O!O!pn", &fd, &PyLong_Type, &rtp, &PyLong_Type, &rtcp,
                          &PyTuple_Type, &values, &segments, &first))
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(values), total = count_packets(values);
    if (total < 0)
        return NULL;
    state_t *state = PyMem_Malloc(sizeof *state);
    job_t *jobs = PyMem_Calloc((size_t)count + 1, sizeof *jobs);
    packet_t *packets = PyMem_Calloc((size_t)total + 1, sizeof *packets);
    PyObject *result = NULL;
    if (state == NULL || jobs == NULL || packets == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    memset(state, 0, offsetof(state_t, wires));
    state->fd = fd;
    state->segments = segments;
    state->protect_rtp = (protect_function)PyLong_AsVoidPtr(rtp);
    state->protect_rtcp = (protect_function)PyLong_AsVoidPtr(rtcp);
    if (PyErr_Occurred())
        goto done;
    if (state->protect_rtp == NULL || state->protect_rtcp == NULL || first < 0) {
        PyErr_SetString(PyExc_ValueError, "functions to protect with, and a job to begin with");
        goto done;
    }
    for (Py_ssize_t at = 0, used = 0; at < count; at++) {
        if (read_job(&jobs[at], packets + used, PyTuple_GET_ITEM(values, at)) < 0)
            goto done;
        used += jobs[at].media + jobs[at].feedback;
    }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t number = 0; number < count; number++) {
        Py_ssize_t at = (first % count + number) % count;
        send_job(state, &jobs[at]);
        if (state->is_full) {
            stopped_at = at;
            break;
        }
    }
    Py_END_ALLOW_THREADS
    result = result_of(state, jobs, count, total, stopped_at);
done:
    PyMem_Free(packets);
    PyMem_Free(jobs);
    PyMem_Free(state);
    return result;
}

static PyMethodDef methods[] = {
    {"send", fanout_send, METH_VARARGS, "Protect and send every job's packets; see _fanout.pyi."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "sfu.edge._fanout", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__fanout(void) {
    return PyModule_Create(&definition);
}
