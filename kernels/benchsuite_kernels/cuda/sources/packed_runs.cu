// Packed bits to runs and back; ops/packed_runs.py describes their layout.
//
// A mask's words are looked at in segments of 1024 32-bit words, a block each, four words a thread.
#include "packed_bits.cuh"

#define SEGMENT 1024
#define WORDS_A_THREAD 4

// Where the pixels of this thread's words differ from the ones before them.
struct Changes {
  unsigned bits[WORDS_A_THREAD];
  long long first;  // pixel of the lowest bit
  int count;

  // words: of the mask, 32-bit; pixels: those beyond are no changes.
  __device__ __forceinline__ void find(const unsigned* mask, long long words, long long pixels,
                                       long long segment) {
    const long long word = segment * SEGMENT + threadIdx.x * WORDS_A_THREAD;
    first = word * WORD_BITS;
    count = 0;
    unsigned before = word > 0 && word <= words ? mask[word - 1] >> 31 : 0u;
    for (int i = 0; i < WORDS_A_THREAD; ++i) {
      const unsigned own = word + i < words ? mask[word + i] : 0u;
      const long long left = pixels - (first + i * WORD_BITS);
      const int valid = static_cast<int>(left < 0 ? 0 : left < WORD_BITS ? left : WORD_BITS);
      bits[i] = (own ^ (own << 1 | before)) & low_bits(valid);
      before = own >> 31;
      count += __popc(bits[i]);
    }
  }
};

// places: masks x segments, how many runs end in each; the image's end is in the last segment.
extern "C" __global__ void count_ends(const unsigned* bits, const long long* pixels,
                                      long long masks, long long words, long long segments,
                                      long long* places) {
  __shared__ long long sums[32];
  for (long long block = blockIdx.x; block < masks * segments; block += gridDim.x) {
    const long long index = block / segments, segment = block % segments;
    Changes changes;
    changes.find(bits + index * 2 * words, 2 * words, pixels[index], segment);
    const long long found = block_sum(changes.count, sums);
    if (threadIdx.x == 0) places[block] = found + (segment == segments - 1);
  }
}

// One block. places: from how many end in each segment to how many end before it, and at last in
// all; runs: the starts of each mask.
extern "C" __global__ void place_ends(long long* places, long long masks, long long segments,
                                      int* runs) {
  __shared__ long long sums[32];
  const long long parts = masks * segments;
  long long start = 0;
  for (long long base = 0; base < parts; base += blockDim.x) {
    const long long part = base + threadIdx.x;
    const long long own = part < parts ? places[part] : 0;
    long long total;
    const long long place = start + sum_before(own, sums, &total);
    if (part < parts) places[part] = place;
    if (part < parts && part % segments == 0) runs[part / segments] = static_cast<int>(place);
    start += total;
  }
  if (threadIdx.x == 0) {
    places[parts] = start;
    runs[masks] = static_cast<int>(start < 0x7fffffff ? start : 0x7fffffff);
  }
}

extern "C" __global__ void write_ends(const unsigned* bits, const long long* pixels,
                                      long long masks, long long words, long long segments,
                                      const long long* places, long long capacity, int* runs) {
  __shared__ long long sums[32];
  int* const ends = runs + masks + 1;
  for (long long block = blockIdx.x; block < masks * segments; block += gridDim.x) {
    const long long index = block / segments, segment = block % segments;
    Changes changes;
    changes.find(bits + index * 2 * words, 2 * words, pixels[index], segment);
    long long total;
    long long place = places[block] + sum_before(changes.count, sums, &total);
    for (int i = 0; i < WORDS_A_THREAD; ++i)
      for (unsigned left = changes.bits[i]; left; left &= left - 1, ++place)
        if (place < capacity)
          ends[place] = static_cast<int>(changes.first + i * WORD_BITS + __ffs(left) - 1);
    const long long last = places[block + 1] - 1;
    if (threadIdx.x == 0 && segment == segments - 1 && last < capacity)
      ends[last] = static_cast<int>(pixels[index]);
  }
}

// bits: masks x words 64-bit words, zeros. A warp a run at a time.
extern "C" __global__ void fill_runs(const int* runs, long long masks, long long capacity,
                                     long long words, unsigned* bits) {
  const int lane = threadIdx.x % 32;
  const long long parts = gridDim.x / masks, limit = words * 2 * WORD_BITS;
  const long long warps = parts * (blockDim.x / 32);
  const long long index = blockIdx.x / parts;
  const long long warp = blockIdx.x % parts * (blockDim.x / 32) + threadIdx.x / 32;
  const int* const ends = runs + masks + 1;
  const long long stop = runs[index + 1] < capacity ? runs[index + 1] : capacity;
  unsigned* const mask = bits + index * 2 * words;
  for (long long run = runs[index] + 2 * warp; run + 1 < stop; run += 2 * warps) {
    const long long begin = ends[run], end = ends[run + 1] < limit ? ends[run + 1] : limit;
    if (begin < 0 || begin >= end) continue;
    const long long last = (end - 1) / WORD_BITS;
    for (long long word = begin / WORD_BITS + lane; word <= last; word += 32) {
      unsigned set = ALL_BITS;
      if (word == begin / WORD_BITS) set &= ~low_bits(static_cast<int>(begin % WORD_BITS));
      if (word == last) set &= low_bits(static_cast<int>((end - 1) % WORD_BITS + 1));
      // Another run may end or begin in the same word.
      if (set == ALL_BITS)
        mask[word] = set;
      else
        atomicOr(mask + word, set);
    }
  }
}
