// Memory that goes back to the system as soon as it is freed.
//
// What the C library's allocator is given back by a thread it keeps for that thread, which doubles
// the peak of a program whose threads make columns that are then put together.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace benchsuite {

template <class T>
struct ReturningAllocator {
  using value_type = T;

  ReturningAllocator() = default;
  template <class U>
  ReturningAllocator(const ReturningAllocator<U>&) {}

  T* allocate(size_t count) {
#if defined(__linux__)
    if (is_large(count)) {
      void* pages = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (pages == MAP_FAILED) throw std::bad_alloc();
      return static_cast<T*>(pages);
    }
#endif
    return static_cast<T*>(::operator new(count * sizeof(T)));
  }
  void deallocate(T* memory, size_t count) {
#if defined(__linux__)
    if (is_large(count)) {
      munmap(memory, count * sizeof(T));
      return;
    }
#endif
    ::operator delete(memory);
  }

  friend bool operator==(ReturningAllocator, ReturningAllocator) { return true; }
  friend bool operator!=(ReturningAllocator, ReturningAllocator) { return false; }

 private:
  // Below this a system call costs more than the memory is worth.
  static bool is_large(size_t count) { return count * sizeof(T) >= size_t{1} << 16; }
};

template <class T>
using ReturnedVector = std::vector<T, ReturningAllocator<T>>;

}  // namespace benchsuite
