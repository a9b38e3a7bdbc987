#include "blocks/learn/gauss.h"

#include "blocks/learn/learn.h"

#include <cblas.h>
#include <math.h>

long blk_squares_of(const struct blk_form *form)
{
    return form->diagonal ? form->cols : (long)form->cols * form->cols;
}

long blk_component_size(const struct blk_form *form)
{
    return 1 + form->cols + blk_squares_of(form);
}

/* ---- Chances -------------------------------------------------------------- */

void blk_less_mean(const struct blk_form *form, int rows, const double *x,
                   const double *component, double *z)
{
    long cols = form->cols;

    for (long r = 0; r < rows; r++) {
        #pragma omp simd
        for (long c = 0; c < cols; c++)
            z[r * cols + c] = x[r * cols + c] - component[1 + c];
    }
}

/* The logarithm of each row's chance with a component, into every k-th of logs. */
static void log_chances(const struct blk_form *form, int rows,
                        const double *component, double *z, double *logs)
{
    long cols = form->cols;
    const double *factor = component + 1 + cols;

    if (!form->hard && !form->diagonal)
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans,
                    CblasNonUnit, rows, form->cols, 1, factor, form->cols, z,
                    form->cols);
    for (long r = 0; r < rows; r++) {
        double sum = 0;

        if (!form->hard && form->diagonal) {
            for (long c = 0; c < cols; c++)
                z[r * cols + c] /= factor[c];
        }
        #pragma omp simd reduction(+: sum)
        for (long c = 0; c < cols; c++)
            sum += z[r * cols + c] * z[r * cols + c];
        logs[r * form->k] = form->hard ? -sum : component[0] - sum / 2;
    }
}

/* From logarithms to chances, whose sum is 1; returns the logarithm of what they
   were divided by. */
static double normalise(const struct blk_form *form, double *logs)
{
    double sum = 0;
    int best = 0;
    double most;

    for (int k = 1; k < form->k; k++)
        best = logs[k] > logs[best] ? k : best;
    most = logs[best];
    for (int k = 0; k < form->k; k++) {
        if (form->hard)
            logs[k] = k == best;
        else
            logs[k] = exp(logs[k] - most);
        sum += logs[k];
    }
    for (int k = 0; k < form->k; k++)
        logs[k] /= sum;
    return most + log(sum > 1 ? sum : 1);
}

double blk_find_chances(const struct blk_form *form, int rows, const double *x,
                           const double *components, double *z,
                           double *chances)
{
    double sum = 0;

    for (long k = 0; k < form->k; k++) {
        const double *component = components + k * blk_component_size(form);

        blk_less_mean(form, rows, x, component, z);
        log_chances(form, rows, component, z, chances + k);
    }
    for (long r = 0; r < rows; r++)
        sum += normalise(form, chances + r * form->k);
    return sum;
}

bool blk_factorise(const struct blk_form *form, double *covariance,
                      double *ret_log)
{
    long cols = form->cols;
    int info = 0;

    *ret_log = 0;
    if (!form->diagonal)
        dpotrf_("U", &form->cols, covariance, &form->cols, &info);
    for (long c = 0; info == 0 && c < cols; c++) {
        double *root = covariance + (form->diagonal ? c : c * cols + c);

        if (form->diagonal)
            *root = *root > 0 ? sqrt(*root) : 0;
        info = *root > 0 ? 0 : 1;
        *ret_log -= info == 0 ? log(*root) : 0;
    }
    return info == 0;
}
