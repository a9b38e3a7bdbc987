#include "train/gpu_net.h"

#include "neural/layers.h"
#include "train/kernels.h"
#include "train/kernels_text.h"

/* ---- Where numbers are in `work` -------------------------------------------- */

static long gave(const struct gpu_net *at, int l)
{
    return (long)at->count * at->net->layer[l].units;
}

static long by(const struct gpu_net *at, int l)
{
    return (long)at->count * (at->net->units + at->net->layer[l].units);
}

static long scratch(const struct gpu_net *at)
{
    return 2L * at->count * at->net->units;
}

static long scratch_size(const struct layer *layer)
{
    if (layer->kind == LAYER_CONV)
        return 9L * layer->rows * layer->in;
    if (layer->kind == LAYER_NORM)
        return 2L * layer->rows;
    if (layer->kind == LAYER_ATTENTION)
        return 2L * layer->heads * layer->rows * layer->rows;
    return 0;
}

long gpu_net_work(const struct net *net, int count)
{
    long most = 0;

    for (int l = 0; l < net->layers; l++) {
        long size = scratch_size(&net->layer[l]);

        most = size > most ? size : most;
    }
    return count * (2L * net->units + most);
}

/* One layer at work. */
struct step {
    const struct gpu_net *at;
    const struct layer *layer;
    real *gradient; /* or NULL: forward */
    int rows;       /* of all samples */
    long x, y, dx, dy;
    bool wants_dx;
};

static struct step step_of(const struct gpu_net *at, int l, real *gradient)
{
    const struct layer *layer = &at->net->layer[l];

    return (struct step){
        .at = at,
        .layer = layer,
        .gradient = gradient,
        .rows = at->count * layer->rows,
        .x = l > 0 ? gave(at, l - 1) : 0,
        .y = gave(at, l),
        .dx = l > 0 ? by(at, l - 1) : 0,
        .dy = by(at, l),
        .wants_dx =
            l > 1 || (l == 1 && at->net->layer[0].kind != LAYER_PIXELS)};
}

static int launch(const struct gpu_net *at, const struct app_kernels *source,
                  const char *name, int width, int height,
                  const struct app_call *call)
{
    return at->device->launch(source, name, width, height, call);
}

/* ---- Bytes --------------------------------------------------------------------- */

static int pixels(const struct step *s)
{
    struct app_call call = {.count = 0};

    APP_PUT(&call, s->rows);
    APP_PUT(&call, s->layer->in);
    APP_PUT(&call, s->at->bytes);
    APP_PUT(&call, s->at->order);
    APP_PUT(&call, s->at->work);
    APP_PUT(&call, s->y);
    return launch(s->at, &kernels_bytes, "pixels", s->layer->in, s->rows,
                  &call);
}

static int embed(const struct step *s)
{
    long first = s->layer->first;
    struct app_call call = {.count = 0};

    APP_PUT(&call, s->rows);
    APP_PUT(&call, s->layer->rows);
    APP_PUT(&call, s->layer->out);
    APP_PUT(&call, s->at->bytes);
    APP_PUT(&call, s->at->order);
    if (!s->gradient) {
        APP_PUT(&call, s->at->weights);
        APP_PUT(&call, first);
        APP_PUT(&call, s->at->work);
        APP_PUT(&call, s->y);
        return launch(s->at, &kernels_bytes, "embed", s->layer->out, s->rows,
                      &call);
    }
    APP_PUT(&call, s->at->work);
    APP_PUT(&call, s->dy);
    APP_PUT(&call, s->gradient);
    APP_PUT(&call, first);
    return launch(s->at, &kernels_bytes, "by_embed", s->layer->out,
                  256 + s->layer->rows, &call);
}

/* ---- Products: dense layers and convolutions --------------------------------------- */

/* y = x w + bias, where x begins at a place and has rows of `in`. */
static int times_weights(const struct step *s, long x, int in)
{
    int out = s->layer->out;
    long bias = s->layer->first + (long)in * out;
    struct app_call call = {.count = 0};

    APP_PUT(&call, s->rows);
    APP_PUT(&call, out);
    APP_PUT(&call, s->at->weights);
    APP_PUT(&call, bias);
    APP_PUT(&call, s->at->work);
    APP_PUT(&call, s->y);
    return s->at->device->multiply(
               &(struct app_product){
                   .rows = s->rows, .columns = out, .inner = in},
               (struct app_place){s->at->work, x},
               (struct app_place){s->at->weights, s->layer->first},
               (struct app_place){s->at->work, s->y}) ||
           launch(s->at, &kernels_bias, "bias", out, s->rows, &call);
}

/* The derivatives by weights and bias. */
static int by_weights(const struct step *s, long x, int in)
{
    int out = s->layer->out;
    long bias = s->layer->first + (long)in * out;
    struct app_call call = {.count = 0};

    APP_PUT(&call, s->rows);
    APP_PUT(&call, out);
    APP_PUT(&call, s->at->work);
    APP_PUT(&call, s->dy);
    APP_PUT(&call, s->gradient);
    APP_PUT(&call, bias);
    return s->at->device->multiply(
               &(struct app_product){.rows = in,
                                     .columns = out,
                                     .inner = s->rows,
                                     .a_turned = true},
               (struct app_place){s->at->work, x},
               (struct app_place){s->at->work, s->dy},
               (struct app_place){s->gradient, s->layer->first}) ||
           launch(s->at, &kernels_bias, "by_bias", out, 1, &call);
}

/* dx = dy w', to a place. */
static int by_input(const struct step *s, long dx, int in)
{
    return s->at->device->multiply(
        &(struct app_product){.rows = s->rows,
                              .columns = in,
                              .inner = s->layer->out,
                              .b_turned = true},
        (struct app_place){s->at->work, s->dy},
        (struct app_place){s->at->weights, s->layer->first},
        (struct app_place){s->at->work, dx});
}

static int dense(const struct step *s)
{
    if (!s->gradient)
        return times_weights(s, s->x, s->layer->in);
    return by_weights(s, s->x, s->layer->in) ||
           (s->wants_dx && by_input(s, s->dx, s->layer->in));
}

/* Between pixels and rows of the 9 around each. */
static int rearrange(const struct step *s, const char *name, int width,
                     long from, long to)
{
    struct app_call call = {.count = 0};

    APP_PUT(&call, s->rows);
    APP_PUT(&call, s->layer->side);
    APP_PUT(&call, s->layer->in);
    APP_PUT(&call, s->at->work);
    APP_PUT(&call, from);
    APP_PUT(&call, to);
    return launch(s->at, &kernels_conv, name, width, s->rows, &call);
}

static int conv(const struct step *s)
{
    long columns = scratch(s->at);
    int in = 9 * s->layer->in;

    if (rearrange(s, "columns", in, s->x, columns))
        return 1;
    if (!s->gradient)
        return times_weights(s, columns, in);
    return by_weights(s, columns, in) ||
           (s->wants_dx &&
            (by_input(s, columns, in) ||
             rearrange(s, "gather", s->layer->in, columns, s->dx)));
}

static int pool(const struct step *s)
{
    int half = s->layer->side / 2;
    int given = s->at->count * half * half;
    int rows = s->gradient ? s->rows : given;
    struct app_call call = {.count = 0};

    APP_PUT(&call, rows);
    APP_PUT(&call, s->layer->side);
    APP_PUT(&call, s->layer->in);
    APP_PUT(&call, s->at->work);
    APP_PUT(&call, s->x);
    APP_PUT(&call, s->y);
    APP_PUT(&call, s->dy);
    APP_PUT(&call, s->dx);
    if (!s->gradient)
        call.count -= 2;
    return launch(s->at, &kernels_pool, s->gradient ? "by_pool" : "pool",
                  s->layer->in, rows, &call);
}

/* ---- Number by number ------------------------------------------------------------------ */

static int simple(const struct gpu_net *at, const char *name, int count,
                  const long *places, int places_count)
{
    struct app_call call = {.count = 0};

    APP_PUT(&call, count);
    APP_PUT(&call, at->work);
    for (int i = 0; i < places_count; i++)
        APP_PUT(&call, places[i]);
    return launch(at, &kernels_simple, name, count, 1, &call);
}

static int relu(const struct step *s)
{
    int count = s->at->count * layer_reads(s->layer);

    return s->gradient
               ? simple(s->at, "by_relu", count,
                        (const long[]){s->y, s->dy, s->dx}, 3)
               : simple(s->at, "relu", count, (const long[]){s->x, s->y}, 2);
}

static int gelu(const struct step *s)
{
    int count = s->at->count * layer_reads(s->layer);

    return s->gradient
               ? simple(s->at, "by_gelu", count,
                        (const long[]){s->x, s->dy, s->dx}, 3)
               : simple(s->at, "gelu", count, (const long[]){s->x, s->y}, 2);
}

/* Backwards what skips the layers between is added by add_skips(). */
static int add(const struct step *s)
{
    int count = s->at->count * layer_reads(s->layer);

    return s->gradient
               ? simple(s->at, "copy", count, (const long[]){s->dy, s->dx}, 2)
               : simple(s->at, "sum", count,
                        (const long[]){s->x, gave(s->at, s->layer->skip), s->y},
                        3);
}

/* What layers above add to what layer l gave. */
static int add_skips(const struct gpu_net *at, int l)
{
    const struct net *net = at->net;
    int failed = 0;

    for (int a = l + 1; a < net->layers; a++)
        if (net->layer[a].kind == LAYER_ADD && net->layer[a].skip == l)
            failed |=
                simple(at, "sum", at->count * layer_gives(&net->layer[l]),
                       (const long[]){by(at, l), by(at, a), by(at, l)}, 3);
    return failed;
}

/* ---- What makes a transformer ------------------------------------------------------------ */

static int norm(const struct step *s)
{
    long first = s->layer->first;
    long moments = scratch(s->at);
    struct app_call rows = {.count = 0};
    struct app_call columns = {.count = 0};

    APP_PUT(&rows, s->rows);
    APP_PUT(&rows, s->layer->in);
    APP_PUT(&rows, s->at->weights);
    APP_PUT(&rows, first);
    APP_PUT(&rows, s->at->work);
    APP_PUT(&rows, s->x);
    if (!s->gradient) {
        APP_PUT(&rows, s->y);
        return launch(s->at, &kernels_norm, "standard", s->rows, 1, &rows);
    }
    APP_PUT(&rows, s->dy);
    APP_PUT(&rows, s->dx);
    APP_PUT(&rows, moments);
    APP_PUT(&columns, s->rows);
    APP_PUT(&columns, s->layer->in);
    APP_PUT(&columns, s->at->work);
    APP_PUT(&columns, s->x);
    APP_PUT(&columns, s->dy);
    APP_PUT(&columns, moments);
    APP_PUT(&columns, s->gradient);
    APP_PUT(&columns, first);
    return launch(s->at, &kernels_norm, "by_standard", s->rows, 1, &rows) ||
           launch(s->at, &kernels_norm, "by_scale", s->layer->in, 1, &columns);
}

/* A kernel over lines: rows of all heads of all samples. */
static int over_lines(const struct step *s, const char *name, int width,
                      const long *places, int places_count)
{
    int lines = s->rows * s->layer->heads;
    int each = s->layer->out / s->layer->heads;
    struct app_call call = {.count = 0};

    APP_PUT(&call, lines);
    APP_PUT(&call, s->layer->rows);
    if (width > 0) {
        APP_PUT(&call, s->layer->heads);
        APP_PUT(&call, each);
    }
    APP_PUT(&call, s->at->work);
    for (int i = 0; i < places_count; i++)
        APP_PUT(&call, places[i]);
    return launch(s->at, &kernels_attention, name, width > 0 ? width : lines,
                  width > 0 ? lines : 1, &call);
}

static int attention(const struct step *s)
{
    int rows = s->layer->rows;
    int each = s->layer->out / s->layer->heads;
    long shares = scratch(s->at);
    long dshares = shares + (long)s->rows * s->layer->heads * rows;

    if (over_lines(s, "shares", rows, (const long[]){s->x, shares}, 2) ||
        over_lines(s, "softmax", 0, (const long[]){shares}, 1))
        return 1;
    if (!s->gradient)
        return over_lines(s, "blend", each,
                          (const long[]){s->x, shares, s->y}, 3);
    return over_lines(s, "by_shares", rows,
                      (const long[]){s->x, s->dy, dshares}, 3) ||
           over_lines(s, "by_softmax", 0, (const long[]){shares, dshares}, 2) ||
           over_lines(s, "by_attention", each,
                      (const long[]){s->x, s->dy, shares, dshares, s->dx}, 5);
}

/* ---- All of it ----------------------------------------------------------------------------- */

static int layer_step(const struct step *s)
{
    switch (s->layer->kind) {
    case LAYER_PIXELS:
        return s->gradient ? 0 : pixels(s);
    case LAYER_EMBED:
        return embed(s);
    case LAYER_DENSE:
        return dense(s);
    case LAYER_RELU:
        return relu(s);
    case LAYER_GELU:
        return gelu(s);
    case LAYER_CONV:
        return conv(s);
    case LAYER_POOL:
        return pool(s);
    case LAYER_NORM:
        return norm(s);
    case LAYER_ATTENTION:
        return attention(s);
    case LAYER_ADD:
        return add(s);
    }
    return 1;
}

int gpu_net_forward(const struct gpu_net *at, const struct gpu_losses *to)
{
    const struct net *net = at->net;
    int rows = at->count * net->labels;
    long z = gave(at, net->layers - 1);
    long dz = by(at, net->layers - 1);
    struct app_call loss = {.count = 0};
    struct app_call note = {.count = 0};

    for (int l = 0; l < net->layers; l++) {
        struct step step = step_of(at, l, NULL);

        if (layer_step(&step))
            return 1;
    }
    APP_PUT(&loss, rows);
    APP_PUT(&loss, net->labels);
    APP_PUT(&loss, net->classes);
    APP_PUT(&loss, at->labels);
    APP_PUT(&loss, at->order);
    APP_PUT(&loss, at->work);
    APP_PUT(&loss, z);
    APP_PUT(&loss, dz);
    APP_PUT(&loss, to->losses);
    APP_PUT(&note, to->process);
    APP_PUT(&note, to->executor);
    APP_PUT(&note, to->who);
    return launch(at, &kernels_loss, "loss", rows, 1, &loss) ||
           launch(at, &kernels_loss, "note", 1, 1, &note);
}

int gpu_net_backward(const struct gpu_net *at, real *gradient)
{
    for (int l = at->net->layers - 1; l >= 0; l--) {
        struct step step = step_of(at, l, gradient);

        if (add_skips(at, l) || layer_step(&step))
            return 1;
    }
    return 0;
}
