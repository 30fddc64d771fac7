#include "map_source.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace benchsuite {
namespace {

constexpr size_t kFirstRead = size_t{1} << 17;  // most maps at once
constexpr size_t kMostBytes = size_t{1} << 30;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::invalid_argument unreadable(int error) {
  return std::invalid_argument("cannot be read: " + std::generic_category().message(error));
}

File open(const NativePath& path) {
#if defined(_WIN32)
  File file(_wfopen(path.c_str(), L"rb"));
#else
  File file(std::fopen(path.c_str(), "rb"));
#endif
  if (!file) throw unreadable(errno);
  std::setvbuf(file.get(), nullptr, _IONBF, 0);
  return file;
}

}  // namespace

MapSource::Bytes MapSource::bytes(std::vector<uint8_t>& buffer) const {
  if (data) return {data, size};
  const File stream = open(file);
  if (buffer.size() < kFirstRead) buffer.resize(kFirstRead);
  size_t filled = 0;
  while (true) {
    errno = 0;
    filled += std::fread(buffer.data() + filled, 1, buffer.size() - filled, stream.get());
    if (std::ferror(stream.get())) throw unreadable(errno);
    if (filled < buffer.size()) return {buffer.data(), filled};
    if (filled > kMostBytes) throw std::invalid_argument("is larger than any map's file");
    buffer.resize(2 * buffer.size());
  }
}

}  // namespace benchsuite
