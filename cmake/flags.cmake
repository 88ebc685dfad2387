# Compiler flags, sanitizers and what counts as a build type.

set(BOLIDE_SANITIZE none CACHE STRING
    "none, address (ASan and UBSan), thread, or fuzzer (libFuzzer with ASan and UBSan; clang)")
set_property(CACHE BOLIDE_SANITIZE PROPERTY STRINGS none address thread fuzzer)
option(BOLIDE_ANALYZE "compile with gcc -fanalyzer (slow)" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
# No NDEBUG anywhere: assertions of our own invariants stay on in what users run.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# PIE and not PIC: calls inside the program stay direct and can be inlined.
add_compile_options(-fno-omit-frame-pointer -fPIE)
add_link_options(-pie -Wl,--as-needed)
set(BOLIDE_WARNINGS -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  list(APPEND BOLIDE_WARNINGS -Wno-string-concatenation)  # long texts in tables are written as parts
endif()

if(BOLIDE_SANITIZE STREQUAL "address")
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(BOLIDE_SANITIZE STREQUAL "thread")
  set(sanitize -fsanitize=thread)
elseif(BOLIDE_SANITIZE STREQUAL "fuzzer")
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "BOLIDE_SANITIZE=fuzzer needs clang: add -DCMAKE_C_COMPILER=clang")
  endif()
  set(sanitize -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
elseif(BOLIDE_SANITIZE STREQUAL "none")
  set(sanitize "")
  add_compile_options(-fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
      # The layers are libraries: inlining across them saves a sixth of the CPU per message.
      set(CMAKE_C_COMPILE_OPTIONS_IPO -flto=auto)
      set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    endif()
  endif()
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
else()
  message(FATAL_ERROR "BOLIDE_SANITIZE is '${BOLIDE_SANITIZE}'; it is none, address, thread or fuzzer")
endif()
if(sanitize)
  # -O1: sanitized tests at a bearable speed with readable stacks. gcc's flow warnings misfire on instrumented code.
  set(CMAKE_C_FLAGS_RELEASE "-O1 -g")
  add_compile_options(${sanitize})
  add_link_options(${sanitize})
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND BOLIDE_WARNINGS -Wno-maybe-uninitialized -Wno-stringop-overflow
         -Wno-stringop-overread -Wno-array-bounds)
  endif()
endif()
if(BOLIDE_ANALYZE)
  # What it says of leaks and freed memory misfires on pointers in arrays and on linked lists; ASan watches both in
  # every test.
  list(APPEND BOLIDE_WARNINGS -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-use-after-free)
endif()
