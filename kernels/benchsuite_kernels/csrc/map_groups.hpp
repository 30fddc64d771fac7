// All maps of one image after those of the other, decoded in threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "map_source.hpp"
#include "parallel.hpp"
#include "png.hpp"

namespace benchsuite::label_maps {

struct Maps {
  std::vector<MapSource> sources;
  png::Form form;
};

// Which map could not be read, and why. The first of all that could not, whatever the threads.
struct Failure {
  int64_t item = -1;
  size_t side = 0;  // of a first map its kind, of a second one the number of kinds
  std::string problem;
};

inline std::string shape(const png::Pixels& map) {
  return std::to_string(map.width) + " x " + std::to_string(map.height);
}

// Calls work(item, state, maps) for each item with all its maps: those of each kind of first map,
// then the second one, all of one size. State is what a worker keeps from item to item; no more
// items are held than there are workers.
template <class State, class Work>
void for_each_group(const std::vector<Maps>& firsts, const Maps& second, int threads,
                    Failure& failure, const Work& work) {
  struct Worker {
    explicit Worker(size_t kinds) : readers(kinds), files(kinds), maps(kinds) {}

    std::vector<png::Reader> readers;
    std::vector<std::vector<uint8_t>> files;
    std::vector<png::Pixels> maps;
    State state;
  };
  const auto items = static_cast<int64_t>(second.sources.size());
  std::vector<const Maps*> kinds;
  for (const Maps& first : firsts) kinds.push_back(&first);
  kinds.push_back(&second);
  std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(std::max(threads, 1)));
  std::mutex failing;
  std::atomic<int64_t> failed{items};
  for_each_item(items, 1, threads, [&](int64_t item, int number) {
    // Items before one that failed are still looked at: one of them may fail too.
    if (item > failed.load(std::memory_order_relaxed)) return;
    auto& worker = workers[static_cast<size_t>(number)];
    if (!worker) worker = std::make_unique<Worker>(kinds.size());
    auto& maps = worker->maps;
    size_t side = 0;
    try {
      for (; side < kinds.size(); ++side) {
        const MapSource& source = kinds[side]->sources[static_cast<size_t>(item)];
        const auto bytes = source.bytes(worker->files[side]);
        maps[side] = worker->readers[side].read(bytes.data, bytes.size, kinds[side]->form);
      }
      side = firsts.size();
      for (const png::Pixels& map : maps)
        if (map.width != maps.back().width || map.height != maps.back().height)
          throw std::invalid_argument("is of " + shape(maps.back()) +
                                      " pixels, the truth's map of " + shape(map));
    } catch (const std::invalid_argument& error) {
      const std::lock_guard<std::mutex> lock(failing);
      if (item < failed.load(std::memory_order_relaxed)) {
        failed.store(item, std::memory_order_relaxed);
        failure = {item, side, error.what()};
      }
      return;
    }
    work(item, worker->state, maps);
  });
}

}  // namespace benchsuite::label_maps
