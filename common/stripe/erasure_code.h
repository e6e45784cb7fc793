// Systematic Reed-Solomon over GF(2^8) with Cauchy matrices, from ISA-L (Vandermonde is unsafe for m > 3).
//
// Thread-safe; encode and inverted decode tables are cached (bounded). Buffers need no alignment; 64-byte aligned ones
// are faster. Source: ISA-L erasure_code.h: gf_gen_cauchy1_matrix, ec_init_tables, ec_encode_data.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/base/types.h"

namespace cairn {

class ErasureCode {
 public:
  // The code's one instance in this process. Requires 1 <= d <= 32, m <= 8.
  static std::shared_ptr<const ErasureCode> of(Code code);

  // data: d pointers, null for a cell of zeros; parity: m pointers. Each is `bytes` long.
  void encode(std::span<const uint8_t* const> data, std::span<uint8_t* const> parity, size_t bytes) const;

  // Rebuilds the wanted shards (data or parity) from at least d known ones.
  // known: d+m pointers, null where missing; zeros: bit i set if data shard i is all zeros and counts as known.
  // unavailable if fewer than d are known.
  struct Wanted {
    uint32_t shard;
    uint8_t* out;
  };
  Status reconstruct(std::span<const uint8_t* const> known, uint32_t zeros, std::span<const Wanted> wanted,
                     size_t bytes) const;

  Code code() const { return code_; }
  explicit ErasureCode(Code code);  // use of()
  ~ErasureCode();

 private:
  struct Tables;
  Code code_;
  std::unique_ptr<Tables> tables_;
};

}  // namespace cairn
