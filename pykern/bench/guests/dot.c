/* Packed SSE2: scaled sums and dot products over floats (4 lanes) and doubles (2 lanes). */
#include "guest.h"

#define LANES 4096

typedef float F4 __attribute__((vector_size(16)));
typedef double D2 __attribute__((vector_size(16)));

static float dot(F4 *a, const F4 *b)
{
    F4 sum = {0}, scale = {0.5f, 0.25f, 0.125f, 1.0f};

    for (u32 i = 0; i < LANES / 4; i++) {
        sum += a[i] * b[i];
        a[i] = a[i] * scale + b[i];
    }
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static double norm(D2 *a, const D2 *b)
{
    D2 sum = {0}, half = {0.5, 0.5};

    for (u32 i = 0; i < LANES / 2; i++) {
        D2 difference = a[i] - b[i];

        sum += difference * difference;
        a[i] = a[i] * half + b[i];
    }
    return sum[0] + sum[1];
}

u64 run(u64 iterations, const u64 *arguments)
{
    float *f = (float *)HEAP;
    double *d = (double *)(HEAP + (1 << 20));
    u64 sum = 0;

    for (u32 i = 0; i < 2 * LANES; i++) {
        f[i] = (i % 97) * 0.25f;
        d[i] = (i % 89) * 0.125;
    }
    for (; iterations; iterations--) {
        sum = sum * 5 + (u64)(dot((F4 *)f, (F4 *)(f + LANES)) * 16.0f);
        sum = sum * 5 + (u64)(norm((D2 *)d, (D2 *)(d + LANES)) * 16.0);
    }
    return sum;
}
