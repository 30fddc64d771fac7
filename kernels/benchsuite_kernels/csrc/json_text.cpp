#include "json_text.hpp"

#include <limits>
#include <string>

#include "decimal.hpp"

namespace benchsuite::json {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101;

#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
constexpr bool kLittleEndian = true;
int lowest_byte(uint64_t bits) { return __builtin_ctzll(bits) / 8; }
#else
constexpr bool kLittleEndian = false;
int lowest_byte(uint64_t) { return 0; }
#endif

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

uint64_t eight_bytes(const char* at) {
  uint64_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

bool ends_plain_text(unsigned char letter) {
  return letter == '"' || letter == '\\' || letter < 0x20 || letter >= 0x80;
}

// The first character of a string's text from `at` on that is not plain.
const char* after_plain_text(const char* at) {
  if constexpr (kLittleEndian) {
    for (;; at += 8) {
      const uint64_t bytes = eight_bytes(at);
      const uint64_t quote = bytes ^ (kOnes * '"'), backslash = bytes ^ (kOnes * '\\');
      // A subtraction borrows from the bytes above only where the byte itself is one that ends the
      // text, so the lowest mark is right.
      const uint64_t marks = (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) |
                              (bytes - kOnes * 0x20) | bytes) &
                             (kOnes * 0x80);
      if (marks) return at + lowest_byte(marks);
    }
  }
  while (!ends_plain_text(static_cast<unsigned char>(*at))) ++at;
  return at;
}

constexpr uint64_t kPowers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

// Appends the digits that come next to `digits` and returns where they end. Eight are taken at
// once, without a branch on how many there are, which nobody can predict.
const char* take_digits(const char* at, uint64_t& digits) {
  if constexpr (kLittleEndian) {
    for (;; at += 8) {
      uint64_t bytes = eight_bytes(at) - kOnes * '0';
      // A digit stays below 0x80 when 0x76 is added; a letter below '0' has wrapped round. What is
      // borrowed or carried disturbs the bytes above the first that is no digit alone.
      const uint64_t others = (bytes | (bytes + kOnes * 0x76)) & (kOnes * 0x80);
      const int count = others ? lowest_byte(others) : 8;
      if (!count) return at;
      bytes <<= 8 * (8 - count);
      bytes = (bytes * 10 + (bytes >> 8)) & 0x00ff00ff00ff00ff;
      bytes = (bytes * 100 + (bytes >> 16)) & 0x0000ffff0000ffff;
      bytes = (bytes * 10000 + (bytes >> 32)) & 0xffffffff;
      digits = digits * kPowers[count] + bytes;
      if (count < 8) return at + count;
    }
  }
  while (is_digit(*at)) digits = digits * 10 + static_cast<uint64_t>(*at++ - '0');
  return at;
}

int hexadecimal(char letter) {
  if (is_digit(letter)) return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  throw Doubt{};
}

uint32_t four_hexadecimal(const char* at) {
  uint32_t code = 0;
  for (int i = 0; i < 4; ++i) code = code << 4 | static_cast<uint32_t>(hexadecimal(at[i]));
  return code;
}

void append_utf8(uint32_t code, std::string& text) {
  auto tail = [&](int shift) { text.push_back(static_cast<char>(0x80 | (code >> shift & 0x3f))); };
  if (code < 0x80) {
    text.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    text.push_back(static_cast<char>(0xc0 | code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    text.push_back(static_cast<char>(0xe0 | code >> 12));
    tail(6);
    tail(0);
  } else {
    text.push_back(static_cast<char>(0xf0 | code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

// Past an escape, whose backslash is at `at`.
const char* Cursor::escape(const char* at) const {
  switch (at[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
      return at + 2;
    case 'u':
      four_hexadecimal(at + 2);
      return at + 6;
    default:
      throw Doubt{};
  }
}

// Past a character of several bytes in UTF-8. Python takes halves of surrogates too; here they are
// a Doubt.
const char* Cursor::character(const char* at) const {
  const auto byte = [at](int place) { return static_cast<unsigned char>(at[place]); };
  const auto tail = [&](int place, int low = 0x80, int high = 0xbf) {
    if (byte(place) < low || byte(place) > high) throw Doubt{};
  };
  const int lead = byte(0);
  if (lead >= 0xc2 && lead <= 0xdf) {
    tail(1);
    return at + 2;
  }
  if (lead >= 0xe0 && lead <= 0xef) {
    tail(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf);
    tail(2);
    return at + 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    tail(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf);
    tail(2);
    tail(3);
    return at + 4;
  }
  throw Doubt{};
}

std::string_view Cursor::string(bool& escaped) {
  expect('"');
  const char* begin = at_;
  for (const char* at = begin;;) {
    at = after_plain_text(at);
    if (*at == '"') {
      at_ = at + 1;
      return {begin, static_cast<size_t>(at - begin)};
    }
    if (*at == '\\') {
      escaped = true;
      at = escape(at);
    } else {
      at = character(at);  // a control character, or the zero after the text, is none
    }
  }
}

Number Cursor::number() {
  peek();
  const char* const begin = at_;
  const char* at = begin;
  const bool negative = *at == '-';
  at += negative;
  if (!is_digit(*at)) {
    at_ = at;
    if (take_word("Infinity")) {
      const double infinity = std::numeric_limits<double>::infinity();
      return {negative ? -infinity : infinity, 0, Number::kReal};
    }
    if (!negative && take_word("NaN"))
      return {std::numeric_limits<double>::quiet_NaN(), 0, Number::kReal};
    throw Doubt{};
  }
  uint64_t digits = 0;
  const char* const first = at;
  at = take_digits(at, digits);
  int64_t count = at - first;
  if (*first == '0' && count > 1) throw Doubt{};
  int64_t exponent = 0;
  bool whole = true;
  if (*at == '.') {
    whole = false;
    const char* const point = ++at;
    if (!is_digit(*at)) throw Doubt{};
    at = take_digits(at, digits);
    exponent = point - at;
    count -= exponent;
    if (count > 19) {
      // Zeros in front are no digits that count.
      for (const char* zero = first; *zero == '0' || *zero == '.'; ++zero) count -= *zero == '0';
    }
  }
  if (*at == 'e' || *at == 'E') {
    whole = false;
    ++at;
    const bool below = *at == '-';
    if (below || *at == '+') ++at;
    if (!is_digit(*at)) throw Doubt{};
    int64_t power = 0;
    for (; is_digit(*at); ++at)
      if (power < 100000) power = power * 10 + (*at - '0');
    exponent += below ? -power : power;
  }
  at_ = at;
  // Beyond 300 digits a whole number may be beyond any double, which Python calls an error.
  if (at - begin > (whole ? 300 : kLongestNumber)) throw Doubt{};
  if (count > 19 || exponent < -10000 || exponent > 10000)  // the digits do not fit 64 bits
    return {decimal_by_library(begin, at), 0, whole ? Number::kHugeInteger : Number::kReal};
  if (!whole)
    return {decimal_to_double(digits, static_cast<int>(exponent), negative, begin, at), 0,
            Number::kReal};
  // Python's integer -0 is 0.
  const double value = digits ? decimal_to_double(digits, 0, negative, begin, at) : 0.0;
  if (digits > static_cast<uint64_t>(INT64_MAX) + negative) return {value, 0, Number::kHugeInteger};
  return {value, static_cast<int64_t>(negative ? 0 - digits : digits), Number::kInteger};
}

int64_t Cursor::integer() {
  const Number found = number();
  if (found.kind == Number::kInteger) return found.integer;
  // A number like 42.0; doubles from 2^63 on do not fit.
  constexpr double kLimit = 9223372036854775808.0;
  if (found.kind == Number::kHugeInteger || !(found.value >= -kLimit && found.value < kLimit))
    throw Doubt{};
  const auto whole = static_cast<int64_t>(found.value);
  if (static_cast<double>(whole) != found.value) throw Doubt{};
  return whole;
}

void Cursor::skip(int depth) {
  if (depth > kDeepest) throw Doubt{};
  bool escaped = false;
  switch (peek()) {
    case '"':
      string(escaped);
      return;
    case '[':
      ++at_;
      if (take(']')) return;
      do skip(depth + 1);
      while (another(']'));
      return;
    case '{':
      ++at_;
      if (take('}')) return;
      do {
        string(escaped);
        expect(':');
        skip(depth + 1);
      } while (another('}'));
      return;
    case 't': case 'f': case 'n':
      if (take_word("true") || take_word("false") || take_word("null")) return;
      throw Doubt{};
    default:
      number();
  }
}

void unescape(std::string_view escaped, std::string& text) {
  for (const char *at = escaped.data(), *end = at + escaped.size(); at < end; ++at) {
    if (*at != '\\') {
      text.push_back(*at);
      continue;
    }
    switch (*++at) {
      case 'b': text.push_back('\b'); break;
      case 'f': text.push_back('\f'); break;
      case 'n': text.push_back('\n'); break;
      case 'r': text.push_back('\r'); break;
      case 't': text.push_back('\t'); break;
      case 'u': {
        uint32_t code = four_hexadecimal(at + 1);
        at += 4;
        if (code >= 0xd800 && code < 0xe000) {
          const bool paired = code < 0xdc00 && end - at > 6 && at[1] == '\\' && at[2] == 'u';
          const uint32_t low = paired ? four_hexadecimal(at + 3) : 0;
          if (low < 0xdc00 || low >= 0xe000) throw Doubt{};
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          at += 6;
        }
        append_utf8(code, text);
        break;
      }
      default: text.push_back(*at);
    }
  }
}

}  // namespace benchsuite::json
