// Runs to the letters of COCO's compressed run lengths; columns/rle_reference.py describes them.
//
// Runs are looked at in chunks of 1024, a block each, four runs a thread.
#include "packed_bits.cuh"

#define CHUNK 1024
#define RUNS_A_THREAD 4

// The runs of all masks, of which `count` have found room.
struct Runs {
  const int* starts;
  const int* ends;
  long long masks, count;

  __device__ __forceinline__ Runs(const int* runs, long long all_masks, long long capacity) {
    starts = runs;
    ends = runs + all_masks + 1;
    masks = all_masks;
    count = runs[all_masks] < capacity ? runs[all_masks] : capacity;
  }

  // The mask that has a run.
  __device__ __forceinline__ long long mask_of(long long run) const {
    long long low = 0, high = masks;
    while (high - low > 1) {
      const long long middle = (low + high) / 2;
      if (starts[middle] <= run)
        low = middle;
      else
        high = middle;
    }
    return low;
  }

  // What is written of a run of a mask whose first is `first`.
  __device__ __forceinline__ int number(long long run, long long first) const {
    const int length = ends[run] - (run > first ? ends[run - 1] : 0);
    if (run - first < 3) return length;
    return length - (ends[run - 2] - ends[run - 3]);
  }
};

// The next letter of a number, which becomes what is left; `more`: whether a letter follows.
__device__ __forceinline__ int next_letter(int* number, bool* more) {
  const int low = *number & 31;
  *number >>= 5;
  *more = low & 16 ? *number != -1 : *number != 0;
  return (low | (*more ? 32 : 0)) + 48;
}

__device__ __forceinline__ int letters_of(int number) {
  int count = 0;
  for (bool more = true; more; ++count) next_letter(&number, &more);
  return count;
}

// Letters of this thread's runs.
__device__ __forceinline__ int own_letters(const Runs& runs, long long chunk) {
  int count = 0;
  for (int i = 0; i < RUNS_A_THREAD; ++i) {
    const long long run = chunk * CHUNK + threadIdx.x * RUNS_A_THREAD + i;
    if (run < runs.count) count += letters_of(runs.number(run, runs.starts[runs.mask_of(run)]));
  }
  return count;
}

// places: chunks, how many letters each has.
extern "C" __global__ void count_letters(const int* all_runs, long long masks, long long capacity,
                                         long long chunks, long long* places) {
  __shared__ long long sums[32];
  const Runs runs(all_runs, masks, capacity);
  for (long long chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    const long long found = block_sum(own_letters(runs, chunk), sums);
    if (threadIdx.x == 0) places[chunk] = found;
  }
}

// One block. places: from how many letters each chunk has to how many lie before it, and at last in
// all.
extern "C" __global__ void place_letters(long long chunks, long long* places) {
  __shared__ long long sums[32];
  long long start = 0;
  for (long long base = 0; base < chunks; base += blockDim.x) {
    const long long chunk = base + threadIdx.x;
    long long total;
    const long long own = chunk < chunks ? places[chunk] : 0;
    const long long before = start + sum_before(own, sums, &total);
    if (chunk < chunks) places[chunk] = before;
    start += total;
  }
  if (threadIdx.x == 0) places[chunks] = start;
}

// heads: masks + 2: where the letters of each mask begin, how many there are, and how many runs.
extern "C" __global__ void write_letters(const int* all_runs, long long masks, long long capacity,
                                         long long chunks, const long long* places,
                                         long long letter_capacity, int* heads,
                                         unsigned char* letters) {
  __shared__ long long sums[32];
  const Runs runs(all_runs, masks, capacity);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    heads[masks] = static_cast<int>(places[chunks] < 0x7fffffff ? places[chunks] : 0x7fffffff);
    heads[masks + 1] = all_runs[masks];
  }
  for (long long chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    long long total;
    long long place = places[chunk] + sum_before(own_letters(runs, chunk), sums, &total);
    for (int i = 0; i < RUNS_A_THREAD; ++i) {
      const long long run = chunk * CHUNK + threadIdx.x * RUNS_A_THREAD + i;
      if (run >= runs.count) break;
      const long long mask = runs.mask_of(run), first = runs.starts[mask];
      if (run == first) heads[mask] = static_cast<int>(place);
      int number = runs.number(run, first);
      for (bool more = true; more; ++place) {
        const int letter = next_letter(&number, &more);
        if (place < letter_capacity) letters[place] = static_cast<unsigned char>(letter);
      }
    }
  }
}
