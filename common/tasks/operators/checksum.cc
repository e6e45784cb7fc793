// checksum: crc32c, xxh3 or sha256 of each file.
//
// A CRC of two ranges follows from theirs (crc32c_combine), so crc32c is computed wherever the bytes lie. xxh3 and
// sha256 are chains: each byte needs the state behind all before it. Those want whole files: one task reads a file from
// its first to its last byte, which for a striped file means that cells travel; many files go in parallel.
#include "common/base/checksum.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include "common/tasks/arguments.h"
#include "common/tasks/range_partial.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {
namespace {

struct Crc {
  uint32_t value = 0;
  uint64_t bytes = 0;

  void add(std::string_view piece) {
    value = crc32c(bytes_of(piece), value);
    bytes += piece.size();
  }
  void close() {}
  Status join(const Crc& right) {
    value = crc32c_combine(value, right.value, right.bytes);
    bytes += right.bytes;
    return {};
  }
  void encode(ByteWriter& out) const { out.u32(value); }
  static std::optional<Crc> decode(ByteReader& in, const RangeAt& where) {
    return Crc{in.u32(), where.end - where.begin};
  }
  std::string text() const { return fmt::format("crc32c:{:08x}", value); }
};

// Of a whole file: while it is read the hash's state, then the text.
template <typename Hash>
struct Chained {
  std::unique_ptr<Hash> hash = std::make_unique<Hash>();
  std::string digest;

  void add(std::string_view piece) { hash->add(piece); }
  void close() {
    digest = hash->text();
    hash.reset();
  }
  static Status join(const Chained&) { return {Errc::invalid, "a chained checksum of parts of a file"}; }
  void encode(ByteWriter& out) const { out.string(digest); }
  static std::optional<Chained> decode(ByteReader& in, const RangeAt& where) {
    Chained out{nullptr, in.string(Hash::kTextBytes)};
    const bool fits = out.digest.size() == Hash::kTextBytes && out.digest.starts_with(Hash::kPrefix) &&
                      out.digest.find_first_not_of("0123456789abcdef", Hash::kPrefix.size()) == std::string::npos;
    if (!fits || !where.starts_file || !where.ends_file) return std::nullopt;
    return out;
  }
  std::string text() const { return digest; }
};

class Xxh3 {
 public:
  static constexpr std::string_view kPrefix = "xxh3:";
  static constexpr size_t kTextBytes = kPrefix.size() + 16;
  Xxh3() { XXH3_64bits_reset(state_.get()); }
  void add(std::string_view piece) { XXH3_64bits_update(state_.get(), piece.data(), piece.size()); }
  std::string text() const { return fmt::format("{}{:016x}", kPrefix, XXH3_64bits_digest(state_.get())); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_{XXH3_createState()};
};

class Sha256 {
 public:
  static constexpr std::string_view kPrefix = "sha256:";
  static constexpr size_t kTextBytes = kPrefix.size() + 64;
  Sha256() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(std::string_view piece) { EVP_DigestUpdate(context_.get(), piece.data(), piece.size()); }
  std::string text() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &length);
    return fmt::format("{}{:02x}", kPrefix, fmt::join(digest, digest + length, ""));
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
};

template <typename Summary>
class Checksum final : public Operator {
 public:
  Checksum(const Job& job, Needs needs) : Operator(job), needs_(needs) {}
  Needs needs() const override { return needs_; }
  std::unique_ptr<Partial> empty() const override {
    return std::make_unique<RangePartial<Summary>>(
        files(), std::vector<std::string>{"file", "bytes", "checksum"}, [] { return Summary{}; },
        [](const InputFile& file, const Summary& summary) {
          return std::vector<Value>{file.name, file.size, summary.text()};
        });
  }

 private:
  const Needs needs_;
};

Needs needs_for(const Arguments& arguments) {
  return {.whole_files = text_of(arguments, "algorithm", "crc32c") != "crc32c"};
}

Result<std::unique_ptr<Operator>> make_checksum(const Job& job) {
  const std::string algorithm = text_of(job.arguments, "algorithm", "crc32c");
  const Needs needs = needs_for(job.arguments);
  if (algorithm == "crc32c") return {std::make_unique<Checksum<Crc>>(job, needs)};
  if (algorithm == "xxh3") return {std::make_unique<Checksum<Chained<Xxh3>>>(job, needs)};
  if (algorithm == "sha256") return {std::make_unique<Checksum<Chained<Sha256>>>(job, needs)};
  return {Errc::invalid, fmt::format("--algorithm \"{}\": crc32c, xxh3 or sha256 is wanted", algorithm)};
}

}  // namespace

OperatorInfo checksum_operator() {
  return {.name = "checksum",
          .summary = "A checksum of each file: crc32c, xxh3 or sha256",
          .explains =
              "One row for each file: file,bytes,checksum; the checksum as ALGORITHM:HEX, so that no reader of CSV "
              "takes it\nfor a number. crc32c is computed in any number of parts; xxh3 (64 bits) and sha256 read each "
              "file from its\nbeginning to its end.\n"
              "Examples:\n"
              "  cairn task try checksum /mnt/cairn/data/*.bin\n"
              "  cairn task try checksum --algorithm sha256 /mnt/cairn/data/*.bin    as sha256sum",
          .options = {{"algorithm", "NAME", "crc32c (if nothing is said), xxh3 or sha256"}},
          .needs = needs_for,
          .make = make_checksum};
}

}  // namespace cairn::tasks
