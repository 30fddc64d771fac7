#include "inflate.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "checksums.hpp"
#include "words.hpp"

namespace benchsuite::zlib {
namespace {

constexpr int kLongestCode = 15;
constexpr int kLiteralBits = 11;   // looked up at once; longer codes take a second table
constexpr int kDistanceBits = 8;
constexpr int kCodeLengthBits = 7;
constexpr int kLiterals = 288;
constexpr int kDistances = 32;
constexpr int kCodeLengths = 19;

// What a code means. In one number: how many bits it takes (bits 0 to 7), how many extra bits
// follow it (8 to 12), its kind (13 to 15), and its literal, base or second table (16 to 31).
enum Kind : uint32_t { kLiteral, kBase, kEnd, kSecondTable, kInvalid };

constexpr uint32_t entry(Kind kind, uint32_t value, uint32_t extra, uint32_t bits = 0) {
  return value << 16 | kind << 13 | extra << 8 | bits;
}
constexpr uint32_t bits_of(uint32_t entry) { return entry & 0xff; }
constexpr uint32_t extra_of(uint32_t entry) { return entry >> 8 & 0x1f; }
constexpr Kind kind_of(uint32_t entry) { return static_cast<Kind>(entry >> 13 & 7); }
constexpr uint32_t value_of(uint32_t entry) { return entry >> 16; }

// What the symbols of the three alphabets mean (RFC 1951, 3.2.5), before their code is known.
struct Meanings {
  uint32_t literals[kLiterals], distances[kDistances], code_lengths[kCodeLengths];

  Meanings() {
    for (uint32_t byte = 0; byte < 256; ++byte) literals[byte] = entry(kLiteral, byte, 0);
    literals[256] = entry(kEnd, 0, 0);
    uint32_t length = 3;
    for (uint32_t symbol = 257; symbol < 285; ++symbol) {
      const uint32_t extra = symbol < 265 ? 0 : (symbol - 261) / 4;
      literals[symbol] = entry(kBase, length, extra);
      length += 1u << extra;
    }
    literals[285] = entry(kBase, 258, 0);
    literals[286] = literals[287] = entry(kInvalid, 0, 0);
    uint32_t distance = 1;
    for (uint32_t symbol = 0; symbol < 30; ++symbol) {
      const uint32_t extra = symbol < 4 ? 0 : symbol / 2 - 1;
      distances[symbol] = entry(kBase, distance, extra);
      distance += 1u << extra;
    }
    distances[30] = distances[31] = entry(kInvalid, 0, 0);
    for (uint32_t symbol = 0; symbol < kCodeLengths; ++symbol)
      code_lengths[symbol] = entry(kLiteral, symbol, 0);
  }
};

std::invalid_argument malformed(const char* what) {
  return std::invalid_argument(std::string("the compressed data are wrong: ") + what);
}

uint32_t reversed(uint32_t code, int bits) {
  uint32_t result = 0;
  for (; bits > 0; --bits, code >>= 1) result = result << 1 | (code & 1);
  return result;
}

// A prefix code: what the next bits of the stream mean.
template <int kBits, int kSymbols>
class Code {
 public:
  // From the length of each symbol's code (0: it has none).
  void build(const uint8_t* lengths, int symbols, const uint32_t* meanings, bool may_be_incomplete) {
    int counts[kLongestCode + 1] = {};
    for (int symbol = 0; symbol < symbols; ++symbol) ++counts[lengths[symbol]];
    counts[0] = 0;
    int longest = kLongestCode, left = 1;
    while (longest > 0 && counts[longest] == 0) --longest;
    for (int bits = 1; bits <= kLongestCode; ++bits) {
      left = 2 * left - counts[bits];
      if (left < 0) throw malformed("a code has too many symbols");
    }
    // A code of one symbol leaves the other value of its only bit without a meaning.
    if (left > 0 && longest > 0 && !(may_be_incomplete && longest == 1))
      throw malformed("a code has too few symbols");
    std::fill(table_, table_ + (1 << kBits), entry(kInvalid, 0, 0, 1));
    size_ = 1 << kBits;
    int next[kLongestCode + 2] = {};
    for (int bits = 1; bits <= kLongestCode; ++bits) next[bits + 1] = (next[bits] + counts[bits]) << 1;
    int8_t second_bits[1 << kBits] = {};
    if (longest > kBits) measure_second(lengths, symbols, next, second_bits);
    for (int symbol = 0; symbol < symbols; ++symbol) {
      const int bits = lengths[symbol];
      if (bits == 0) continue;
      const uint32_t code = reversed(static_cast<uint32_t>(next[bits]++), bits);
      const uint32_t meaning = meanings[symbol] | static_cast<uint32_t>(bits);
      if (bits <= kBits) {
        for (uint32_t at = code; at < 1u << kBits; at += 1u << bits) table_[at] = meaning;
        continue;
      }
      const uint32_t prefix = code & ((1u << kBits) - 1);
      const uint32_t more = static_cast<uint32_t>(second_bits[prefix]);
      if (kind_of(table_[prefix]) != kSecondTable) {
        if (size_ + (1 << more) > kCapacity) throw malformed("a code is too large");
        table_[prefix] = entry(kSecondTable, static_cast<uint32_t>(size_), more, kBits);
        size_ += 1 << more;
      }
      const uint32_t start = value_of(table_[prefix]);
      for (uint32_t at = code >> kBits; at < 1u << more; at += 1u << (bits - kBits))
        table_[start + at] = meaning;
    }
  }

  uint32_t look_up(uint64_t bits) const {
    const uint32_t found = table_[bits & ((1 << kBits) - 1)];
    if (kind_of(found) != kSecondTable) return found;
    return table_[value_of(found) + (bits >> kBits & ((1u << extra_of(found)) - 1))];
  }

 private:
  // Second tables of a complete code: all codes that share a prefix fill theirs, which is no larger
  // than the longest of them needs.
  static constexpr int kCapacity = (1 << kBits) + (kBits < kLongestCode ? 1 << 11 : 0);

  static void measure_second(const uint8_t* lengths, int symbols, const int* first_codes,
                             int8_t* second_bits) {
    int next[kLongestCode + 2];
    std::copy(first_codes, first_codes + kLongestCode + 2, next);
    for (int symbol = 0; symbol < symbols; ++symbol) {
      const int bits = lengths[symbol];
      if (bits == 0) continue;
      const uint32_t code = reversed(static_cast<uint32_t>(next[bits]++), bits);
      if (bits <= kBits) continue;
      int8_t& more = second_bits[code & ((1u << kBits) - 1)];
      more = std::max(more, static_cast<int8_t>(bits - kBits));
    }
  }

  uint32_t table_[kCapacity];
  int size_ = 0;
};

// The stream's bits, the least significant of a byte first.
class Bits {
 public:
  Bits(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  // At least 56 bits become available; beyond the end they have no meaning.
  void refill() {
    if (at_ > end_ + 8) throw cut_off();
    buffer_ |= load_eight(at_) << count_;
    at_ += (63 - count_) >> 3;
    count_ |= 56;
  }
  uint64_t peek() const { return buffer_; }
  void drop(uint32_t bits) {
    buffer_ >>= bits;
    count_ -= static_cast<int>(bits);
  }
  uint32_t take(uint32_t bits) {
    const auto taken = static_cast<uint32_t>(buffer_ & ((uint64_t{1} << bits) - 1));
    drop(bits);
    return taken;
  }
  // Goes to the next whole byte, and gives back what was read ahead.
  void align() {
    drop(static_cast<uint32_t>(count_ & 7));
    at_ -= count_ >> 3;
    buffer_ = 0;
    count_ = 0;
    if (at_ > end_) throw cut_off();
  }
  // So many bytes, after align().
  const uint8_t* bytes(size_t size) {
    if (static_cast<size_t>(end_ - at_) < size) throw cut_off();
    at_ += size;
    return at_ - size;
  }

 private:
  static std::invalid_argument cut_off() { return malformed("they end too early"); }

  const uint8_t* at_;
  const uint8_t* end_;
  uint64_t buffer_ = 0;
  int count_ = 0;
};

// Repeats what was written `distance` before; may write up to 15 bytes too many.
inline void copy_match(uint8_t* out, uint32_t distance, uint32_t length) {
  uint8_t* const end = out + length;
  if (distance == 1) {
    std::memset(out, out[-1], length);
  } else if (distance >= 16) {
    for (; out < end; out += 16) std::memcpy(out, out - distance, 16);
  } else {
    // Whole periods until there are 16 bytes of them, which then go at once.
    const uint32_t periods = (15 + distance) / distance * distance;
    uint8_t* const enough = std::min(end, out + (periods - distance));
    for (; out < enough; ++out) *out = *(out - distance);
    for (; out < end; out += 16) std::memcpy(out, out - periods, 16);
  }
}

class Inflater {
 public:
  Inflater(const uint8_t* input, size_t input_size, uint8_t* output, size_t output_size)
      : bits_(input, input_size), begin_(output), out_(output), end_(output + output_size) {}

  void run() {
    const uint8_t* header = bits_.bytes(2);
    if ((header[0] & 0xf) != 8 || header[0] >> 4 > 7 || (header[0] << 8 | header[1]) % 31)
      throw malformed("they do not begin as a zlib stream does");
    if (header[1] & 0x20) throw malformed("they need a dictionary");
    for (bool last = false; !last;) {
      bits_.refill();
      last = bits_.take(1);
      switch (bits_.take(2)) {
        case 0: stored(); break;
        case 1: fixed(); break;
        case 2: dynamic(); break;
        default: throw malformed("a block is of no known kind");
      }
    }
    if (out_ != end_) throw malformed("they are fewer than the image has");
    bits_.align();
    const uint8_t* sum = bits_.bytes(4);
    const uint32_t expected = uint32_t{sum[0]} << 24 | uint32_t{sum[1]} << 16 |
                              uint32_t{sum[2]} << 8 | uint32_t{sum[3]};
    if (adler32(begin_, static_cast<size_t>(end_ - begin_)) != expected)
      throw malformed("their checksum is wrong");
  }

 private:
  static std::invalid_argument too_many() { return malformed("they are more than the image has"); }

  void stored() {
    bits_.align();
    const uint8_t* sizes = bits_.bytes(4);
    const uint32_t size = sizes[0] | uint32_t{sizes[1]} << 8;
    if ((size ^ 0xffffu) != (sizes[2] | uint32_t{sizes[3]} << 8))
      throw malformed("the size of a block contradicts itself");
    const uint8_t* data = bits_.bytes(size);
    if (static_cast<size_t>(end_ - out_) < size) throw too_many();
    if (size > 0) std::memcpy(out_, data, size);
    out_ += size;
  }

  void fixed() {
    uint8_t lengths[kLiterals + kDistances];
    std::fill(lengths, lengths + 144, uint8_t{8});
    std::fill(lengths + 144, lengths + 256, uint8_t{9});
    std::fill(lengths + 256, lengths + 280, uint8_t{7});
    std::fill(lengths + 280, lengths + kLiterals, uint8_t{8});
    std::fill(lengths + kLiterals, lengths + kLiterals + kDistances, uint8_t{5});
    block(lengths, kLiterals, kDistances);
  }

  void dynamic() {
    const int literals = static_cast<int>(bits_.take(5)) + 257;
    const int distances = static_cast<int>(bits_.take(5)) + 1;
    const int code_lengths = static_cast<int>(bits_.take(4)) + 4;
    if (literals > 286 || distances > 30) throw malformed("a block has too many codes");
    static constexpr uint8_t kOrder[kCodeLengths] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                     11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t of_code_lengths[kCodeLengths] = {};
    for (int place = 0; place < code_lengths; ++place) {
      bits_.refill();
      of_code_lengths[kOrder[place]] = static_cast<uint8_t>(bits_.take(3));
    }
    code_length_code_.build(of_code_lengths, kCodeLengths, meanings().code_lengths, false);
    uint8_t lengths[kLiterals + kDistances] = {};
    const int total = literals + distances;
    for (int at = 0; at < total;) {
      bits_.refill();
      const uint32_t found = code_length_code_.look_up(bits_.peek());
      if (kind_of(found) == kInvalid) throw malformed("a code's length has no meaning");
      bits_.drop(bits_of(found));
      const uint32_t symbol = value_of(found);
      if (symbol < 16) {
        lengths[at++] = static_cast<uint8_t>(symbol);
        continue;
      }
      if (symbol == 16 && at == 0) throw malformed("there is no code's length to repeat");
      const uint8_t repeated = symbol == 16 ? lengths[at - 1] : uint8_t{0};
      const uint32_t times = symbol == 16   ? 3 + bits_.take(2)
                             : symbol == 17 ? 3 + bits_.take(3)
                                            : 11 + bits_.take(7);
      if (times > static_cast<uint32_t>(total - at)) throw malformed("a block has too many codes");
      std::fill(lengths + at, lengths + at + times, repeated);
      at += static_cast<int>(times);
    }
    if (lengths[256] == 0) throw malformed("a block has no end");
    block(lengths, literals, distances);
  }

  void block(const uint8_t* lengths, int literals, int distances) {
    literal_code_.build(lengths, literals, meanings().literals, true);
    distance_code_.build(lengths + literals, distances, meanings().distances, true);
    // Locals: the compiler may keep them in registers while bytes are written.
    Bits bits = bits_;
    uint8_t* out = out_;
    while (true) {
      bits.refill();
      uint32_t found = literal_code_.look_up(bits.peek());
      bits.drop(bits_of(found));
      if (kind_of(found) == kLiteral) {
        if (out >= end_) throw too_many();
        *out++ = static_cast<uint8_t>(value_of(found));
        continue;
      }
      if (kind_of(found) != kBase) {
        if (kind_of(found) == kEnd) break;
        throw malformed("a code has no meaning");
      }
      const uint32_t length = value_of(found) + bits.take(extra_of(found));
      found = distance_code_.look_up(bits.peek());
      bits.drop(bits_of(found));
      if (kind_of(found) != kBase) throw malformed("a code has no meaning");
      const uint32_t distance = value_of(found) + bits.take(extra_of(found));
      if (distance > static_cast<size_t>(out - begin_))
        throw malformed("they refer to what is before them");
      if (length > static_cast<size_t>(end_ - out)) throw too_many();
      copy_match(out, distance, length);
      out += length;
    }
    bits_ = bits;
    out_ = out;
  }

  static const Meanings& meanings() {
    static const Meanings meanings;
    return meanings;
  }

  Bits bits_;
  const uint8_t* begin_;
  uint8_t* out_;
  uint8_t* end_;
  Code<kCodeLengthBits, kCodeLengths> code_length_code_;
  Code<kLiteralBits, kLiterals> literal_code_;
  Code<kDistanceBits, kDistances> distance_code_;
};

}  // namespace

void inflate(const uint8_t* input, size_t input_size, uint8_t* output, size_t output_size) {
  Inflater(input, input_size, output, output_size).run();
}

}  // namespace benchsuite::zlib
