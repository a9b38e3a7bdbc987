/* shake.c - two processes show each other that they know the run's secret. */
#include "base/fail.h"
#include "conn/conn.h"

#include <sodium.h>

_Static_assert(CST_SECRET_SIZE == crypto_auth_KEYBYTES, "a secret is a key");
_Static_assert(CST_PROOF_SIZE == crypto_auth_BYTES, "a proof is a code");

/* The proof of one side: over its name and all that was said before. */
static void prove(const struct cst_conns *conns, const struct cst_conn *conn,
                  const char *side, uint8_t *ret_proof)
{
    uint8_t bytes[256];
    struct cst_writer writer;

    cst_writer_init_fixed(&writer, bytes, sizeof(bytes));
    cst_put_text(&writer, side);
    cst_put_shake_hello(&writer, &conn->shake.hello);
    cst_put_raw(&writer, conn->shake.nonce, CST_NONCE_SIZE);
    CST_ASSERT(!writer.bad);
    crypto_auth(ret_proof, bytes, writer.size, conns->secret);
}

static bool is_proven(const struct cst_conns *conns,
                      const struct cst_conn *conn, const char *side,
                      const uint8_t *proof)
{
    uint8_t expected[CST_PROOF_SIZE];

    prove(conns, conn, side, expected);
    return sodium_memcmp(expected, proof, sizeof(expected)) == 0;
}

void cst_shake_begin(struct cst_conns *conns, struct cst_conn *conn)
{
    conn->connecting = false;
    conn->shake.hello.version = CST_NET_VERSION;
    randombytes_buf(conn->shake.hello.nonce, CST_NONCE_SIZE);
    cst_put_shake_hello(&conn->out, &conn->shake.hello);
}

void cst_shake_refuse(struct cst_conns *conns, struct cst_conn *conn,
                      const char *why)
{
    cst_put_news(&conn->out, CST_SEGMENT_REFUSED, 0, 0, why);
    (void)cst_conn_flush(conns, conn);
    cst_conn_close(conns, conn);
}

static int refuse(struct cst_conns *conns, struct cst_conn *conn)
{
    cst_put_news(&conn->out, CST_SEGMENT_REFUSED, 0, 0, conns->why);
    (void)cst_conn_flush(conns, conn);
    return -1;
}

static int take_hello(struct cst_conns *conns, struct cst_conn *conn,
                      const uint8_t *body, uint32_t size)
{
    uint8_t proof[CST_PROOF_SIZE];
    size_t begin;

    if (conn->shake.challenged ||
        !cst_get_shake_hello(body, size, &conn->shake.hello)) {
        cst_conns_why(conns, "it does not speak our language");
        cst_conns_tell(conns, CST_TELL_GARBAGE,
                       "somebody at %s connected who does not speak our "
                       "language: closed",
                       conn->who);
        return -1;
    }
    if (conn->shake.hello.version != CST_NET_VERSION) {
        cst_conns_why(conns, "this run speaks version %d, not version %u",
                      CST_NET_VERSION, conn->shake.hello.version);
        cst_conns_tell(conns, CST_TELL_VERSION,
                       "a process at %s was refused: %s", conn->who,
                       conns->why);
        return refuse(conns, conn);
    }
    randombytes_buf(conn->shake.nonce, CST_NONCE_SIZE);
    prove(conns, conn, "server", proof);
    begin = cst_segment_begin(&conn->out, CST_SEGMENT_CHALLENGE);
    cst_put_raw(&conn->out, conn->shake.nonce, CST_NONCE_SIZE);
    cst_put_raw(&conn->out, proof, sizeof(proof));
    cst_segment_end(&conn->out, begin);
    conn->shake.challenged = true;
    return 0;
}

static int take_challenge(struct cst_conns *conns, struct cst_conn *conn,
                          const uint8_t *body, uint32_t size)
{
    uint8_t proof[CST_PROOF_SIZE];
    size_t begin;

    if (conn->shake.challenged || size != CST_NONCE_SIZE + CST_PROOF_SIZE) {
        cst_conns_why(conns, "%s does not speak our language", conn->who);
        return -1;
    }
    memcpy(conn->shake.nonce, body, CST_NONCE_SIZE);
    if (!is_proven(conns, conn, "server", body + CST_NONCE_SIZE)) {
        cst_conns_why(conns,
                      "the process at %s does not know this run's secret",
                      conn->who);
        cst_conns_tell(conns, CST_TELL_SECRET, "%s", conns->why);
        conn->shake.refused = true;
        return -1;
    }
    prove(conns, conn, "client", proof);
    begin = cst_segment_begin(&conn->out, CST_SEGMENT_PROOF);
    cst_put_raw(&conn->out, proof, sizeof(proof));
    cst_segment_end(&conn->out, begin);
    conn->shake.challenged = true;
    return 1;
}

static int take_proof(struct cst_conns *conns, struct cst_conn *conn,
                      const uint8_t *body, uint32_t size)
{
    if (!conn->shake.challenged || size != CST_PROOF_SIZE ||
        !is_proven(conns, conn, "client", body)) {
        cst_conns_why(conns, "you do not know this run's secret");
        cst_conns_tell(conns, CST_TELL_SECRET,
                       "a process at %s was refused: it does not know this "
                       "run's secret",
                       conn->who);
        return refuse(conns, conn);
    }
    return 1;
}

int cst_shake_step(struct cst_conns *conns, struct cst_conn *conn)
{
    const uint8_t *body;
    uint32_t size;
    uint8_t type;
    int found;

    found =
        cst_conn_segment(conns, conn, CST_STRANGER_MAX, &type, &body, &size);
    if (found < 0 && !conn->outgoing)
        cst_conns_tell(conns, CST_TELL_GARBAGE,
                       "somebody at %s connected and sent garbage: closed",
                       conn->who);
    if (found <= 0)
        return found;
    if (!conn->outgoing && type == CST_SEGMENT_HELLO)
        return take_hello(conns, conn, body, size);
    if (!conn->outgoing && type == CST_SEGMENT_PROOF)
        return take_proof(conns, conn, body, size);
    if (conn->outgoing && type == CST_SEGMENT_CHALLENGE)
        return take_challenge(conns, conn, body, size);
    if (conn->outgoing && type == CST_SEGMENT_REFUSED) {
        struct cst_news_of news;

        conn->shake.refused = true;
        cst_conns_why(conns, "the process at %s refused: %s", conn->who,
                      cst_get_news(body, size, &news) ? news.why : "?");
        return -1;
    }
    cst_conns_why(conns, "it said what is not for a stranger to say");
    if (!conn->outgoing)
        cst_conns_tell(conns, CST_TELL_GARBAGE,
                       "somebody at %s connected and sent garbage: closed",
                       conn->who);
    return -1;
}
