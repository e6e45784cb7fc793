# Tests are GoogleTest programs, registered with ctest under one of the labels unit, sim and system.
option(BUILD_TESTING "Build the tests" ON)
if(BUILD_TESTING)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
  # Debian's, not the first on the PATH: the modules that tests import are packages of Debian.
  find_program(Python3_EXECUTABLE python3 PATHS /usr/bin NO_DEFAULT_PATH)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
endif()

# cairn_test(NAME LABEL unit|sim|system [TIMEOUT seconds] SOURCES ... LINK ...): one ctest entry for the program.
function(cairn_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE cairn_options ${ARG_LINK} GTest::gmock GTest::gtest GTest::gtest_main)
  # GCC 12 at -O2 sees overruns in std::string and std::vector where there are none (its bugs 105329 and 105651).
  target_compile_options(${name} PRIVATE -Wno-array-bounds -Wno-stringop-overflow -Wno-restrict)
  cairn_precompile(${name} precompiled_tests GTest::gmock)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
