// Where a map's PNG is: in memory, or in a file that is read when it is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace benchsuite {

struct MapSource {
  const uint8_t* data = nullptr;  // null: it is in the file
  size_t size = 0;
  std::filesystem::path file;

  struct Bytes {
    const uint8_t* data;
    size_t size;
  };

  // All of it, or (`most`) its beginning; read into `buffer` if it is in a file.
  // Throws std::invalid_argument.
  Bytes bytes(std::vector<uint8_t>& buffer, size_t most = SIZE_MAX) const;
};

}  // namespace benchsuite
