// A thread of execution that gives way only where it says so.
//
// A fiber that has ended its work waits for more on the same stack, so that starting one costs a
// switch: some nanoseconds.
#pragma once

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulation {

// Where a stopped flow of execution goes on.
struct Context {
#if defined(__x86_64__) || defined(__aarch64__)
  void* stack_pointer = nullptr;
#else
  ucontext_t registers;
#endif
  const void* stack = nullptr;  // its lowest byte
  size_t stack_bytes = 0;
  void* shadow = nullptr;  // what the address sanitizer keeps for it
};

#if defined(__x86_64__)
// Saves what a called function must keep, then goes on with the other stack.
extern "C" void emulation_switch(void** from, void* to);
asm(R"(
.text
.p2align 4
emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
constexpr int kSavedWords = 6;
#elif defined(__aarch64__)
extern "C" void emulation_switch(void** from, void* to);
asm(R"(
.text
.p2align 4
emulation_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");
#endif

inline void switch_context(Context& from, Context& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.shadow, to.stack, to.stack_bytes);
#endif
#if defined(__x86_64__) || defined(__aarch64__)
  emulation_switch(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(&from.registers, &to.registers);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.shadow, nullptr, nullptr);
#endif
}

struct Fiber {
  static constexpr size_t kStackBytes = 256 << 10;

  Context context;
  char* memory = nullptr;

  // Gets the fiber ready to call `entry`, which must not return.
  void start(void (*entry)()) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    if (memory == nullptr) {
      void* mapped = mmap(nullptr, kStackBytes + page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (mapped == MAP_FAILED || mprotect(mapped, page, PROT_NONE) != 0) {
        std::fprintf(stderr, "no memory for the stacks of a block's threads\n");
        std::abort();
      }
      memory = static_cast<char*>(mapped) + page;  // a stack too deep runs into the page below
    }
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(memory, kStackBytes);
#endif
    context.stack = memory;
    context.stack_bytes = kStackBytes;
    context.shadow = nullptr;
#if defined(__x86_64__)
    void** top = reinterpret_cast<void**>(memory + kStackBytes) - 2;  // aligned as after a call
    *top = reinterpret_cast<void*>(entry);
    context.stack_pointer = top - kSavedWords;
#elif defined(__aarch64__)
    void** low = reinterpret_cast<void**>(memory + kStackBytes - 160);
    low[11] = reinterpret_cast<void*>(entry);  // x30
    context.stack_pointer = low;
#else
    getcontext(&context.registers);
    context.registers.uc_stack.ss_sp = memory;
    context.registers.uc_stack.ss_size = kStackBytes;
    context.registers.uc_link = nullptr;
    makecontext(&context.registers, entry, 0);
#endif
  }
};

}  // namespace emulation
