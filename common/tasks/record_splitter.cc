#include "common/tasks/record_splitter.h"

#include <algorithm>
#include <utility>

namespace cairn::tasks {
namespace {

constexpr size_t kNone = std::string_view::npos;

void emit(RecordSink& sink, uint32_t file, uint64_t offset, const Fragment& whole) {
  if (whole.too_long()) return sink.on_too_long(file, offset);
  if (whole.length > 0) sink.on_record({file, offset, whole.bytes});
}

void encode_fragment(ByteWriter& out, const Fragment& fragment) { out.u64(fragment.length).string(fragment.bytes); }

bool decode_fragment(ByteReader& in, Fragment& fragment) {
  fragment.length = in.u64();
  fragment.bytes = in.string(kMaxRecordBytes);
  return in.ok() && fragment.bytes.size() == (fragment.too_long() ? 0 : fragment.length);
}

}  // namespace

void Fragment::append(std::string_view more, uint64_t more_length) {
  length += more_length;
  if (too_long()) {
    std::string().swap(bytes);  // gives the memory back
  } else {
    bytes += more;
  }
}

void Seam::encode(ByteWriter& out) const {
  out.boolean(border).boolean(starts_inside).boolean(ends_inside);
  encode_fragment(out, head);
  encode_fragment(out, tail);
}

std::optional<Seam> Seam::decode(ByteReader& in, const RangeAt& where) {
  Seam seam;
  seam.border = in.boolean();
  seam.starts_inside = in.boolean();
  seam.ends_inside = in.boolean();
  if (!decode_fragment(in, seam.head) || !decode_fragment(in, seam.tail)) return std::nullopt;
  const uint64_t bytes = where.end - where.begin;
  const bool fits = seam.border ? seam.head.length <= bytes && seam.tail.length <= bytes - seam.head.length
                                : seam.head.length == bytes && seam.tail.length == 0;
  const bool starts_well = !where.starts_file || (seam.border && seam.head.length == 0 && !seam.starts_inside);
  const bool ends_well = !where.ends_file || (seam.border && seam.tail.length == 0);
  if (!fits || !starts_well || !ends_well) return std::nullopt;
  return seam;
}

Status join_seams(const RangeAt& right_at, Seam& left, Seam& right, RecordSink& sink) {
  if (left.ends_inside != right.starts_inside)
    return {Errc::invalid, "offset " + std::to_string(right_at.begin) + ": a split was cut with the wrong quote state"};
  left.ends_inside = right.ends_inside;
  if (!left.border) {
    left.head.append(right.head);
    left.border = right.border;
    left.tail = std::move(right.tail);
  } else if (!right.border) {
    left.tail.append(right.head);
  } else {
    const uint64_t offset = right_at.begin - left.tail.length;
    left.tail.append(right.head);
    emit(sink, right_at.file, offset, left.tail);
    left.tail = std::move(right.tail);
  }
  return {};
}

RecordSplitter::RecordSplitter(RecordFormat format, const Split& split, uint64_t file_bytes, RecordSink& sink)
    : format_(format),
      split_(split),
      starts_inside_(format.framing == Framing::csv && split.starts_inside_quotes),
      ends_file_(split.end == file_bytes),
      sink_(sink),
      at_(split.begin),
      inside_(starts_inside_),
      border_(split.begin == 0) {}

void RecordSplitter::feed(std::string_view bytes) {
  size_t done = 0;
  for (size_t end; (end = border_behind(bytes, done)) != kNone; done = end)
    end_record(bytes.substr(done, end - done), at_ + end);
  open_.append(bytes.substr(done), bytes.size() - done);
  at_ += bytes.size();
}

Seam RecordSplitter::finish() {
  if (ends_file_) end_record({}, at_);
  Seam seam{border_, starts_inside_, inside_, std::move(head_), std::move(open_)};
  if (!border_) std::swap(seam.head, seam.tail);
  return seam;
}

size_t RecordSplitter::border_behind(std::string_view bytes, size_t from) {
  if (format_.framing == Framing::csv) return csv_border_behind(bytes, from);
  if (format_.framing == Framing::lines) {
    const size_t end = bytes.find('\n', from);
    return end == kNone ? kNone : end + 1;
  }
  const uint64_t rest = format_.record_bytes - (at_ + from) % format_.record_bytes;
  return rest <= bytes.size() - from ? from + rest : kNone;
}

// Two searches by memchr, for the next line end and the next quote; each byte is looked at by each of them once.
size_t RecordSplitter::csv_border_behind(std::string_view bytes, size_t from) {
  size_t line_end = from, at = from;
  bool looked = false;
  while (true) {
    if (inside_) {
      const size_t quote = bytes.find('"', at);
      if (quote == kNone) return kNone;
      inside_ = false;
      at = quote + 1;
    }
    if (!looked || (line_end != kNone && line_end < at)) line_end = bytes.find('\n', at);
    looked = true;
    const size_t quote = bytes.substr(0, line_end).find('"', at);
    if (quote == kNone) return line_end == kNone ? kNone : line_end + 1;
    inside_ = true;
    at = quote + 1;
  }
}

// A border lies at the file offset end; rest are the last bytes of the record before it, behind open_.
void RecordSplitter::end_record(std::string_view rest, uint64_t end) {
  if (border_ && open_.length == 0) {
    const uint64_t offset = end - rest.size();
    if (rest.size() > kMaxRecordBytes) {
      sink_.on_too_long(split_.file, offset);
    } else if (!rest.empty()) {
      sink_.on_record({split_.file, offset, rest});
    }
    return;
  }
  open_.append(rest, rest.size());
  if (border_) {
    emit(sink_, split_.file, end - open_.length, open_);
  } else {
    head_ = std::move(open_);
    border_ = true;
  }
  open_ = {};
}

}  // namespace cairn::tasks
