/* The native twin of sfu/edge/fanout.py: the same datagrams, without the interpreter's lock.
 *
 * In: immutable Python values that describe one batch (see _fanout.pyi), and the addresses of
 * libsrtp's two protecting functions. Out: what became of the packets. It knows the loop and
 * nothing else: who may be sent what, and for how long an address goes without segments, is
 * decided in Python.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifndef __linux__
#error "UDP segmentation offload is Linux'; the reference in Python serves elsewhere"
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "_runs.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define PADDED 0x20
#define HEADER_BYTES 12
#define NUMBERS_BYTES 10
#define WRITABLE_WAIT_MS 5
/* As in sfu/packet/srtp.py, so that both twins refuse the same packets: what an Ethernet path
   carries less the tag; for RTCP what pylibsrtp's own buffer takes. */
#define RTP_BYTES_MAX (1472 - TAG_BYTES_MAX)
#define RTCP_BYTES_MAX (1500 - 148)
#define SLOT_BYTES 1536
/* RFC 3711 section 3.4: SRTCP adds an index of four bytes, too. */
_Static_assert(RTP_BYTES_MAX + TAG_BYTES_MAX <= SLOT_BYTES, "a protected packet fits its slot");
_Static_assert(RTCP_BYTES_MAX + 4 + TAG_BYTES_MAX <= SLOT_BYTES, "so does a compound");

/* libsrtp 2: srtp_err_status_t srtp_protect(srtp_t, void *, int *). */
typedef int (*protect_function)(void *context, void *packet, int *size);

typedef struct {
    const uint8_t *header, *payload;
    Py_ssize_t header_bytes, payload_bytes;
    int is_done;
} packet_t;

/* native.py: pack_route. Followed by the SSRCs that may be padded, four bytes each. */
typedef struct {
    uint64_t context;
    uint32_t address_bytes;
    uint32_t may_segment;
    uint8_t address[32];
} packed_route_t;

typedef struct {
    const packed_route_t *packed; /* NULL: there is none now */
    const uint8_t *paddable, *numbers;
    Py_ssize_t paddable_count;
    int may_segment, was_refused;
} route_t;

typedef struct {
    packet_t *packets; /* media, then feedback */
    route_t *routes;
    Py_ssize_t media, feedback, count;
} job_t;

typedef struct {
    int fd, segments, is_full;
    protect_function protect_rtp, protect_rtcp;
    long packets, bytes, errors, unrouted, calls, switched_off;
    struct iovec wires[SEGMENTS_MAX];
    int wire_count;
    uint8_t slots[SEGMENTS_MAX][SLOT_BYTES] __attribute__((aligned(8)));
} state_t;

static Py_ssize_t size_of(const packet_t *packet) {
    return packet->header_bytes + packet->payload_bytes;
}

/* Call into the kernel; 0, an error's number, or EAGAIN when there was no room in time. */
static int transmit(state_t *state, const route_t *route, struct iovec *wires, int count, int segment) {
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } control;
    struct msghdr message = {0};
    int waited = 0;
    message.msg_name = route->packed->address_bytes ? (void *)route->packed->address : NULL;
    message.msg_namelen = (socklen_t)route->packed->address_bytes;
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

static void send_one(state_t *state, const route_t *route, struct iovec *wire) {
    int number = transmit(state, route, wire, 1, 0);
    if (number == 0)
        count_sent(state, wire, 1);
    else if (number == EAGAIN)
        state->is_full = 1;
    else
        state->errors++;
}

/* Send the gathered wires in one call, or one by one when kernel or path cannot. */
static void send_wires(state_t *state, route_t *route) {
    int count = state->wire_count;
    if (count > 1 && state->segments && route->may_segment) {
        int number = transmit(state, route, state->wires, count, (int)state->wires[0].iov_len);
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
            route->may_segment = 0;
            route->was_refused = 1;
        } else {
            state->errors += count;
            return;
        }
    }
    for (int at = 0; at < count && !state->is_full; at++)
        send_one(state, route, &state->wires[at]);
}

/* Give a packet the leg's own numbers (rewrite.py: renumber). */
static void renumber(uint8_t *header, const uint8_t *numbers) {
    uint32_t timestamp, timestamp_shift;
    uint16_t sequence, sequence_shift;
    memcpy(&sequence, header + 2, sizeof sequence);
    memcpy(&timestamp, header + 4, sizeof timestamp);
    memcpy(&timestamp_shift, numbers + 4, sizeof timestamp_shift);
    memcpy(&sequence_shift, numbers + 8, sizeof sequence_shift);
    sequence = htons((uint16_t)(ntohs(sequence) + ntohs(sequence_shift)));
    timestamp = htonl(ntohl(timestamp) + ntohl(timestamp_shift));
    memcpy(header + 2, &sequence, sizeof sequence);
    memcpy(header + 4, &timestamp, sizeof timestamp);
    memcpy(header + 8, numbers, 4);
}

/* Copy, pad up to `size`, protect; what SRTP refuses is an error and leaves no wire. */
static void add_wire(state_t *state, const route_t *route, const packet_t *packet,
                     Py_ssize_t size, int is_media) {
    Py_ssize_t plain = size_of(packet);
    if (size > (is_media ? RTP_BYTES_MAX : RTCP_BYTES_MAX)) {
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
    if (is_media && route->numbers != NULL)
        renumber(slot, route->numbers);
    int bytes = (int)size;
    protect_function protect = is_media ? state->protect_rtp : state->protect_rtcp;
    if (protect((void *)(uintptr_t)route->packed->context, slot, &bytes) != 0) {
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

/* Reads of immutable values that outlive the call need no lock. */
static int is_paddable(const route_t *route, const uint8_t *ssrc) {
    for (Py_ssize_t at = 0; at < route->paddable_count; at++)
        if (memcmp(route->paddable + 4 * at, ssrc, 4) == 0)
            return 1;
    return 0;
}

/* Send all of one stream, from the packet at `from` on, in runs. */
static void send_stream(state_t *state, const job_t *job, route_t *route, Py_ssize_t from) {
    const uint8_t *ssrc = job->packets[from].header + 8;
    int may_pad = is_paddable(route, route->numbers ? route->numbers : ssrc);
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
            add_wire(state, route, packet, size, 1);
        }
        send_wires(state, route);
    }
}

static void send_job(state_t *state, const job_t *job, route_t *route) {
    if (route->packed == NULL) {
        state->unrouted += job->media + job->feedback;
        return;
    }
    int may_segment = state->segments && route->may_segment;
    for (Py_ssize_t at = 0; at < job->media; at++)
        job->packets[at].is_done = 0;
    for (Py_ssize_t at = 0; at < job->media && !state->is_full; at++) {
        packet_t *packet = &job->packets[at];
        if (!packet->is_done && !may_segment) {
            /* Without runs there is nothing to gather: in the order given. */
            state->wire_count = 0;
            packet->is_done = 1;
            add_wire(state, route, packet, size_of(packet), 1);
            send_wires(state, route);
        } else if (!packet->is_done) {
            send_stream(state, job, route, at);
        }
    }
    for (Py_ssize_t at = 0; at < job->feedback && !state->is_full; at++) {
        const packet_t *compound = &job->packets[job->media + at];
        state->wire_count = 0;
        add_wire(state, route, compound, size_of(compound), 0);
        send_wires(state, route);
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

static int read_route(route_t *route, PyObject *packed, PyObject *numbers) {
    if (packed != Py_None) {
        if (!PyBytes_Check(packed) || PyBytes_GET_SIZE(packed) < (Py_ssize_t)sizeof *route->packed) {
            PyErr_SetString(PyExc_TypeError, "a route is None or packed");
            return -1;
        }
        route->packed = (const packed_route_t *)(const void *)PyBytes_AS_STRING(packed);
        route->paddable = (const uint8_t *)(route->packed + 1);
        route->paddable_count = (PyBytes_GET_SIZE(packed) - (Py_ssize_t)sizeof *route->packed) / 4;
        route->may_segment = route->packed->may_segment != 0;
        if (route->packed->context == 0 ||
            route->packed->address_bytes > sizeof route->packed->address) {
            PyErr_SetString(PyExc_ValueError, "a route needs a context, and an address that fits");
            return -1;
        }
    }
    if (numbers != NULL) {
        if (!PyBytes_Check(numbers) || PyBytes_GET_SIZE(numbers) != NUMBERS_BYTES) {
            PyErr_SetString(PyExc_ValueError, "a leg's numbers have ten bytes");
            return -1;
        }
        route->numbers = (const uint8_t *)PyBytes_AS_STRING(numbers);
    }
    return 0;
}

/* Point at everything inside the values; they are immutable and outlive the call. */
static int read_job(job_t *job, PyObject *value) {
    PyObject *routes = PyTuple_GET_ITEM(value, 0), *numbers = PyTuple_GET_ITEM(value, 1);
    PyObject *media = PyTuple_GET_ITEM(value, 2), *feedback = PyTuple_GET_ITEM(value, 3);
    packet_t *packets = job->packets;
    if (numbers != Py_None &&
        (!PyTuple_Check(numbers) || PyTuple_GET_SIZE(numbers) != job->count)) {
        PyErr_SetString(PyExc_TypeError, "numbers are None or one a route");
        return -1;
    }
    for (Py_ssize_t at = 0; at < job->count; at++)
        if (read_route(&job->routes[at], PyTuple_GET_ITEM(routes, at),
                       numbers == Py_None ? NULL : PyTuple_GET_ITEM(numbers, at)) < 0)
            return -1;
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

/* Note the sizes of a job; -1 when it is not what it should be. */
static int measure_job(job_t *job, PyObject *value) {
    if (!PyTuple_Check(value) || PyTuple_GET_SIZE(value) != 4 ||
        !PyTuple_Check(PyTuple_GET_ITEM(value, 0)) || !PyTuple_Check(PyTuple_GET_ITEM(value, 2)) ||
        !PyTuple_Check(PyTuple_GET_ITEM(value, 3))) {
        PyErr_SetString(PyExc_TypeError, "a job is routes, numbers, media and feedback");
        return -1;
    }
    job->count = PyTuple_GET_SIZE(PyTuple_GET_ITEM(value, 0));
    job->media = PyTuple_GET_SIZE(PyTuple_GET_ITEM(value, 2));
    job->feedback = PyTuple_GET_SIZE(PyTuple_GET_ITEM(value, 3));
    return 0;
}

/* Name the routes that refused segments, as pairs of job and route. */
static PyObject *refused_of(const job_t *jobs, Py_ssize_t count) {
    PyObject *refused = PyList_New(0);
    for (Py_ssize_t at = 0; refused != NULL && at < count; at++) {
        for (Py_ssize_t leg = 0; refused != NULL && leg < jobs[at].count; leg++) {
            if (!jobs[at].routes[leg].was_refused)
                continue;
            PyObject *pair = Py_BuildValue("nn", at, leg);
            if (pair == NULL || PyList_Append(refused, pair) < 0)
                Py_CLEAR(refused);
            Py_XDECREF(pair);
        }
    }
    return refused;
}

/* Send until all is sent or the buffer stays full; each job's routes in a ring from `first` on. */
static Py_ssize_t send_all(state_t *state, job_t *jobs, Py_ssize_t count, Py_ssize_t first,
                           Py_ssize_t *stopped_leg) {
    for (Py_ssize_t at = 0; at < count; at++) {
        for (Py_ssize_t number = 0; number < jobs[at].count; number++) {
            Py_ssize_t leg = (first % jobs[at].count + number) % jobs[at].count;
            send_job(state, &jobs[at], &jobs[at].routes[leg]);
            if (state->is_full) {
                *stopped_leg = leg;
                return at;
            }
        }
    }
    return -1;
}

static PyObject *fanout_send(PyObject *module, PyObject *arguments) {
    int fd, segments;
    PyObject *rtp, *rtcp, *values, *result = NULL, *refused;
    Py_ssize_t first, stopped_at = -1, stopped_leg = 0;
    Py_ssize_t route_count = 0, packet_count = 0, offered = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "iO!O!O!pn", &fd, &PyLong_Type, &rtp, &PyLong_Type, &rtcp,
                          &PyTuple_Type, &values, &segments, &first))
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(values);
    state_t *state = PyMem_Malloc(sizeof *state);
    job_t *jobs = PyMem_Calloc((size_t)count + 1, sizeof *jobs);
    route_t *routes = NULL;
    packet_t *packets = NULL;
    if (state == NULL || jobs == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t at = 0; at < count; at++) {
        if (measure_job(&jobs[at], PyTuple_GET_ITEM(values, at)) < 0)
            goto done;
        route_count += jobs[at].count;
        packet_count += jobs[at].media + jobs[at].feedback;
        offered += (jobs[at].media + jobs[at].feedback) * jobs[at].count;
    }
    routes = PyMem_Calloc((size_t)route_count + 1, sizeof *routes);
    packets = PyMem_Calloc((size_t)packet_count + 1, sizeof *packets);
    if (routes == NULL || packets == NULL) {
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
        PyErr_SetString(PyExc_ValueError, "functions to protect with, and a leg to begin with");
        goto done;
    }
    for (Py_ssize_t at = 0, leg = 0, packet = 0; at < count; at++) {
        jobs[at].routes = routes + leg;
        jobs[at].packets = packets + packet;
        if (read_job(&jobs[at], PyTuple_GET_ITEM(values, at)) < 0)
            goto done;
        leg += jobs[at].count;
        packet += jobs[at].media + jobs[at].feedback;
    }
    Py_BEGIN_ALLOW_THREADS
    stopped_at = send_all(state, jobs, count, first, &stopped_leg);
    Py_END_ALLOW_THREADS
    refused = refused_of(jobs, count);
    if (refused != NULL)
        result = Py_BuildValue("llnllllnnN", state->packets, state->bytes,
                               offered - state->packets - state->errors - state->unrouted,
                               state->errors, state->unrouted, state->calls, state->switched_off,
                               stopped_at, stopped_leg, refused);
done:
    PyMem_Free(packets);
    PyMem_Free(routes);
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
