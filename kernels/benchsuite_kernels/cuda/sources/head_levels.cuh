// The maps of a dense head, a level each, and how blocks share them out.
#pragma once

#include "scalar.cuh"

constexpr int kThreads = 256;
constexpr int kPack = 16 / sizeof(SCALAR);    // logits that are read at once
constexpr int kChunk = kThreads * kPack * 8;  // logits that a block reads
constexpr int kLevels = 6;

struct alignas(16) Pack {
  SCALAR values[kPack];
};

// A level's row of the table that the host makes.
struct Level {
  long long anchors, height, width, classes, first_cell, first_place, room, first_chunk;

  __device__ Level(const long long* table, long long level) {
    const long long* const row = table + level * 8;
    anchors = row[0];
    height = row[1];
    width = row[2];
    classes = row[3];
    first_cell = row[4];
    first_place = row[5];
    room = row[6];
    first_chunk = row[7];
  }
  __device__ long long cells() const { return height * width; }
  __device__ long long size() const { return anchors * classes * cells(); }
};

// The maps of a head, a level each.
struct Maps {
  const SCALAR* at[kLevels];
};

// Where a value lies in one image's map of `channels` channels.
__device__ __forceinline__ long long place_of(long long channel, long long cell, long long channels,
                                              long long cells, bool channels_last) {
  return channels_last ? cell * channels + channel : channel * cells + cell;
}

// The index of a logit: that of its anchor times the classes, plus its class.
__device__ __forceinline__ unsigned index_at(long long place, const Level& level,
                                             bool channels_last) {
  if (channels_last) return static_cast<unsigned>(place);
  const long long cells = level.cells(), channel = place / cells, cell = place % cells;
  const long long anchor = cell * level.anchors + channel / level.classes;
  return static_cast<unsigned>(anchor * level.classes + channel % level.classes);
}

// What a block reads: a part of one image's logits of one level.
struct Chunk {
  long long level, image, begin, end;

  // Levels have `chunks` chunks an image; blocks are levels of images of chunks.
  __device__ Chunk(const long long* table, long long levels, long long images, long long block) {
    level = levels - 1;
    while (level > 0 && block < Level(table, level).first_chunk * images) --level;
    const Level own(table, level);
    const long long chunks = (own.size() + kChunk - 1) / kChunk;
    const long long part = block - own.first_chunk * images;
    image = part / chunks;
    begin = part % chunks * kChunk;
    end = begin + kChunk < own.size() ? begin + kChunk : own.size();
  }
};

// Calls use(logit, place) for a chunk's logits, which are one image's from `logits` on.
template <class Use>
__device__ void for_each_logit(const SCALAR* logits, const Chunk& chunk, const Use& use) {
  const SCALAR* const first = logits + chunk.begin;
  if (reinterpret_cast<unsigned long long>(first) % sizeof(Pack) == 0) {
    const Pack* const packs = reinterpret_cast<const Pack*>(first);
    const long long whole = (chunk.end - chunk.begin) / kPack;
#pragma unroll 4
    for (long long i = threadIdx.x; i < whole; i += kThreads) {
      const Pack pack = packs[i];
#pragma unroll
      for (int j = 0; j < kPack; ++j) use(load(pack.values + j), chunk.begin + i * kPack + j);
    }
    for (long long place = chunk.begin + whole * kPack + threadIdx.x; place < chunk.end;
         place += kThreads)
      use(load(logits + place), place);
  } else {
    for (long long place = chunk.begin + threadIdx.x; place < chunk.end; place += kThreads)
      use(load(logits + place), place);
  }
}
