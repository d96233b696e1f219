# How a module of weir is built:
#
#   weir_module(NAME log
#     SOURCES segment.cc wal.cc        # everything but tests
#     DEPS base io kafka               # other modules; checked against layers.txt by tools/tidy.py
#     LIBS Boost::headers              # libraries of the field, private to this module
#     TESTS segment_test.cc            # one test program, log_test
#     TEST_DEPS sim                    # further modules that only the tests use
#     FUZZ batch_fuzz.cc               # one fuzz target a file, in the fuzz preset
#     BENCH batch_bench.cc)            # one benchmark program, log_bench
#
#   weir_program(NAME weir SOURCES main.cc DEPS cli)

option(WEIR_FUZZ "build the fuzz targets (needs clang)" OFF)
option(WEIR_TESTS "build the tests" ON)
set(WEIR_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize=")
set(WEIR_MUTANT "" CACHE STRING "a planted bug, for the proof that the simulator finds it")

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
target_compile_options(weir_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast -Werror
  -fno-omit-frame-pointer -fstack-protector-strong -fvisibility=hidden
  -fdebug-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
target_include_directories(weir_options INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # clang warns where gcc's headers of Debian's libraries are imprecise; gcc is the first compiler.
  target_compile_options(weir_options INTERFACE -Wno-unused-command-line-argument -Wno-sign-conversion
    -Wno-implicit-int-conversion -Wno-shorten-64-to-32 -Wthread-safety)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(weir_options INTERFACE _FORTIFY_SOURCE=2)
endif()
if(WEIR_SANITIZE)
  target_compile_options(weir_options INTERFACE -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(weir_options INTERFACE -fsanitize=${WEIR_SANITIZE})
endif()
if(WEIR_FUZZ)
  target_compile_options(weir_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(WEIR_MUTANT)
  target_compile_definitions(weir_options INTERFACE WEIR_MUTANT_${WEIR_MUTANT}=1)
endif()
find_program(WEIR_MOLD mold)
find_program(WEIR_LLD ld.lld-19)
if(WEIR_MOLD)
  target_link_options(weir_options INTERFACE -fuse-ld=mold)
endif()

find_package(Threads REQUIRED)
if(WEIR_TESTS)
  find_package(GTest REQUIRED)
endif()

function(weir_module)
  cmake_parse_arguments(M "" "NAME" "SOURCES;DEPS;LIBS;TESTS;TEST_DEPS;TEST_LIBS;FUZZ;BENCH" ${ARGN})
  list(TRANSFORM M_DEPS PREPEND weir_ OUTPUT_VARIABLE deps)
  list(TRANSFORM M_TEST_DEPS PREPEND weir_ OUTPUT_VARIABLE test_deps)
  add_library(weir_${M_NAME} STATIC ${M_SOURCES})
  target_link_libraries(weir_${M_NAME} PUBLIC weir_options ${deps} PRIVATE ${M_LIBS})

  if(WEIR_TESTS AND M_TESTS)
    add_executable(${M_NAME}_test ${M_TESTS})
    target_compile_options(${M_NAME}_test PRIVATE -O0)
    target_compile_definitions(${M_NAME}_test PRIVATE WEIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_link_libraries(${M_NAME}_test PRIVATE weir_${M_NAME} ${test_deps} ${M_TEST_LIBS} GTest::gtest_main Threads::Threads)
    set_property(GLOBAL APPEND PROPERTY WEIR_TEST_PROGRAMS ${M_NAME}_test)
    add_test(NAME ${M_NAME} COMMAND ${M_NAME}_test)
  endif()
  if(WEIR_FUZZ)
    foreach(file ${M_FUZZ})
      get_filename_component(target ${file} NAME_WE)
      add_executable(${target} ${file})
      target_link_libraries(${target} PRIVATE weir_${M_NAME} ${test_deps})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
  if(WEIR_TESTS AND M_BENCH)
    find_package(benchmark REQUIRED)
    add_executable(${M_NAME}_bench ${M_BENCH})
    target_link_libraries(${M_NAME}_bench PRIVATE weir_${M_NAME} ${test_deps} benchmark::benchmark_main Threads::Threads)
  endif()
endfunction()

function(weir_program)
  cmake_parse_arguments(P "" "NAME" "SOURCES;DEPS;LIBS" ${ARGN})
  list(TRANSFORM P_DEPS PREPEND weir_ OUTPUT_VARIABLE deps)
  add_executable(${P_NAME} ${P_SOURCES})
  target_link_libraries(${P_NAME} PRIVATE weir_options ${deps} ${P_LIBS} Threads::Threads)
endfunction()
