#include "decimal.hpp"

#include <charconv>
#include <clocale>
#include <cstdlib>
#include <string>

namespace benchsuite {

double decimal_by_library(const char* begin, const char* end) {
#if defined(__cpp_lib_to_chars)
  double value = 0;
  if (std::from_chars(begin, end, value).ec == std::errc()) return value;
  // Out of range, which from_chars leaves open: strtod gives infinity, zero or a subnormal.
#endif
  std::string literal(begin, end);
  const std::string point = std::localeconv()->decimal_point;
  if (const size_t at = literal.find('.'); at != std::string::npos)
    literal.replace(at, 1, point);
  return std::strtod(literal.c_str(), nullptr);
}

}  // namespace benchsuite
