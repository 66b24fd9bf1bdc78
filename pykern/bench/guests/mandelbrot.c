/* Scalar SSE2 doubles: escape times of the Mandelbrot set on a 64 x 64 grid. */
#include "guest.h"

static u32 escape_time(double cx, double cy)
{
    double x = 0, y = 0;
    u32 n = 0;

    while (n < 100 && x * x + y * y < 4.0) {
        double next = x * x - y * y + cx;

        y = 2 * x * y + cy;
        x = next;
        n++;
    }
    return n;
}

u64 run(u64 iterations, const u64 *arguments)
{
    u64 sum = 0;

    for (; iterations; iterations--)
        for (u32 row = 0; row < 64; row++)
            for (u32 column = 0; column < 64; column++)
                sum = sum * 3 + escape_time(column / 24.0 - 2.0, row / 26.0 - 1.2);
    return sum;
}
