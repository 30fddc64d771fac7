// Barriers, and what the threads of a warp tell each other.
#pragma once

#include "block.hpp"

#define EMULATION_SITE(function) \
  emulation::Site { function, file, line }
#define EMULATION_WHERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(EMULATION_WHERE) {
  emulation::meet_block(EMULATION_SITE("__syncthreads"), false);
}
inline int __syncthreads_count(int predicate, EMULATION_WHERE) {
  return emulation::meet_block(EMULATION_SITE("__syncthreads_count"), predicate != 0);
}
inline int __syncthreads_or(int predicate, EMULATION_WHERE) {
  return emulation::meet_block(EMULATION_SITE("__syncthreads_or"), predicate != 0) > 0;
}
inline int __syncthreads_and(int predicate, EMULATION_WHERE) {
  return emulation::meet_block(EMULATION_SITE("__syncthreads_and"), predicate != 0) ==
         emulation::count;
}

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

namespace emulation {

constexpr unsigned kWholeWarp = 0xffffffffu;

// What a shuffle takes from a lane that does not take part is not defined in CUDA.
constexpr uint64_t kNobody = ~uint64_t{0};

inline void meet_only(Thread*, unsigned) {}

inline void meet_ballot(Thread* warp, unsigned mask) {
  uint64_t votes = 0;
  for (int lane = 0; lane < kWarp; ++lane)
    if (mask >> lane & 1 && warp[lane].given) votes |= uint64_t{1} << lane;
  for (int lane = 0; lane < kWarp; ++lane)
    if (mask >> lane & 1) warp[lane].taken = votes;
}

inline void meet_all(Thread* warp, unsigned mask) {
  bool all = true;
  for (int lane = 0; lane < kWarp; ++lane)
    if (mask >> lane & 1) all = all && warp[lane].given;
  for (int lane = 0; lane < kWarp; ++lane)
    if (mask >> lane & 1) warp[lane].taken = all;
}

inline void meet_match(Thread* warp, unsigned mask) {
  for (int lane = 0; lane < kWarp; ++lane) {
    if (!(mask >> lane & 1)) continue;
    warp[lane].taken = 0;
    for (int other = 0; other < kWarp; ++other)
      if (mask >> other & 1 && warp[other].given == warp[lane].given)
        warp[lane].taken |= uint64_t{1} << other;
  }
}

inline void meet_shuffle(Thread* warp, unsigned mask) {
  for (int lane = 0; lane < kWarp; ++lane) {
    if (!(mask >> lane & 1)) continue;
    const int from = warp[lane].wanted;
    warp[lane].taken = mask >> from & 1 ? warp[from].given : kNobody;
  }
}

template <class T>
T shuffle(const Site& site, unsigned mask, T value, int from) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = meet_warp(site, meet_shuffle, mask, bits, from);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace emulation

inline void __syncwarp(unsigned mask = emulation::kWholeWarp, EMULATION_WHERE) {
  emulation::meet_warp(EMULATION_SITE("__syncwarp"), emulation::meet_only, mask, 0, 0);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATION_WHERE) {
  return static_cast<unsigned>(emulation::meet_warp(
      EMULATION_SITE("__ballot_sync"), emulation::meet_ballot, mask, predicate != 0, 0));
}
inline int __any_sync(unsigned mask, int predicate, EMULATION_WHERE) {
  return emulation::meet_warp(EMULATION_SITE("__any_sync"), emulation::meet_ballot, mask,
                              predicate != 0, 0) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EMULATION_WHERE) {
  return emulation::meet_warp(EMULATION_SITE("__all_sync"), emulation::meet_all, mask,
                              predicate != 0, 0) != 0;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, EMULATION_WHERE) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return static_cast<unsigned>(emulation::meet_warp(EMULATION_SITE("__match_any_sync"),
                                                    emulation::meet_match, mask, bits, 0));
}

// Groups of `width` lanes, a power of two, shuffle among themselves.
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize, EMULATION_WHERE) {
  const int self = emulation::current % warpSize;
  return emulation::shuffle(EMULATION_SITE("__shfl_sync"), mask, value,
                            (self & ~(width - 1)) | (lane & (width - 1)));
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, EMULATION_WHERE) {
  const int self = emulation::current % warpSize, from = self - static_cast<int>(delta);
  return emulation::shuffle(EMULATION_SITE("__shfl_up_sync"), mask, value,
                            from < (self & ~(width - 1)) ? self : from);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                   EMULATION_WHERE) {
  const int self = emulation::current % warpSize, from = self + static_cast<int>(delta);
  return emulation::shuffle(EMULATION_SITE("__shfl_down_sync"), mask, value,
                            from > (self | (width - 1)) ? self : from);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize, EMULATION_WHERE) {
  const int self = emulation::current % warpSize, from = self ^ lanes;
  return emulation::shuffle(EMULATION_SITE("__shfl_xor_sync"), mask, value,
                            from > (self | (width - 1)) ? self : from);
}
