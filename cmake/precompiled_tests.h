// What nearly every test includes; precompiled once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "cmake/precompiled.h"
