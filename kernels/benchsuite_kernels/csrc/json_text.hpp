// Reading JSON byte by byte, taking exactly what Python's json takes, and less where in doubt.
//
// Whatever is malformed, or so unusual that being sure is not worth the code, is a Doubt: the
// caller then lets Python's json have the text, whose result or error is the right one.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace benchsuite::json {

struct Doubt {};

// Bytes that must be readable after the text, all zero: no JSON goes on at a zero byte.
constexpr int64_t kPadding = 64;

// Values may be nested this deep; Python gives up at about a thousand.
constexpr int kDeepest = 100;

// Python refuses integers of more than 4300 digits.
constexpr int64_t kLongestNumber = 4000;

struct Number {
  enum Kind { kReal, kInteger, kHugeInteger };
  double value;
  int64_t integer;  // of kInteger
  Kind kind;        // how it is written; a huge one does not fit 64 bits
};

class Cursor {
 public:
  Cursor(const char* at, const char* end) : at_(at), end_(end) {}

  const char* at() const { return at_; }
  const char* end() const { return end_; }
  void move_to(const char* at) { at_ = at; }

  // The next character that is not white space; zero at the end.
  char peek() {
    while (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t') ++at_;
    return *at_;
  }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!take(wanted)) throw Doubt{};
  }
  // Whether a literal such as "null" comes next.
  bool take_word(std::string_view word) {
    peek();
    if (std::memcmp(at_, word.data(), word.size()) != 0) return false;
    at_ += word.size();
    return true;
  }
  // After an element: true where a comma says that another follows, false where `close` ends it.
  bool another(char close) {
    const char next = peek();
    if (next != ',' && next != close) throw Doubt{};
    ++at_;
    return next == ',';
  }

  // The text between quotes as the file has it; `escaped` says whether there is a backslash in it.
  std::string_view string(bool& escaped);
  // A string without a backslash.
  std::string_view plain_string() {
    bool escaped = false;
    const std::string_view text = string(escaped);
    if (escaped) throw Doubt{};
    return text;
  }
  // A number, NaN and Infinity included.
  Number number();
  // A whole number that fits 64 bits; 42.0 is one.
  int64_t integer();
  // Any value, checked and not kept.
  void skip(int depth = 0);
  // Only white space is left.
  bool at_end() {
    peek();
    return at_ == end_;
  }

 private:
  const char* escape(const char* at) const;
  const char* character(const char* at) const;

  const char* at_;
  const char* end_;
};

// The text of a JSON string without its escapes, appended to `text`. A surrogate is a Doubt where
// it has no other half.
void unescape(std::string_view escaped, std::string& text);

}  // namespace benchsuite::json
