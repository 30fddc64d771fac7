// Where a map's PNG is: in memory, or in a file that is read when it is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace benchsuite {

// As the system takes the names of files. (std::filesystem is not there on macOS before 10.15, which
// Python's own builds still reach back to.)
#if defined(_WIN32)
using NativePath = std::wstring;
#else
using NativePath = std::string;
#endif

struct MapSource {
  const uint8_t* data = nullptr;  // null: it is in the file
  size_t size = 0;
  NativePath file;

  struct Bytes {
    const uint8_t* data;
    size_t size;
  };

  // All of it, read into `buffer` if it is in a file. Throws std::invalid_argument.
  Bytes bytes(std::vector<uint8_t>& buffer) const;
};

}  // namespace benchsuite
