/* Three nested loops: product of two 64 x 64 matrices of 32-bit integers. */
#include "guest.h"

#define N 64

typedef u32 Matrix[N][N];

static void multiply(Matrix c, Matrix a, Matrix b)
{
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++) {
            u32 sum = 0;

            for (u32 n = 0; n < N; n++)
                sum += a[i][n] * b[n][j];
            c[i][j] = sum;
        }
}

u64 run(u64 iterations, const u64 *arguments)
{
    Matrix *m = (Matrix *)HEAP;
    u64 sum = 0;

    for (u32 i = 0; i < N * N; i++) {
        m[0][i / N][i % N] = i * 7 + 1;
        m[1][i / N][i % N] = i * 13 + 5;
    }
    for (; iterations; iterations--) {
        multiply(m[2], m[0], m[1]);
        sum = sum * 31 + m[2][N / 2][N - 1];
        m[0][0][0] ^= sum;
        m[0][N / 2][3] += sum;
    }
    return sum;
}
