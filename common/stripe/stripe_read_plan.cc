#include "common/stripe/stripe_read_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <tuple>

namespace cairn {

StripeReadPlan::StripeReadPlan(Stripe stripe, Instant now, Duration hedge_after, Instant give_up)
    : stripe_(std::move(stripe)), hedge_after_(hedge_after), give_up_(give_up), shards_(stripe_.shape.code.shards()) {
  const StripeShape& shape = stripe_.shape;
  assert(stripe_.servers.size() == shards_.size() && stripe_.reluctance.size() == shards_.size());
  assert(stripe_.length > 0 && uint64_t{stripe_.position} + stripe_.length <= shape.data_bytes());
  for (uint32_t shard = 0; shard < shape.code.d; ++shard) shards_[shard].absent = (shape.present >> shard & 1) == 0;
  for (uint32_t position = stripe_.position, left = stripe_.length; left > 0;) {
    Cell cell;
    cell.cell = position / shape.cell_bytes;
    cell.offset = position % shape.cell_bytes;
    cell.length = std::min(left, shape.cell_bytes - cell.offset);
    cell.first_block = cell.offset / kBlockBytes * kBlockBytes;
    cell.blocks = (cell.offset + cell.length + kBlockBytes - 1) / kBlockBytes * kBlockBytes - cell.first_block;
    cell.obtained = shards_[cell.cell].absent;
    position += cell.length;
    left -= cell.length;
    cells_.push_back(std::move(cell));
  }
  decide(now);
}

std::vector<StripeReadPlan::Ask> StripeReadPlan::take_asks() {
  std::vector<Ask> result;
  for (; taken_ < asks_.size(); ++taken_) result.push_back(asks_[taken_].ask);
  return result;
}

void StripeReadPlan::on_good(uint32_t ask, Instant now) {
  asks_.at(ask).state = AskState::good;
  decide(now);
}

void StripeReadPlan::on_failed(uint32_t id, Error error, Instant now) {
  Asked& asked = asks_.at(id);
  asked.state = AskState::failed;
  any_corrupt_ |= error.code == Errc::corrupt;
  // What else this shard has brought stays good: each block was verified.
  if (!shards_[asked.ask.shard].bad.has_value()) shards_[asked.ask.shard].bad = std::move(error);
  decide(now);
}

// Only here, and not with an answer, the time is up: other answers may have come and not been taken yet.
void StripeReadPlan::on_tick(Instant now) {
  decide(now);
  if (failed() || done() || now < give_up_) return;
  failure_ = too_few();
  failure_->what += "; given up waiting for the others";
}

Instant StripeReadPlan::next_tick() const {
  Instant next = give_up_;
  for (const Asked& asked : asks_) {
    if (asked.state == AskState::pending && !asked.late) next = std::min(next, asked.late_at);
  }
  return next;
}

bool StripeReadPlan::done() const { return std::ranges::all_of(cells_, &Cell::obtained); }

bool StripeReadPlan::covers(const Asked& asked, const Cell& cell) const {
  return asked.ask.offset <= cell.first_block && asked.ask.offset + asked.ask.length >= cell.first_block + cell.blocks;
}

void StripeReadPlan::decide(Instant now) {
  if (failed()) return;
  for (Asked& asked : asks_) {
    if (asked.state == AskState::pending && asked.late_at <= now) asked.late = true;  // its answer still counts
  }
  // First what is asked for anyway, so that it is counted as a source; then the widest of what must be decoded, as its
  // asks serve the others too.
  for (Cell& cell : cells_) {
    const Shard& shard = shards_[cell.cell];
    const bool asked =
        std::ranges::any_of(asks_, [&](const Asked& a) { return a.ask.direct && a.ask.shard == cell.cell; });
    if (!cell.obtained && !asked && !shard.bad.has_value() && stripe_.reluctance[cell.cell] < kKnownBad)
      ask_direct(cell, now);
  }
  std::vector<Cell*> by_width;
  for (Cell& cell : cells_) {
    if (!cell.obtained) by_width.push_back(&cell);
  }
  std::ranges::stable_sort(by_width, [](const Cell* a, const Cell* b) { return a->blocks > b->blocks; });
  for (Cell* cell : by_width) {
    if (!failed()) decide_cell(*cell, now);
  }
}

void StripeReadPlan::decide_cell(Cell& cell, Instant now) {
  const uint32_t needed = stripe_.shape.code.d;
  uint32_t expected = 0;        // sources that are there, or asked for and not late
  uint32_t possible = 0;        // the late ones too
  bool direct_pending = false;  // the cell itself may still come
  std::vector<uint32_t> sources;
  for (uint32_t shard = 0; shard < shards_.size(); ++shard) {
    if (shards_[shard].absent) {
      ++expected;
      ++possible;
      continue;
    }
    bool good = false, pending = false, on_time = false;
    for (const Asked& asked : asks_) {
      if (asked.ask.shard != shard || asked.state == AskState::failed || !covers(asked, cell)) continue;
      if (asked.state == AskState::pending) {
        pending = true;
        on_time |= !asked.late;
      } else if (!good) {
        good = true;
        if (shard == cell.cell) {
          cell.obtained = true;
          cell.direct = asked.ask.id;
          return;
        }
        sources.push_back(asked.ask.id);
      }
    }
    if (shard == cell.cell) {
      if (on_time) return;
      direct_pending = pending;
      cell.hedged |= pending;
      continue;
    }
    if (good || on_time) ++expected;
    if (good || pending) ++possible;
  }
  const auto absent = static_cast<uint32_t>(std::ranges::count_if(shards_, &Shard::absent));
  if (sources.size() + absent >= needed) {
    sources.resize(needed - absent);
    cell.obtained = true;
    cell.sources = std::move(sources);
    return;
  }
  for (; expected < needed; ++expected) {
    if (const auto spare = spare_for(cell)) {
      start(*spare, cell.first_block, cell.blocks, false, now);
      ++possible;
    } else if (ask_direct(cell, now)) {
      return;  // its server is known to be bad, but nobody else is left
    } else {
      break;
    }
  }
  if (!direct_pending && possible < needed) failure_ = too_few();
}

bool StripeReadPlan::ask_direct(Cell& cell, Instant now) {
  if (shards_[cell.cell].bad.has_value()) return false;
  const bool asked =
      std::ranges::any_of(asks_, [&](const Asked& a) { return a.ask.shard == cell.cell && covers(a, cell); });
  if (asked) return false;
  start(cell.cell, cell.first_block, cell.blocks, true, now);
  return true;
}

std::optional<uint32_t> StripeReadPlan::spare_for(const Cell& cell) const {
  std::optional<uint32_t> best;
  for (uint32_t shard = 0; shard < shards_.size(); ++shard) {
    if (shard == cell.cell || shards_[shard].absent || shards_[shard].bad.has_value()) continue;
    const bool asked =
        std::ranges::any_of(asks_, [&](const Asked& a) { return a.ask.shard == shard && covers(a, cell); });
    if (asked) continue;
    if (!best.has_value() || stripe_.reluctance[shard] < stripe_.reluctance[*best]) best = shard;
  }
  return best;
}

void StripeReadPlan::start(uint32_t shard, uint32_t offset, uint32_t length, bool direct, Instant now) {
  const auto id = static_cast<uint32_t>(asks_.size());
  const Instant late_at = hedge_after_ > Duration::zero() ? now + hedge_after_ : Instant::never();
  asks_.push_back({{id, shard, offset, length, direct}, AskState::pending, late_at, false});
}

Error StripeReadPlan::too_few() const {
  uint32_t good = 0;
  std::string reasons;
  for (uint32_t shard = 0; shard < shards_.size(); ++shard) {
    const auto& bad = shards_[shard].bad;
    const bool late = std::ranges::any_of(
        asks_, [&](const Asked& a) { return a.ask.shard == shard && a.state == AskState::pending && a.late; });
    if (!bad.has_value() && !late) {
      ++good;
      continue;
    }
    reasons +=
        fmt::format("{}shard {} on server {}: {}", reasons.empty() ? "" : "; ", shard, raw(stripe_.servers[shard]),
                    bad.has_value() ? fmt::format("{}: {}", name_of(bad->code), bad->what) : "no answer yet");
  }
  return {Errc::io, fmt::format("chunk {} place {}: {} of {} shards good, {} needed: {}", raw(stripe_.chunk),
                                stripe_.place, good, shards_.size(), stripe_.shape.code.d, reasons)};
}

}  // namespace cairn
