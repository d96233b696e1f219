# How a module of weir is built:
#
#   weir_module(NAME log
#     SOURCES segment.cc wal.cc        # everything but tests
#     DEPS base io kafka               # other modules; checked against layers.txt by tools/tidy.py
#     LIBS Boost::headers              # libraries of the field, private to this module
#     TESTS segment_test.cc            # one test program, log_test
#     ALONE wal_test.cc                # those of the tests that are never compiled together with others, see weir_together
#     TEST_DEPS sim                    # further modules that only the tests use
#     FUZZ batch_fuzz.cc               # one fuzz target a file, in the fuzz preset; see tests/fuzz/harness.h
#     BENCH batch_bench.cc)            # one benchmark program, log_bench
#
#   weir_program(NAME weir SOURCES main.cc DEPS cli)
#   weir_program(NAME simulation KIND sim SOURCES simulation.cc DEPS broker sim)   # ./run sim
#   weir_program(NAME crash_test KIND test SOURCES crash_test.cc DEPS broker)      # ./run test
#
# Test programs run with the root of the tree as their working folder, and WEIR_SOURCE_DIR is ".": an
# absolute path in a compiler's command line would make every clone miss the cache of the others.
# Whatever `./run` must find by name is written to build/PRESET/programs.txt, a line each: KIND NAME PATH.

option(WEIR_FUZZ "build the fuzz targets (needs clang)" OFF)
option(WEIR_TESTS "build the tests" ON)
set(WEIR_TOGETHER 0 CACHE STRING "how many sources of a test are compiled as one; 0: each by itself")
set(WEIR_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize=")

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Dev)
endif()
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

add_library(weir_options INTERFACE)
# Of sources that are compiled as one, a local name may be that of another, and what looks like a header has an unnamed namespace.
set(shadow $<IF:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>,-Wno-subobject-linkage,-Wshadow>)
target_compile_options(weir_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion ${shadow} -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast -Werror
  -fno-omit-frame-pointer -fstack-protector-strong -fvisibility=hidden
  -fdebug-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
target_include_directories(weir_options INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # clang warns where gcc's headers of Debian's libraries are imprecise; gcc is the first compiler.
  target_compile_options(weir_options INTERFACE -Wno-unused-command-line-argument -Wno-sign-conversion
    -Wno-implicit-int-conversion -Wno-shorten-64-to-32 -Wthread-safety)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # At -O2 g++ 12 sees uninitialised members in every std::variant that it inlines; ASan and clang look for real ones.
  target_compile_options(weir_options INTERFACE -Wno-maybe-uninitialized)
  # Its heap is collected at a gigabyte instead of 128 MiB, which hardly a source reaches: a tenth to a fifth less time. The output
  # is the same, so CMakePresets.json leaves this out of what ccache compares.
  target_compile_options(weir_options INTERFACE --param=ggc-min-heapsize=1000000)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(weir_options INTERFACE _FORTIFY_SOURCE=2)
endif()
if(WEIR_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Asio uses a fence that gcc's ThreadSanitizer does not model; gcc says so for each one.
  target_compile_options(weir_options INTERFACE -Wno-tsan)
endif()
if(WEIR_SANITIZE)
  target_compile_options(weir_options INTERFACE -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(weir_options INTERFACE -fsanitize=${WEIR_SANITIZE})
endif()
if(WEIR_FUZZ)
  # Coverage by line too, so that one build fuzzes and measures. The profile of a run that nobody asked for
  # (LLVM_PROFILE_FILE) goes nowhere.
  target_compile_options(weir_options INTERFACE -fsanitize=fuzzer-no-link
    -fprofile-instr-generate=/dev/null -fcoverage-mapping -fcoverage-compilation-dir=.)
  target_link_options(weir_options INTERFACE -fprofile-instr-generate=/dev/null)
endif()
find_program(WEIR_MOLD mold)
find_program(WEIR_LLD ld.lld-19)
if(WEIR_MOLD)
  target_link_options(weir_options INTERFACE -fuse-ld=mold)
endif()

find_package(Threads REQUIRED)
find_package(benchmark QUIET)
if(WEIR_TESTS)
  find_package(GTest REQUIRED)
endif()

# Compiles the sources of a test some at a time, as one: most of what such a source costs is the headers, which they share. None
# that is named after the target: what these have in unnamed namespaces is called as something of another source of the target.
# Never a library: what is linked with it would have to be linked with what its neighbours need.
function(weir_together target)
  if(WEIR_TOGETHER)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${WEIR_TOGETHER})
    set_property(SOURCE ${ARGN} PROPERTY SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

function(weir_register kind target)
  set_property(GLOBAL APPEND PROPERTY WEIR_PROGRAMS "${kind} ${target} $<TARGET_FILE:${target}>\n")
  if(kind STREQUAL "test")
    add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()

function(weir_write_programs)
  get_property(programs GLOBAL PROPERTY WEIR_PROGRAMS)
  list(JOIN programs "" text)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/programs.txt CONTENT "${text}")
endfunction()

function(weir_module)
  cmake_parse_arguments(M "" "NAME" "SOURCES;DEPS;LIBS;TESTS;ALONE;TEST_DEPS;TEST_LIBS;FUZZ;BENCH" ${ARGN})
  list(TRANSFORM M_DEPS PREPEND weir_ OUTPUT_VARIABLE deps)
  list(TRANSFORM M_TEST_DEPS PREPEND weir_ OUTPUT_VARIABLE test_deps)
  add_library(weir_${M_NAME} STATIC ${M_SOURCES})
  target_link_libraries(weir_${M_NAME} PUBLIC weir_options ${deps} PRIVATE ${M_LIBS})

  if(WEIR_TESTS AND M_TESTS)
    add_executable(${M_NAME}_test ${M_TESTS})
    target_compile_options(${M_NAME}_test PRIVATE -O0)
    target_compile_definitions(${M_NAME}_test PRIVATE WEIR_SOURCE_DIR=".")
    target_link_libraries(${M_NAME}_test PRIVATE weir_${M_NAME} ${test_deps} ${M_TEST_LIBS} GTest::gtest_main Threads::Threads)
    weir_together(${M_NAME}_test ${M_ALONE})
    weir_register(test ${M_NAME}_test)
  endif()
  if(WEIR_FUZZ)
    foreach(file ${M_FUZZ})
      get_filename_component(target ${file} NAME_WE)
      add_executable(${target} ${file})
      target_link_libraries(${target} PRIVATE weir_${M_NAME} ${test_deps} weir_fuzz_harness)
      weir_register(fuzz ${target})
    endforeach()
  endif()
  if(M_BENCH AND benchmark_FOUND)
    add_executable(${M_NAME}_bench ${M_BENCH})
    target_link_libraries(${M_NAME}_bench PRIVATE weir_${M_NAME} ${test_deps} benchmark::benchmark_main Threads::Threads)
    weir_register(bench ${M_NAME}_bench)
  endif()
endfunction()

function(weir_program)
  cmake_parse_arguments(P "" "NAME;KIND" "SOURCES;ALONE;DEPS;LIBS" ${ARGN})
  if(NOT P_KIND)
    set(P_KIND program)
  elseif((P_KIND STREQUAL "test" AND NOT WEIR_TESTS) OR (P_KIND STREQUAL "fuzz" AND NOT WEIR_FUZZ))
    return()
  endif()
  list(TRANSFORM P_DEPS PREPEND weir_ OUTPUT_VARIABLE deps)
  add_executable(${P_NAME} ${P_SOURCES})
  target_link_libraries(${P_NAME} PRIVATE weir_options ${deps} ${P_LIBS} Threads::Threads)
  if(P_KIND STREQUAL "test")
    target_compile_options(${P_NAME} PRIVATE -O0)
    target_compile_definitions(${P_NAME} PRIVATE WEIR_SOURCE_DIR=".")
    target_link_libraries(${P_NAME} PRIVATE GTest::gtest_main)
    weir_together(${P_NAME} ${P_ALONE})
  elseif(P_KIND STREQUAL "fuzz")
    target_link_libraries(${P_NAME} PRIVATE weir_fuzz_harness)
  endif()
  weir_register(${P_KIND} ${P_NAME})
endfunction()
