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
option(CAIRN_PCH "Precompile the headers that nearly every file includes" ON)

# Our own code: warnings are errors. Generated code is not ours. Clang, which builds the fuzzers, is not asked twice.
add_library(cairn_options INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(cairn_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                         -Woverloaded-virtual -Werror -fpch-preprocess)
else()
  target_compile_options(cairn_options INTERFACE -w)
endif()
target_compile_options(cairn_options INTERFACE -pthread)  # as some libraries ask for: one set of flags for all, or a precompiled header does not fit
target_include_directories(cairn_options INTERFACE ${CMAKE_SOURCE_DIR})

# cairn_precompile(TARGET HEADER [LINK ...]): HEADER of this folder, precompiled once for all targets that name it, with the definitions of the
# libraries that it includes: fmt, spdlog (which cairn_base brings to every target) and LINK.
function(cairn_precompile target header)
  if(NOT CAIRN_PCH)
    return()
  endif()
  if(NOT TARGET cairn_${header})
    add_library(cairn_${header} OBJECT ${CMAKE_SOURCE_DIR}/cmake/precompiled.cc)
    target_link_libraries(cairn_${header} PRIVATE cairn_options fmt::fmt spdlog::spdlog ${ARGN})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL EXECUTABLE)  # GCC takes a header only with the flags it was compiled with
      set_target_properties(cairn_${header} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(cairn_${header} PRIVATE -fPIE)
    endif()
    target_precompile_headers(cairn_${header} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/${header}.h)
  endif()
  target_precompile_headers(${target} REUSE_FROM cairn_${header})
endfunction()

# cairn_library(NAME SOURCES ... LINK ...): a static library of our own code.
function(cairn_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC cairn_options ${ARG_LINK})
  cairn_precompile(${name} precompiled)
endfunction()

# cairn_program(NAME SOURCES ... LINK ...): an executable in bin/.
function(cairn_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cairn_options ${ARG_LINK})
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()
