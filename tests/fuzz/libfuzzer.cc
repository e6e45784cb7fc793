// The one target of a libFuzzer program. `fuzz_NAME --seeds=DIR` writes its seeds there and ends.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/fuzz.h"

namespace {

void write_seeds(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  size_t number = 0;
  for (const std::string& seed : cairn::fuzz::targets().front().seeds()) {
    std::ofstream(directory / ("seed-" + std::to_string(number++)), std::ios::binary) << seed;
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kSeeds = "--seeds=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (!argument.starts_with(kSeeds)) continue;
    write_seeds(argument.substr(kSeeds.size()));
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cairn::fuzz::targets().front().one({data, size});
  return 0;
}
