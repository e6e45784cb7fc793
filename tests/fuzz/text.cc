// What people and other programs write: sizes, durations, addresses, codes, policies, requests of scrapers, mount
// tables, the state of a dev cluster.
#include <algorithm>

#include "client/fuse/mount_table.h"
#include "common/base/bytes.h"
#include "common/base/config.h"
#include "common/base/http_server.h"
#include "common/meta/policy.h"
#include "tests/fuzz/fuzz.h"
#include "tools/cairn/dev_state.h"

namespace cairn::fuzz {
namespace {

void check_policy(std::string_view text) {
  const auto parsed = parse_policy(text);
  if (!parsed.ok()) return require(parsed.code() == Errc::invalid, "a wrong policy is invalid");
  StorageClass whole{.id = {},
                     .name = "x",
                     .policy = parsed->policy,
                     .cell_bytes = parsed->cell_bytes.value_or(4096),
                     .failure_domain = parsed->failure_domain.value_or("host")};
  require(check_class(whole).ok(), "a policy that was parsed makes a class");
  const auto again = parse_policy(policy_text(whole));
  require(again.ok() && again->policy == whole.policy && again->cell_bytes == whole.cell_bytes &&
              again->failure_domain == whole.failure_domain,
          "a policy is parsed as it was written");
  whole.name = policy_text(whole);
  require(check_class(whole).ok(), "a policy's text names its class");
}

void one(Bytes bytes) {
  const std::string_view text = text_of(bytes);
  if (const auto size = parse_size(text); size.ok()) {
    const auto again = parse_size(format_size(*size));
    require(again.ok() && *again == *size, "a size is parsed as it was written");
  }
  if (const auto duration = parse_duration(text); duration.ok()) {
    const auto again = parse_duration(format_duration(*duration));
    require(again.ok() && *again == *duration, "a duration is parsed as it was written");
  }
  if (const auto address = parse_address(text); address.ok()) {
    const auto again = parse_address(address->text());
    require(again.ok() && *again == *address, "an address is parsed as it was written");
  }
  if (const auto code = parse_code(text); code.ok()) {
    require(code->d >= 1 && code->d <= kMaxDataShards && code->m <= kMaxParityShards, "a code is within its limits");
    const auto again = parse_code(format_code(*code));
    require(again.ok() && *again == *code, "a code is parsed as it was written");
  }
  check_policy(text);

  if (const auto state = tools::decode_dev_state(std::string(text)); state.ok()) {
    const auto again = tools::decode_dev_state(tools::encode(*state));
    require(again.ok() && tools::encode(*again) == tools::encode(*state), "a dev cluster is read as it was written");
  }

  const HttpServer::Pages pages = {{"/metrics", [] { return HttpReply{.body = "x"}; }}};
  const HttpReply reply = answer_request(text, pages);
  require(reply.status == 200 || reply.status == 400 || reply.status == 404 || reply.status == 405, "an HTTP answer");

  const auto mounts = parse_mountinfo(text);
  require(mounts.size() <= static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1, "a mount has a line");
  for (const MountEntry& mount : mounts) (void)mount_of(mounts, mount.mountpoint);
}

std::vector<std::string> seeds() {
  tools::DevState dev;
  dev.metaserver.port = 4000;
  dev.chunkservers.resize(2);
  return {tools::encode(dev),
          "4096",
          "256KiB",
          "2T",
          "18446744073709551615",
          "500ms",
          "7d",
          "0",
          "127.0.0.1:4000",
          "[::1]:65535",
          "ec(4,2)",
          "ec(32,8)/1M/rack",
          "ec(1,0)/4K",
          "ec(4,2)/host",
          "GET /metrics?x HTTP/1.1\r\n\r\n",
          "POST / HTTP/1.0\r\n\r\n",
          "36 35 0:57 / /mnt/a\\040b rw,noatime master:1 - fuse.cairn 127.0.0.1:4000 rw\n"
          "37 35 98:0 /mnt1 /mnt2 rw - ext3 /dev/root rw,errors=continue\n"};
}

const Registered registered{{"text", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz
