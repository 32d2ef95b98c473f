/* Adam down Rosenbrock's valley: one array a coordinate, a record every so many steps. What a core can do. */
#include <math.h>

void sweep(long runs, long steps, long every, const float *restrict rate, float *restrict x, float *restrict y,
           float *restrict mx, float *restrict my, float *restrict vx, float *restrict vy, float *restrict out)
{
    const float b1 = 0.9f, b2 = 0.999f, eps = 1e-8f;
    float p1 = 1, p2 = 1;
    for (long t = 1; t <= steps; t++) {
        p1 *= b1;
        p2 *= b2;
        const float c1 = 1 - p1, c2 = 1 - p2;
        for (long i = 0; i < runs; i++) {
            float a = x[i], b = y[i], r = b - a * a;
            float gx = -400 * a * r - 2 * (1 - a), gy = 200 * r;
            mx[i] = b1 * mx[i] + (1 - b1) * gx;
            my[i] = b1 * my[i] + (1 - b1) * gy;
            vx[i] = b2 * vx[i] + (1 - b2) * gx * gx;
            vy[i] = b2 * vy[i] + (1 - b2) * gy * gy;
            x[i] = a - rate[i] * (mx[i] / c1) / (sqrtf(vx[i] / c2) + eps);
            y[i] = b - rate[i] * (my[i] / c1) / (sqrtf(vy[i] / c2) + eps);
        }
        if (t % every == 0) {
            for (long i = 0; i < runs; i++) {
                float r = y[i] - x[i] * x[i], q = 1 - x[i];
                out[i] = x[i];
                out[runs + i] = y[i];
                out[2 * runs + i] = 100 * r * r + q * q;
            }
            out += 3 * runs;
        }
    }
}
