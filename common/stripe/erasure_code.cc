#include "common/stripe/erasure_code.h"

#include <isa-l/erasure_code.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <list>

#include "common/base/thread.h"

namespace cairn {

namespace {

constexpr size_t kTableBytes = 32;    // of one coefficient: ec_init_tables
constexpr size_t kSlice = 32u << 10;  // of each pointer at a time, so that a slice of every shard stays in L2
constexpr size_t kDecodeTables = 64;  // remembered; a lost server is one pattern, two are three
constexpr uint32_t kMaxShards = kMaxDataShards + kMaxParityShards;

// Rows of coefficients, expanded for ISA-L: tables[(row * columns + column) * 32].
struct Matrix {
  uint32_t rows = 0;
  uint32_t columns = 0;
  std::vector<uint8_t> tables;
};

// out[r] = sum over columns of coefficient * in[c]. A null input is zeros: its column is left out.
void multiply(const Matrix& matrix, const uint8_t* const* inputs, uint8_t* const* outputs, size_t bytes) {
  std::array<uint8_t*, kMaxDataShards> in;
  uint32_t columns = 0;
  for (uint32_t c = 0; c < matrix.columns; ++c) {
    if (inputs[c] != nullptr) in[columns++] = const_cast<uint8_t*>(inputs[c]);  // ISA-L does not write them
  }
  if (columns == 0) {
    for (uint32_t r = 0; r < matrix.rows; ++r) std::memset(outputs[r], 0, bytes);
    return;
  }
  uint8_t* tables = const_cast<uint8_t*>(matrix.tables.data());
  assert(matrix.rows <= kMaxParityShards);  // with d shards known, no more can be missing
  std::array<uint8_t, kMaxDataShards * kMaxParityShards * kTableBytes> dense;
  if (columns < matrix.columns) {
    uint8_t* to = dense.data();
    for (uint32_t r = 0; r < matrix.rows; ++r) {
      for (uint32_t c = 0; c < matrix.columns; ++c) {
        if (inputs[c] == nullptr) continue;
        std::memcpy(to, &matrix.tables[(size_t{r} * matrix.columns + c) * kTableBytes], kTableBytes);
        to += kTableBytes;
      }
    }
    tables = dense.data();
  }
  std::array<uint8_t*, kMaxParityShards> out;
  std::copy_n(outputs, matrix.rows, out.begin());
  for (size_t done = 0; done < bytes;) {
    const size_t slice = std::min(kSlice, bytes - done);
    ec_encode_data(static_cast<int>(slice), static_cast<int>(columns), static_cast<int>(matrix.rows), tables, in.data(),
                   out.data());
    for (uint32_t c = 0; c < columns; ++c) in[c] += slice;
    for (uint32_t r = 0; r < matrix.rows; ++r) out[r] += slice;
    done += slice;
  }
}

Matrix expand(std::vector<uint8_t> coefficients, uint32_t rows, uint32_t columns) {
  Matrix matrix{rows, columns, std::vector<uint8_t>(size_t{rows} * columns * kTableBytes)};
  ec_init_tables(static_cast<int>(columns), static_cast<int>(rows), coefficients.data(), matrix.tables.data());
  return matrix;
}

// Which shards are used to rebuild which; bit i is shard i.
struct Pattern {
  uint64_t sources = 0;
  uint64_t wanted = 0;
  bool operator==(const Pattern&) const = default;
};

}  // namespace

struct ErasureCode::Tables {
  std::vector<uint8_t> generator;  // (d + m) rows of d coefficients; the first d are the identity
  Matrix encode;

  struct Remembered {
    Pattern pattern;
    std::shared_ptr<const Matrix> matrix;
  };
  Mutex mutex;
  std::list<Remembered> decode;  // latest used first; guarded by mutex

  std::shared_ptr<const Matrix> find(const Pattern& pattern) {
    Lock lock(mutex);
    const auto found =
        std::find_if(decode.begin(), decode.end(), [&](const Remembered& r) { return r.pattern == pattern; });
    if (found == decode.end()) return nullptr;
    decode.splice(decode.begin(), decode, found);
    return found->matrix;
  }
  void remember(const Pattern& pattern, std::shared_ptr<const Matrix> matrix) {
    Lock lock(mutex);
    decode.push_front({pattern, std::move(matrix)});
    if (decode.size() > kDecodeTables) decode.pop_back();
  }

  // Rows that give the wanted shards from the sources, both in ascending order.
  Result<std::shared_ptr<const Matrix>> decoder(Code code, const Pattern& pattern) {
    if (auto known = find(pattern)) return known;
    const size_t d = code.d;
    std::vector<uint8_t> chosen, inverse(d * d), rows;
    for (uint32_t shard = 0; shard < code.shards(); ++shard) {
      if ((pattern.sources >> shard & 1) != 0)
        chosen.insert(chosen.end(), &generator[shard * d], &generator[shard * d] + d);
    }
    if (gf_invert_matrix(chosen.data(), inverse.data(), static_cast<int>(d)) != 0) {
      return Error{Errc::io, "erasure code: the matrix of the chosen shards has no inverse"};
    }
    for (uint32_t shard = 0; shard < code.shards(); ++shard) {
      if ((pattern.wanted >> shard & 1) == 0) continue;
      for (size_t column = 0; column < d; ++column) {
        uint8_t sum = 0;
        for (size_t i = 0; i < d; ++i) sum ^= gf_mul(generator[shard * d + i], inverse[i * d + column]);
        rows.push_back(sum);
      }
    }
    auto matrix = std::make_shared<const Matrix>(
        expand(std::move(rows), static_cast<uint32_t>(std::popcount(pattern.wanted)), code.d));
    remember(pattern, matrix);
    return matrix;
  }
};

std::shared_ptr<const ErasureCode> ErasureCode::of(Code code) {
  // Constant tables, made once for each code that is in use; not state that anything depends on.
  static Mutex mutex;
  static std::array<std::shared_ptr<const ErasureCode>, (kMaxDataShards + 1) * (kMaxParityShards + 1)> codes;
  assert(code.d >= 1 && code.d <= kMaxDataShards && code.m <= kMaxParityShards);
  Lock lock(mutex);
  auto& known = codes.at(size_t{code.d} * (kMaxParityShards + 1) + code.m);
  if (known == nullptr) known = std::make_shared<const ErasureCode>(code);
  return known;
}

ErasureCode::ErasureCode(Code code) : code_(code), tables_(std::make_unique<Tables>()) {
  tables_->generator.resize(size_t{code.shards()} * code.d);
  gf_gen_cauchy1_matrix(tables_->generator.data(), static_cast<int>(code.shards()), code.d);
  const size_t identity = size_t{code.d} * code.d;
  if (code.m > 0) {
    tables_->encode = expand({tables_->generator.begin() + static_cast<ptrdiff_t>(identity), tables_->generator.end()},
                             code.m, code.d);
  }
}

ErasureCode::~ErasureCode() = default;

void ErasureCode::encode(std::span<const uint8_t* const> data, std::span<uint8_t* const> parity, size_t bytes) const {
  assert(data.size() == code_.d && parity.size() == code_.m);
  if (code_.m > 0 && bytes > 0) multiply(tables_->encode, data.data(), parity.data(), bytes);
}

Status ErasureCode::reconstruct(std::span<const uint8_t* const> known, uint32_t zeros, std::span<const Wanted> wanted,
                                size_t bytes) const {
  assert(known.size() == code_.shards());
  // Data first: a known data shard costs a copy at most. Zeros count and cost nothing.
  std::array<const uint8_t*, kMaxDataShards> inputs{};
  Pattern pattern;
  uint32_t sources = 0;
  for (uint32_t shard = 0; shard < code_.shards() && sources < code_.d; ++shard) {
    const bool zero = shard < code_.d && (zeros >> shard & 1) != 0;
    if (known[shard] == nullptr && !zero) continue;
    inputs[sources++] = zero ? nullptr : known[shard];
    pattern.sources |= uint64_t{1} << shard;
  }
  if (sources < code_.d) {
    return {Errc::unavailable,
            "erasure code: " + std::to_string(sources) + " shards are known, " + std::to_string(code_.d) + " needed"};
  }
  std::array<uint8_t*, kMaxShards> outputs{};
  for (const Wanted& want : wanted) {
    if (want.shard < code_.d && (zeros >> want.shard & 1) != 0) {
      std::memset(want.out, 0, bytes);
    } else if (known[want.shard] != nullptr) {
      if (known[want.shard] != want.out) std::memmove(want.out, known[want.shard], bytes);
    } else {
      assert(outputs[want.shard] == nullptr);
      outputs[want.shard] = want.out;
      pattern.wanted |= uint64_t{1} << want.shard;
    }
  }
  if (pattern.wanted == 0 || bytes == 0) return {};
  std::array<uint8_t*, kMaxShards> in_order{};
  std::copy_if(outputs.begin(), outputs.end(), in_order.begin(), [](uint8_t* out) { return out != nullptr; });
  ASSIGN(const auto matrix, tables_->decoder(code_, pattern));
  multiply(*matrix, inputs.data(), in_order.data(), bytes);
  return {};
}

}  // namespace cairn
