#include "map_source.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace benchsuite {

MapSource::Bytes MapSource::bytes(std::vector<uint8_t>& buffer, size_t most) const {
  if (data) return {data, std::min(size, most)};
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  if (error) throw std::invalid_argument("cannot be read: " + error.message());
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::invalid_argument("cannot be opened");
  const size_t wanted = std::min<uintmax_t>(bytes, most);
  buffer.resize(std::max<size_t>(wanted, 1));
  stream.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(wanted));
  if (static_cast<size_t>(stream.gcount()) != wanted)
    throw std::invalid_argument("cannot be read to its end");
  return {buffer.data(), wanted};
}

}  // namespace benchsuite
