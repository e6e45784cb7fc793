# Compiler flags, sanitizers, ccache, precompiled headers.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# The three programs lie in one folder and find each other there.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g1")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

set(CAIRN_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them: address,undefined or thread")
if(CAIRN_SANITIZE)
  add_compile_options(-fsanitize=${CAIRN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CAIRN_SANITIZE})
  # The name that GCC gives this; clang 14 has only __has_feature.
  if(CAIRN_SANITIZE MATCHES address AND CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    add_compile_definitions(__SANITIZE_ADDRESS__=1)
  endif()
endif()
# The fuzzers of tests/fuzz as programs of their own; they need clang. Elsewhere their corpora are replayed by a test.
option(CAIRN_FUZZ "Build libFuzzer programs" OFF)
if(CAIRN_FUZZ)
  # These nearly double the time of the build. The asan preset, which replays the corpora, has them.
  add_compile_options(-fno-sanitize=vptr,null,alignment,function,object-size)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
option(CAIRN_PCH "Precompile the standard library's headers" ON)

# Our own code: warnings are errors. Generated code is not ours. Clang, which builds the fuzzers, is not asked twice.
add_library(cairn_options INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(cairn_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                         -Woverloaded-virtual -Werror -fpch-preprocess)
else()
  target_compile_options(cairn_options INTERFACE -w)
endif()
target_include_directories(cairn_options INTERFACE ${CMAKE_SOURCE_DIR})

# cairn_library(NAME SOURCES ... LINK ...): a static library of our own code.
function(cairn_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC cairn_options ${ARG_LINK})
  if(CAIRN_PCH)
    target_precompile_headers(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.h)
  endif()
endfunction()

# cairn_program(NAME SOURCES ... LINK ...): an executable in bin/.
function(cairn_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cairn_options ${ARG_LINK})
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()
