// Instances and a semantic map into one map; ops/panoptic_merge.py gives the rules.
//
// Which masks stay hangs on the better ones, one after the other; but then each pixel belongs to the
// best mask that stays and has it, which all pixels find out at once.
#include "packed_bits.cuh"

__device__ __forceinline__ double as_double(long long bits) {
  union {
    long long whole;
    double number;
  } both;
  both.whole = bits;
  return both.number;
}

// A block a mask of `words` 32-bit words. extents: its area, its first word that holds a pixel, and
// the one behind its last.
extern "C" __global__ void panoptic_extents(const unsigned* bits, long long words, long long stride,
                                            long long* extents) {
  __shared__ long long sums[32];
  __shared__ int first, last;
  const unsigned* mask = bits + blockIdx.x * stride;
  if (threadIdx.x == 0) {
    first = static_cast<int>(words);
    last = 0;
  }
  __syncthreads();
  long long area = 0;
  int low = static_cast<int>(words), high = 0;
  for (int word = threadIdx.x; word < words; word += blockDim.x) {
    const unsigned own = mask[word];
    if (!own) continue;
    area += __popc(own);
    low = word < low ? word : low;
    high = word + 1;
  }
  atomicMin(&first, low);
  atomicMax(&last, high);
  area = block_sum(area, sums);  // waits for all
  if (threadIdx.x == 0) {
    extents[3 * blockIdx.x] = area;
    extents[3 * blockIdx.x + 1] = first;
    extents[3 * blockIdx.x + 2] = last;
  }
}

// One block. order: of `masks` masks, best first; overlap_bits: a double. taken: words, zeros.
// numbers: masks, zeros; becomes the number of each one's segment. kept: masks + 1; becomes which
// masks stay, and at last how many.
extern "C" __global__ void panoptic_choose(const unsigned* bits, long long stride,
                                           const long long* extents, const long long* order,
                                           const float* scores, long long masks, float least_score,
                                           long long overlap_bits, unsigned* taken, int* numbers,
                                           int* kept) {
  __shared__ long long sums[32];
  __shared__ bool stays;
  const double overlap = as_double(overlap_bits);
  int count = 0;
  for (long long i = 0; i < masks; ++i) {
    const long long which = order[i];
    const long long area = extents[3 * which];
    if (!(scores[which] >= least_score) || area == 0) continue;  // alike in all threads
    const unsigned* mask = bits + which * stride;
    const long long last = extents[3 * which + 2];
    // Each word is always the same thread's.
    const long long begin = extents[3 * which + 1] / blockDim.x * blockDim.x + threadIdx.x;
    long long covered = 0;
    for (long long word = begin; word < last; word += blockDim.x)
      covered += __popc(mask[word] & taken[word]);
    covered = block_sum(covered, sums);
    if (threadIdx.x == 0)
      stays = !(static_cast<double>(covered) / static_cast<double>(area) > overlap);
    __syncthreads();
    if (!stays) continue;
    for (long long word = begin; word < last; word += blockDim.x) taken[word] |= mask[word];
    if (threadIdx.x == 0) {
      numbers[which] = count + 1;
      kept[count] = static_cast<int>(which);
    }
    ++count;
  }
  if (threadIdx.x == 0) kept[masks] = count;
}

// A thread 32 pixels of a column, neighbours side by side. ids: height x width, zeros; areas:
// classes, zeros; becomes how many free pixels each class has. Shared memory: classes numbers.
extern "C" __global__ void panoptic_paint(const unsigned* bits, long long words, long long stride,
                                          const int* kept, long long masks, const int* semantic,
                                          long long height, long long width, long long classes,
                                          int* ids, int* areas) {
  extern __shared__ int found[];
  for (long long label = threadIdx.x; label < classes; label += blockDim.x) found[label] = 0;
  __syncthreads();
  const int count = kept[masks];
  const long long chunks = (height + WORD_BITS - 1) / WORD_BITS;
  const long long threads = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < chunks * width; i += threads) {
    const long long x = i % width, y = i / width * WORD_BITS;
    const int rows = static_cast<int>(height - y < WORD_BITS ? height - y : WORD_BITS);
    const long long pixel = x * height + y, word = pixel / WORD_BITS;
    const int shift = static_cast<int>(pixel % WORD_BITS);
    unsigned free = low_bits(rows);
    for (int rank = 0; rank < count && free; ++rank) {
      const unsigned* mask = bits + kept[rank] * stride + word;
      unsigned own = mask[0] >> shift;
      if (shift && word + 1 < words) own |= mask[1] << (WORD_BITS - shift);
      own &= free;
      free &= ~own;
      for (int row = 0; own >> row; ++row) {
        if (own >> row & 1u) ids[(y + row) * width + x] = rank + 1;
        if (row == WORD_BITS - 1) break;
      }
    }
    for (int row = 0; row < rows; ++row) {
      if (!(free >> row & 1u)) continue;
      const int label = semantic[(y + row) * width + x];
      if (label >= 0 && label < classes) atomicAdd(found + label, 1);
    }
  }
  __syncthreads();
  for (long long label = threadIdx.x; label < classes; label += blockDim.x)
    if (found[label]) atomicAdd(areas + label, found[label]);
}

// One thread. stuff: classes; becomes the number of each one's segment, behind those of masks.
extern "C" __global__ void panoptic_number(const int* areas, const int* kept, long long masks,
                                           long long classes, long long least, int* stuff) {
  if (threadIdx.x != 0) return;
  int number = kept[masks];
  for (long long label = 0; label < classes; ++label) {
    const bool enough = label > 0 && areas[label] > 0 && areas[label] >= least;
    stuff[label] = enough ? ++number : 0;
  }
}

extern "C" __global__ void panoptic_fill(const int* semantic, const int* stuff, long long classes,
                                         long long pixels, int* ids) {
  const long long threads = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < pixels;
       i += threads) {
    const int label = semantic[i];
    if (ids[i] == 0 && label >= 0 && label < classes) ids[i] = stuff[label];
  }
}
