#include "nms_candidates.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace benchsuite {
namespace {

constexpr size_t kWorthCounting = 512;  // candidates; fewer are sorted faster by comparing
constexpr int kDigitBits = 11;
constexpr int kDigits = 3;
constexpr uint32_t kDigitValues = 1u << kDigitBits;

// A key whose ascending order is the scores' descending order, NaN first, -0 beside 0.
uint32_t descending_key(float score) {
  if (std::isnan(score)) return 0;
  if (score == 0) score = 0;
  uint32_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  const uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

uint32_t digit(uint64_t entry, int place) {
  return static_cast<uint32_t>(entry >> (32 + place * kDigitBits)) & (kDigitValues - 1);
}

// Sorts entries of a key above an index by the key, which keeps the order of what is equal.
void sort_by_counting(std::vector<uint64_t>& entries) {
  std::vector<uint32_t> counts(size_t{kDigits} * kDigitValues, 0);
  for (const uint64_t entry : entries)
    for (int place = 0; place < kDigits; ++place)
      ++counts[place * kDigitValues + digit(entry, place)];
  std::vector<uint64_t> sorted(entries.size());
  for (int place = 0; place < kDigits; ++place) {
    uint32_t* const ends = counts.data() + place * kDigitValues;
    if (ends[digit(entries[0], place)] == entries.size()) continue;
    std::exclusive_scan(ends, ends + kDigitValues, ends, 0u);
    for (const uint64_t entry : entries) sorted[ends[digit(entry, place)]++] = entry;
    entries.swap(sorted);
  }
}

std::vector<uint32_t> by_descending_score(const float* scores, int64_t count, bool absent) {
  // Key and index in one integer: equal scores stay in the order of their indices.
  std::vector<uint64_t> entries;
  entries.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    if (!absent || scores[i] != -std::numeric_limits<float>::infinity())
      entries.push_back(uint64_t{descending_key(scores[i])} << 32 | static_cast<uint32_t>(i));
  if (entries.size() < kWorthCounting)
    std::sort(entries.begin(), entries.end());
  else
    sort_by_counting(entries);
  std::vector<uint32_t> order(entries.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(entries[i]);
  return order;
}

void group_by_counting(NmsCandidates& candidates, const int64_t* groups, uint64_t least,
                       uint64_t range) {
  const auto number = [&](uint32_t index) { return static_cast<uint64_t>(groups[index]) - least; };
  std::vector<int64_t> ends(range + 1, 0);
  for (const uint32_t index : candidates.order) ++ends[number(index)];
  int64_t end = 0;
  for (int64_t& members : ends) {
    const int64_t start = end;
    if (members) candidates.starts.push_back(start);
    end += members;
    members = start;
  }
  candidates.starts.push_back(end);
  for (uint32_t place = 0; place < candidates.order.size(); ++place)
    candidates.places[ends[number(candidates.order[place])]++] = place;
}

void group_by_comparing(NmsCandidates& candidates, const int64_t* groups) {
  auto& places = candidates.places;
  const auto group = [&](uint32_t place) { return groups[candidates.order[place]]; };
  std::iota(places.begin(), places.end(), 0u);
  std::stable_sort(places.begin(), places.end(),
                   [&](uint32_t a, uint32_t b) { return group(a) < group(b); });
  for (size_t i = 0; i < places.size(); ++i)
    if (i == 0 || group(places[i]) != group(places[i - 1]))
      candidates.starts.push_back(static_cast<int64_t>(i));
  candidates.starts.push_back(static_cast<int64_t>(places.size()));
}

}  // namespace

NmsCandidates nms_candidates(const float* scores, const int64_t* groups, int64_t count,
                             bool absent) {
  if (count > std::numeric_limits<uint32_t>::max())
    throw std::length_error("more candidates than 32 bits count");
  NmsCandidates candidates;
  candidates.order = by_descending_score(scores, count, absent);
  candidates.places.resize(candidates.order.size());
  if (candidates.order.empty()) {
    candidates.starts.push_back(0);
    return candidates;
  }
  int64_t least = groups[candidates.order[0]], most = least;
  for (const uint32_t index : candidates.order) {
    least = std::min(least, groups[index]);
    most = std::max(most, groups[index]);
  }
  const uint64_t range = static_cast<uint64_t>(most) - static_cast<uint64_t>(least);
  if (range < 4 * candidates.order.size() + 1024)
    group_by_counting(candidates, groups, static_cast<uint64_t>(least), range);
  else
    group_by_comparing(candidates, groups);
  return candidates;
}

}  // namespace benchsuite
