#include "common/tasks/record_order.h"

#include <fmt/format.h>

#include <bit>

#include "common/base/bytes.h"
#include "common/tasks/arguments.h"
#include "common/tasks/numbers.h"
#include "common/tasks/utf8.h"

namespace cairn::tasks {

std::string number_key(double value) {
  constexpr uint64_t kSign = uint64_t{1} << 63;
  const auto bits = std::bit_cast<uint64_t>(value + 0.0);
  ByteWriter out;
  out.u64_be((bits & kSign) != 0 ? ~bits : bits | kSign);
  return out.take();
}

Result<RecordOrder> RecordOrder::of(const Job& job) {
  RecordOrder order;
  order.reverse = flag_of(job.arguments, "reverse");
  order.numeric = flag_of(job.arguments, "numeric");
  order.column = text_of(job.arguments, "column", "");
  if (!job.arguments.contains("column")) {
    for (const char* name : {"numeric", "delimiter"}) {
      if (job.arguments.contains(name))
        return {Errc::invalid, fmt::format("--{} goes with --column: without it lines are compared as bytes", name)};
    }
    return order;
  }
  ASSIGN(const char delimiter, delimiter_of(job.arguments));
  ASSIGN(order.columns, CsvColumns::find(job.files, delimiter, {order.column}));
  return order;
}

Result<std::string> RecordOrder::key_of(const std::string& text) const {
  if (!numeric) return text;
  const std::optional<double> number = parse_number(text);
  if (!number) return {Errc::invalid, fmt::format("\"{}\" is no number, and --numeric wants one", text)};
  return number_key(*number);
}

RecordKeys::RecordKeys(const RecordOrder& order) : order_(order) {
  if (order.columns) fields_.emplace(*order.columns);
}

std::optional<Fault> RecordKeys::read(const Record& record) {
  present_ = true;
  text_ = record.bytes;
  if (text_.ends_with('\n')) text_.remove_suffix(1);
  key_ = text_;
  if (!fields_) return std::nullopt;
  if (text_.ends_with('\r')) text_.remove_suffix(1);
  std::optional<Fault> fault = fields_->read(record);
  present_ = !fault && fields_->present();
  if (!present_) return fault;
  key_ = fields_->text(0);
  if (!order_.numeric || key_.empty()) return std::nullopt;
  const std::optional<double> number = parse_number(key_);
  if (!number)
    return Fault{fields_->offset_of(0), fmt::format("column \"{}\": \"{}\" is no number", order_.column,
                                                    replace_invalid_utf8(key_.substr(0, 100)))};
  key_ = number_ = number_key(*number);
  return std::nullopt;
}

}  // namespace cairn::tasks
