#include "neural/optimiser.h"

void optimiser_sgd(const struct rates *rates, int count, const real *g, real *w,
                   real *v)
{
    real momentum = (real)rates->momentum;
    real pull = (real)(rates->learning * rates->scale);
    real decay = (real)(rates->learning * rates->decay);

    #pragma omp simd
    for (int i = 0; i < count; i++) {
        v[i] = momentum * v[i] - pull * g[i] - decay * w[i];
        w[i] += v[i];
    }
}

void optimiser_adam(const struct rates *rates, int count, const real *g,
                    real *w, real *m, real *v)
{
    const real beta1 = (real)0.9;
    const real beta2 = (real)0.999;
    const real least = (real)1e-8;
    real scale = (real)rates->scale;
    real decay = (real)(rates->learning * rates->decay);
    real first = (real)(rates->learning / (1 - pow(0.9, rates->step)));
    real second = (real)(1 / (1 - pow(0.999, rates->step)));

    #pragma omp simd
    for (int i = 0; i < count; i++) {
        real a = scale * g[i];

        m[i] = beta1 * m[i] + (1 - beta1) * a;
        v[i] = beta2 * v[i] + (1 - beta2) * a * a;
        w[i] -=
            first * m[i] / (real_sqrt(v[i] * second) + least) + decay * w[i];
    }
}

double schedule_share(enum schedule schedule, double epoch, double epochs,
                      double warmup)
{
    double over = epochs > warmup ? (epoch - warmup) / (epochs - warmup) : 1;

    if (epoch < warmup)
        return epoch / warmup;
    switch (schedule) {
    case SCHEDULE_COSINE:
        return 0.5 * (1 + cos(M_PI * over));
    case SCHEDULE_STEP:
        return epoch < 0.6 * epochs ? 1 : epoch < 0.8 * epochs ? 0.1 : 0.01;
    case SCHEDULE_CONSTANT:
        break;
    }
    return 1;
}
