// Greedy suppression of N images, each with M candidates in descending order of score.
//
// Candidates are taken a chunk of `words` * 64 at a time, so that memory does not grow with the
// square of M. For each chunk, `drop_overlapping` marks what overlaps a box kept of the chunks
// before, `find_overlaps` notes for each pair within the chunk whether the better one would drop
// the other, and `keep_best` goes through the chunk from the best candidate on. An image that has
// its `limit` boxes is left alone from then on.
//
// Absent candidates have a score of minus infinity, and stand last.
#include "nms_boxes.cuh"

typedef unsigned long long Word;  // a bit for each of 64 candidates, the first the lowest

constexpr int kWord = 64;
constexpr int kTile = 1024;        // kept boxes that a block of `drop_overlapping` looks at
constexpr int kKeepThreads = 256;  // of a block of `keep_best`
constexpr float kLeastFinite = -3.402823466e38f;

// Candidates of one image, by their place in descending order of score.
struct Candidates {
  const long long* order;
  const float* scores;
  const long long* groups;
  long long count;

  __device__ Candidates(const long long* order, const float* scores, const long long* groups,
                        long long count, long long group_stride, long long image)
      : order(order + image * count),
        scores(scores + image * count),
        groups(groups + image * group_stride),
        count(count) {}

  __device__ bool present(long long place) const {
    return place < count && !(scores[place] < kLeastFinite);
  }
};

// overlaps: N x (words * 64) x words; bit j of word w of row i tells that the chunk's candidate i
// drops candidate w * 64 + j if it is kept itself. Only words at and behind the row's own one that
// hold a present candidate are written. others and other_groups: shared memory for `kWord`.
template <class Box>
__device__ void find_overlaps(Box* others, long long* other_groups,
                              const typename Box::Number* boxes, const long long* order,
                              const float* scores, const long long* groups,
                              const long long* counts, Word* overlaps, long long count,
                              long long group_stride, long long start, long long words,
                              long long limit, float threshold) {
  const long long image = blockIdx.x / (words * words);
  const long long row_word = blockIdx.x / words % words, column_word = blockIdx.x % words;
  const Candidates candidates(order, scores, groups, count, group_stride, image);
  const long long first_other = start + column_word * kWord;
  if (column_word < row_word || !candidates.present(first_other) || counts[image] >= limit) return;

  const int lane = threadIdx.x;
  if (first_other + lane < count) {
    const long long other = candidates.order[first_other + lane];
    others[lane] = Box::load(boxes + (image * count + other) * Box::kNumbers);
    other_groups[lane] = candidates.groups[other];
  }
  __syncthreads();
  const long long row = row_word * kWord + lane, place = start + row;
  if (place >= count) return;
  const long long index = candidates.order[place];
  const Box box = Box::load(boxes + (image * count + index) * Box::kNumbers);
  const long long group = candidates.groups[index];
  const long long behind = count - first_other;
  const int end = behind < kWord ? static_cast<int>(behind) : kWord;
  Word bits = 0;
  for (int j = column_word == row_word ? lane + 1 : 0; j < end; ++j)
    if (other_groups[j] == group && Box::overlap(box, others[j]) > threshold) bits |= Word{1} << j;
  overlaps[((image * words + row_word) * kWord + lane) * words + column_word] = bits;
}

// dropped: N x words, zeros at the beginning; a bit for each candidate of the chunk. kept and
// kept_groups: shared memory for `kWord`.
template <class Box>
__device__ void drop_overlapping(Box* kept, long long* kept_groups,
                                 const typename Box::Number* boxes, const long long* order,
                                 const float* scores, const long long* groups,
                                 const long long* index, const long long* counts,
                                 Word* dropped, long long count, long long group_stride,
                                 long long start, long long words, long long tiles,
                                 long long limit, float threshold) {
  const long long image = blockIdx.x / (words * tiles);
  const long long word = blockIdx.x / tiles % words, tile = blockIdx.x % tiles;
  const long long kept_count = counts[image], tile_start = tile * kTile;
  const Candidates candidates(order, scores, groups, count, group_stride, image);
  const long long first = start + word * kWord;
  if (tile_start >= kept_count || kept_count >= limit || !candidates.present(first)) return;

  const int lane = threadIdx.x;
  const long long place = first + lane;
  const bool exists = place < count;
  const long long own = exists ? candidates.order[place] : candidates.order[first];
  const Box box = Box::load(boxes + (image * count + own) * Box::kNumbers);
  const long long group = candidates.groups[own];
  const long long tile_end = tile_start + kTile < kept_count ? tile_start + kTile : kept_count;
  bool drops = false;
  for (long long base = tile_start; base < tile_end; base += kWord) {
    const int size = tile_end - base < kWord ? static_cast<int>(tile_end - base) : kWord;
    if (lane < size) {
      const long long other = index[image * limit + base + lane];
      kept[lane] = Box::load(boxes + (image * count + other) * Box::kNumbers);
      kept_groups[lane] = candidates.groups[other];
    }
    __syncthreads();
    for (int j = 0; j < size && !drops; ++j)
      drops = kept_groups[j] == group && Box::overlap(kept[j], box) > threshold;
    __syncthreads();
  }
  const unsigned bits = __ballot_sync(0xffffffffu, exists && drops);
  if (lane % 32 == 0 && bits) atomicOr(dropped + image * words + word, Word{bits} << lane);
}

extern "C" __global__ void find_upright_overlaps(
    const float* boxes, const long long* order, const float* scores, const long long* groups,
    const long long* counts, unsigned long long* overlaps, long long count, long long group_stride,
    long long start, long long words, long long limit, float threshold) {
  __shared__ UprightBox others[kWord];
  __shared__ long long other_groups[kWord];
  find_overlaps(others, other_groups, boxes, order, scores, groups, counts, overlaps, count,
                group_stride, start, words, limit, threshold);
}

extern "C" __global__ void find_rotated_overlaps(
    const double* boxes, const long long* order, const float* scores, const long long* groups,
    const long long* counts, unsigned long long* overlaps, long long count, long long group_stride,
    long long start, long long words, long long limit, float threshold) {
  __shared__ TurnedBox others[kWord];
  __shared__ long long other_groups[kWord];
  find_overlaps(others, other_groups, boxes, order, scores, groups, counts, overlaps, count,
                group_stride, start, words, limit, threshold);
}

extern "C" __global__ void drop_upright(
    const float* boxes, const long long* order, const float* scores, const long long* groups,
    const long long* index, const long long* counts, unsigned long long* dropped, long long count,
    long long group_stride, long long start, long long words, long long tiles, long long limit,
    float threshold) {
  __shared__ UprightBox kept[kWord];
  __shared__ long long kept_groups[kWord];
  drop_overlapping(kept, kept_groups, boxes, order, scores, groups, index, counts, dropped, count,
                   group_stride, start, words, tiles, limit, threshold);
}

extern "C" __global__ void drop_rotated(
    const double* boxes, const long long* order, const float* scores, const long long* groups,
    const long long* index, const long long* counts, unsigned long long* dropped, long long count,
    long long group_stride, long long start, long long words, long long tiles, long long limit,
    float threshold) {
  __shared__ TurnedBox kept[kWord];
  __shared__ long long kept_groups[kWord];
  drop_overlapping(kept, kept_groups, boxes, order, scores, groups, index, counts, dropped, count,
                   group_stride, start, words, tiles, limit, threshold);
}

// A block an image. Writes the places of the candidates that are kept to index (N x limit) behind
// the `counts` of the chunks before. The dynamic shared memory holds `words` words.
extern "C" __global__ void keep_best(
    const long long* order, const float* scores, const unsigned long long* overlaps,
    const unsigned long long* dropped, long long* index, long long* counts, long long count,
    long long start, long long words, long long limit) {
  extern __shared__ char shared_memory[];
  __shared__ Word rows[kWord];  // of the word at hand: what each candidate would drop of it
  __shared__ unsigned present_bits[2];
  __shared__ Word kept_bits;
  __shared__ int kept_rows[kWord];
  Word* const gone = reinterpret_cast<Word*>(shared_memory);
  const long long image = blockIdx.x;
  const Candidates candidates(order, scores, nullptr, count, 0, image);
  long long kept_count = counts[image];
  if (kept_count >= limit) return;

  const int thread = threadIdx.x, lane = thread % kWord, part = thread / kWord;
  overlaps += image * words * kWord * words;
  for (long long word = thread; word < words; word += kKeepThreads)
    gone[word] = dropped[image * words + word];
  // What a word needs is read while the word before is worked on.
  bool present = candidates.present(start + lane);
  Word row = present && part == 0 ? overlaps[lane * words] : 0;
  for (long long word = 0; word < words; ++word) {
    if (part == 0) {
      rows[lane] = row;
      const unsigned bits = __ballot_sync(0xffffffffu, present);
      if (lane % 32 == 0) present_bits[lane / 32] = bits;
    }
    __syncthreads();
    const Word present_word = Word{present_bits[1]} << 32 | present_bits[0];
    if (present_word == 0) break;
    const long long next = (word + 1) * kWord + lane;
    if (part == 0 && word + 1 < words) {
      present = candidates.present(start + next);
      row = present ? overlaps[next * words + word + 1] : 0;
    }
    if (thread == 0) {
      Word left = present_word & ~gone[word], kept = 0;
      for (long long room = limit - kept_count; left && room > 0; --room) {
        const int best = __ffsll(static_cast<long long>(left)) - 1;
        kept |= Word{1} << best;
        left &= ~(rows[best] | Word{1} << best);
      }
      kept_bits = kept;
    }
    __syncthreads();
    const Word kept = kept_bits;
    const int size = __popcll(kept);
    if (part == 0 && kept >> lane & 1) {
      const int rank = __popcll(kept & ((Word{1} << lane) - 1));
      kept_rows[rank] = lane;
      index[image * limit + kept_count + rank] = candidates.order[start + word * kWord + lane];
    }
    kept_count += size;
    if (kept_count >= limit) break;
    __syncthreads();
    for (long long later = word + 1 + lane; later < words; later += kWord) {
      Word bits = 0;
      for (int i = part; i < size; i += kKeepThreads / kWord)
        bits |= overlaps[(word * kWord + kept_rows[i]) * words + later];
      if (bits) atomicOr(gone + later, bits);
    }
    __syncthreads();
  }
  if (thread == 0) counts[image] = kept_count;
}
