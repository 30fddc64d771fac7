// Polygons as regions see them; ops/polygon_targets.py gives the conventions, and
// csrc/rle_polygons.cpp tells how the boundary is followed. Numbers are truncated towards zero as
// pycocotools' casts do.
//
// Cells are counted column by column. Where the boundary crosses a column the cells behind it change
// sides: changes are bits that are turned over, and a cell is inside where their number up to it is
// odd.
#include "packed_bits.cuh"

#define FINE 5
#define MIDDLE 2
#define SHORTEST_SIDE 0.1f
#define LARGEST_COORDINATE 4e8

// A region's grid.
struct Grid {
  double left, top, wider, higher;
  long long cells;

  __device__ __forceinline__ void place(const float* box, long long size) {
    const float width = box[2] - box[0], height = box[3] - box[1], side = static_cast<float>(size);
    left = box[0];
    top = box[1];
    wider = side / (width < SHORTEST_SIDE ? SHORTEST_SIDE : width);
    higher = side / (height < SHORTEST_SIDE ? SHORTEST_SIDE : height);
    cells = size;
  }

  // On a grid five times as fine; false where it cannot be drawn.
  __device__ __forceinline__ bool fine(const double* point, long long* x, long long* y) const {
    const double moved_x = (point[0] - left) * wider, moved_y = (point[1] - top) * higher;
    if (!(fabs(moved_x) <= LARGEST_COORDINATE && fabs(moved_y) <= LARGEST_COORDINATE)) return false;
    *x = static_cast<long long>(FINE * moved_x + .5);
    *y = static_cast<long long>(FINE * moved_y + .5);
    return true;
  }

  __device__ __forceinline__ void change(long long column, long long fine_row,
                                         unsigned* changes) const {
    const long long below = fine_row <= MIDDLE ? 0 : (fine_row - MIDDLE + FINE - 1) / FINE;
    const long long cell = column * cells + (below < cells ? below : cells);
    atomicXor(changes + cell / WORD_BITS, 1u << (cell % WORD_BITS));
  }

  __device__ void follow(long long x, long long y, long long x_end, long long y_end,
                         unsigned* changes) const {
    const long long across = x_end < x ? x - x_end : x_end - x;
    const long long down = y_end < y ? y - y_end : y_end - y;
    const bool flat = across >= down;
    if (flat ? x > x_end : y > y_end) {
      const long long x_first = x, y_first = y;
      x = x_end;
      y = y_end;
      x_end = x_first;
      y_end = y_first;
    }
    // Columns whose middle lies between the ends.
    const long long low = x < x_end ? x : x_end, high = x < x_end ? x_end : x;
    const long long first = low <= MIDDLE ? 0 : (low - MIDDLE + FINE - 1) / FINE;
    long long last = high <= MIDDLE ? -1 : (high - MIDDLE - 1) / FINE;
    if (last > cells - 1) last = cells - 1;
    if (first > last) return;
    if (flat) {
      const double slope = static_cast<double>(y_end - y) / static_cast<double>(across);
      for (long long column = first; column <= last; ++column) {
        const long long step = FINE * column + MIDDLE - x;
        const long long here = static_cast<long long>(y + slope * static_cast<double>(step) + .5);
        const long long next =
            static_cast<long long>(y + slope * static_cast<double>(step + 1) + .5);
        change(column, here < next ? here : next, changes);
      }
      return;
    }
    const double slope = static_cast<double>(x_end - x) / static_cast<double>(down);
    const bool rightward = x_end > x;
    for (long long column = first; column <= last; ++column) {
      const long long middle = FINE * column + MIDDLE;
      // The first step beyond the middle: about where the line is halfway, then exactly.
      long long step = static_cast<long long>((static_cast<double>(middle - x) + .5) / slope);
      step = step < 1 ? 1 : step > down ? down : step;
      while (step > 1 && is_beyond(x, slope, step - 1, middle, rightward)) --step;
      while (step < down && !is_beyond(x, slope, step, middle, rightward)) ++step;
      change(column, y + step - 1, changes);
    }
  }

  __device__ __forceinline__ static bool is_beyond(long long x, double slope, long long step,
                                                   long long middle, bool rightward) {
    const long long at = static_cast<long long>(x + slope * static_cast<double>(step) + .5);
    return (at > middle) == rightward;
  }
};

// Lane's share of: the cells that are inside by the changes are added to `united`; one warp.
__device__ __forceinline__ void unite(const unsigned* changes, unsigned* united, long long words) {
  const int lane = threadIdx.x % 32;
  unsigned inside = 0;  // whether the cell before this warp's words is
  for (long long base = 0; base < words; base += 32) {
    const long long word = base + lane;
    unsigned cells = word < words ? changes[word] : 0u;
    for (int step = 1; step < WORD_BITS; step *= 2) cells ^= cells << step;
    const unsigned odd = __ballot_sync(ALL_BITS, cells >> 31);
    if ((__popc(odd & low_bits(lane)) + inside) % 2) cells = ~cells;
    if (word < words) united[word] |= cells;
    inside = (inside + __popc(odd)) % 2;
  }
}

// A block a region. Shared memory: two bits a cell. targets: regions x size x size.
extern "C" __global__ void polygon_targets(const double* points, const long long* polygon_starts,
                                           const long long* mask_starts, long long masks,
                                           const long long* matched, const float* boxes,
                                           long long regions, long long size, bool* targets) {
  extern __shared__ unsigned shared_words[];
  __shared__ int undrawable;
  const long long cells = size * size, words = cells / WORD_BITS + 1;
  unsigned* const united = shared_words;
  unsigned* const changes = shared_words + words;
  for (long long region = blockIdx.x; region < regions; region += gridDim.x) {
    const long long mask = matched[region];
    const bool known = mask >= 0 && mask < masks;
    const long long first = known ? mask_starts[mask] : 0, end = known ? mask_starts[mask + 1] : 0;
    Grid grid;
    grid.place(boxes + 4 * region, size);
    __syncthreads();
    if (threadIdx.x == 0) undrawable = 0;
    for (long long word = threadIdx.x; word < words; word += blockDim.x) united[word] = 0;
    for (long long polygon = first; polygon < end; ++polygon) {
      for (long long word = threadIdx.x; word < words; word += blockDim.x) changes[word] = 0;
      __syncthreads();
      const long long start = polygon_starts[polygon], stop = polygon_starts[polygon + 1];
      for (long long corner = start + threadIdx.x; corner < stop; corner += blockDim.x) {
        const long long next = corner + 1 < stop ? corner + 1 : start;
        long long x, y, x_next, y_next;
        if (grid.fine(points + 2 * corner, &x, &y) && grid.fine(points + 2 * next, &x_next, &y_next))
          grid.follow(x, y, x_next, y_next, changes);
        else
          undrawable = 1;
      }
      __syncthreads();
      if (threadIdx.x < 32) unite(changes, united, words);
      __syncthreads();
    }
    __syncthreads();
    for (long long cell = threadIdx.x; cell < cells; cell += blockDim.x) {
      const long long place = cell % size * size + cell / size;
      targets[region * cells + cell] =
          !undrawable && (united[place / WORD_BITS] >> (place % WORD_BITS) & 1u);
    }
  }
}
