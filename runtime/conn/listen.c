/* listen.c - where a process can be reached, and by which number its machine
   is known. */
#include "base/fail.h"
#include "base/thread.h"
#include "conn/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CST_BACKLOG = 1024 };

/* Bytes of a short file or link; 0 when there is none. */
static size_t read_identity(const char *path, bool is_link, char *text,
                            size_t capacity)
{
    ssize_t size;
    int fd;

    if (is_link) {
        size = readlink(path, text, capacity);
        return size > 0 ? (size_t)size : 0;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    size = read(fd, text, capacity);
    close(fd);
    return size > 0 ? (size_t)size : 0;
}

uint64_t cst_conn_host(void)
{
    char text[256];
    uint8_t hash[crypto_generichash_BYTES_MIN];
    size_t size;

    size = read_identity("/proc/sys/kernel/random/boot_id", false, text, 100);
    if (size == 0) {
        randombytes_buf(text, 16);
        size = 16;
    }
    size += read_identity("/proc/self/ns/net", true, text + size, 100);
    (void)crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, size,
                             NULL, 0);
    return cst_load_u64(hash) | 1;
}

static void add_address(struct cst_where *where, const struct sockaddr *address)
{
    const struct sockaddr_in *four = (const void *)address;
    const struct sockaddr_in6 *six = (const void *)address;
    const void *bytes = &four->sin_addr;

    if (where->addresses_count == CST_ADDRESSES_MAX)
        return;
    if (address->sa_family == AF_INET6) {
        if (IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
            return;
        bytes = &six->sin6_addr;
    } else if (address->sa_family != AF_INET) {
        return;
    }
    if (inet_ntop(address->sa_family, bytes,
                  where->addresses[where->addresses_count], CST_ADDRESS_MAX))
        where->addresses_count++;
}

/* The addresses of this machine that others can reach; IPv4 first. */
static void find_addresses(struct cst_where *where, bool six_too)
{
    struct ifaddrs *all;

    if (getifaddrs(&all) == 0) {
        for (int pass = 0; pass < (six_too ? 2 : 1); pass++)
            for (struct ifaddrs *one = all; one; one = one->ifa_next) {
                if (!one->ifa_addr || !(one->ifa_flags & IFF_UP) ||
                    (one->ifa_flags & IFF_LOOPBACK) ||
                    one->ifa_addr->sa_family != (pass ? AF_INET6 : AF_INET))
                    continue;
                add_address(where, one->ifa_addr);
            }
        freeifaddrs(all);
    }
    if (where->addresses_count == 0)
        strcpy(where->addresses[where->addresses_count++], "127.0.0.1");
}

/* A socket that listens on a port of the system's choice, or -1 with errno. */
static int listen_on(const struct sockaddr *address, socklen_t size)
{
    int zero = 0;
    int error;
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (address->sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, address, size) == 0 && listen(fd, CST_BACKLOG) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int listen_on_all(bool *ret_six)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    int fd = listen_on((struct sockaddr *)&six, sizeof(six));

    *ret_six = fd >= 0;
    return fd >= 0 ? fd : listen_on((struct sockaddr *)&four, sizeof(four));
}

static int listen_on_one(const char *text, struct cst_where *where)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
        add_address(where, (struct sockaddr *)&four);
        return listen_on((struct sockaddr *)&four, sizeof(four));
    }
    if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
        add_address(where, (struct sockaddr *)&six);
        return listen_on((struct sockaddr *)&six, sizeof(six));
    }
    errno = EINVAL;
    return -1;
}

enum castell_status cst_conn_listen(struct cst_conns *conns,
                                    const char *address)
{
    struct sockaddr_in6
        bound; /* the larger of both; the port is at one place */
    socklen_t size = sizeof(bound);
    bool six = false;
    int fd;

    conns->where.host = cst_conn_host();
    fd = address ? listen_on_one(address, &conns->where) : listen_on_all(&six);
    if (fd < 0)
        return cst_fail(errno == EINVAL ? CASTELL_ERR_INVALID
                                        : CASTELL_ERR_SYSTEM,
                        "cannot listen on %s: %s",
                        address ? address : "any address", cst_reason(errno));
    if (!address)
        find_addresses(&conns->where, six);
    memset(&bound, 0, sizeof(bound));
    if (getsockname(fd, (struct sockaddr *)&bound, &size)) {
        close(fd);
        return cst_fail(CASTELL_ERR_SYSTEM, "getsockname: %s",
                        cst_reason(errno));
    }
    conns->where.port = ntohs(bound.sin6_port);
    conns->listener = cst_conn_adopt_listener(conns, fd);
    if (!conns->listener)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a listener");
    return CASTELL_OK;
}
