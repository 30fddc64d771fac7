// Fresh memory in large pages, where the system leaves the choice to the program.
//
// An operator's output is new memory each call, and the first touch of each 4 KiB page costs more
// than computing what is written into it.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace benchsuite {

// Only advice: whether the system follows it changes no result.
inline void advise_huge_pages(void* memory, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  constexpr uintptr_t kPage = uintptr_t{2} << 20;
  const auto start = (reinterpret_cast<uintptr_t>(memory) + kPage - 1) / kPage * kPage;
  const auto stop = (reinterpret_cast<uintptr_t>(memory) + bytes) / kPage * kPage;
  if (start < stop) madvise(reinterpret_cast<void*>(start), stop - start, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)bytes;
#endif
}

}  // namespace benchsuite
