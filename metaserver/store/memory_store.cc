#include "metaserver/store/memory_store.h"

namespace cairn {

namespace {

struct Version {
  uint64_t write;
  std::optional<std::string> value;  // none: erased
};
using Versions = std::vector<Version>;

const Version* visible(const Versions& versions, uint64_t number) {
  const auto behind = std::upper_bound(versions.begin(), versions.end(), number,
                                       [](uint64_t wanted, const Version& version) { return wanted < version.write; });
  if (behind == versions.begin()) return nullptr;
  const Version& found = *std::prev(behind);
  return found.value ? &found : nullptr;
}

}  // namespace

struct MemoryStore::State {
  mutable Mutex mutex;
  std::map<std::string, Versions, std::less<>> rows;  // guarded by mutex, as all below
  std::set<std::string, std::less<>> changed;         // keys with versions that may be forgotten
  std::multiset<uint64_t> views;                      // their numbers
  uint64_t written = 0;
  uint64_t flushed = 0;

  void forget() {
    const uint64_t needed = views.empty() ? flushed : std::min(flushed, *views.begin());
    for (auto key = changed.begin(); key != changed.end();) {
      const auto row = rows.find(*key);
      Versions& versions = row->second;
      // Of the versions up to `needed` only the last can still be seen.
      while (versions.size() > 1 && versions[1].write <= needed) versions.erase(versions.begin());
      const bool one = versions.size() == 1;
      if (one && !versions.front().value && versions.front().write <= needed) {
        rows.erase(row);
        key = changed.erase(key);
      } else if (one && versions.front().write <= needed) {
        key = changed.erase(key);
      } else {
        ++key;
      }
    }
  }
};

namespace {

class MemoryView final : public StoreView {
 public:
  MemoryView(std::shared_ptr<MemoryStore::State> state, uint64_t number) : state_(std::move(state)), number_(number) {}
  ~MemoryView() override {
    const std::lock_guard lock(state_->mutex);
    state_->views.erase(state_->views.find(number_));
  }

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const std::lock_guard lock(state_->mutex);
    const auto row = state_->rows.find(key);
    const Version* const version = row == state_->rows.end() ? nullptr : visible(row->second, number_);
    return version == nullptr ? std::optional<std::string>() : version->value;
  }

  Status scan(std::string_view from, std::string_view to, const Visit& visit) const override {
    std::string next(from);
    for (bool more = true; more;) {
      std::vector<std::pair<std::string, std::string>> page;
      more = read_page(next, to, page);
      for (const auto& [key, value] : page) {
        if (!visit(key, value)) return {};
      }
    }
    return {};
  }

 private:
  // Copies the next rows from `next` on, and moves it behind them. False: that was the end.
  bool read_page(std::string& next, std::string_view to, std::vector<std::pair<std::string, std::string>>& page) const {
    constexpr size_t kPageRows = 16;
    const std::lock_guard lock(state_->mutex);
    for (auto row = state_->rows.lower_bound(next); row != state_->rows.end(); ++row) {
      if (!to.empty() && row->first >= to) return false;
      if (page.size() == kPageRows) {
        next = row->first;
        return true;
      }
      if (const Version* const version = visible(row->second, number_)) page.emplace_back(row->first, *version->value);
    }
    return false;
  }

  std::shared_ptr<MemoryStore::State> state_;
  uint64_t number_;
};

}  // namespace

MemoryStore::MemoryStore() : state_(std::make_shared<State>()) {}
MemoryStore::~MemoryStore() = default;

std::shared_ptr<const StoreView> MemoryStore::view() const {
  uint64_t number = 0;
  {
    const std::lock_guard lock(state_->mutex);
    number = state_->written;
    state_->views.insert(number);
  }
  return std::make_shared<MemoryView>(state_, number);
}

Status MemoryStore::write(const std::vector<StoreWrite>& batch) {
  const std::lock_guard lock(state_->mutex);
  const uint64_t number = ++state_->written;
  for (const StoreWrite& write : batch) {
    Versions& versions = state_->rows[write.key];
    if (!versions.empty() && versions.back().write == number) {
      versions.back().value = write.value;
    } else {
      versions.push_back({number, write.value});
    }
    state_->changed.insert(write.key);
  }
  return {};
}

Status MemoryStore::flush() {
  const std::lock_guard lock(state_->mutex);
  state_->flushed = state_->written;
  state_->forget();
  return {};
}

void MemoryStore::crash(uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  const uint64_t last = state_->flushed + seed % (state_->written - state_->flushed + 1);
  for (auto row = state_->rows.begin(); row != state_->rows.end();) {
    Versions& versions = row->second;
    while (!versions.empty() && versions.back().write > last) versions.pop_back();
    if (versions.empty()) {
      state_->changed.erase(row->first);
      row = state_->rows.erase(row);
    } else {
      ++row;
    }
  }
  state_->written = last;
}

uint64_t MemoryStore::writes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->written;
}

uint64_t MemoryStore::flushed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->flushed;
}

}  // namespace cairn
