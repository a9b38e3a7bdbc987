/*
 * sodium.h - in place of libsodium's where castell is built without it.
 *
 * There is no cryptography in it: sodium_init() fails, and so does all that
 * needs it, before anything else here would be called. Those end the process.
 */
#ifndef CST_BASE_WITHOUT_SODIUM_H
#define CST_BASE_WITHOUT_SODIUM_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define crypto_generichash_BYTES_MIN 16U
#define crypto_auth_KEYBYTES         32U
#define crypto_auth_BYTES            32U

typedef struct crypto_generichash_state {
    unsigned char none;
} crypto_generichash_state;

static inline int sodium_init(void)
{
    return -1;
}

static inline void sodium_memzero(void *bytes, size_t size)
{
    explicit_bzero(bytes, size);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define CST_NO_SODIUM(type, name, ...)                                         \
    static inline type name(__VA_ARGS__)                                       \
    {                                                                          \
        abort();                                                               \
    }

CST_NO_SODIUM(void, randombytes_buf, void *a, size_t b)
CST_NO_SODIUM(int, sodium_memcmp, const void *a, const void *b, size_t c)
CST_NO_SODIUM(int, crypto_auth, unsigned char *a, const unsigned char *b,
              unsigned long long c, const unsigned char *d)
CST_NO_SODIUM(int, crypto_generichash, unsigned char *a, size_t b,
              const unsigned char *c, unsigned long long d,
              const unsigned char *e, size_t f)
CST_NO_SODIUM(int, crypto_generichash_init, crypto_generichash_state *a,
              const unsigned char *b, size_t c, size_t d)
CST_NO_SODIUM(int, crypto_generichash_update, crypto_generichash_state *a,
              const unsigned char *b, unsigned long long c)
CST_NO_SODIUM(int, crypto_generichash_final, crypto_generichash_state *a,
              unsigned char *b, size_t c)
CST_NO_SODIUM(char *, sodium_bin2hex, char *a, size_t b, const unsigned char *c,
              size_t d)
CST_NO_SODIUM(int, sodium_hex2bin, unsigned char *a, size_t b, const char *c,
              size_t d, const char *e, size_t *f, const char **g)

#pragma GCC diagnostic pop

#endif
