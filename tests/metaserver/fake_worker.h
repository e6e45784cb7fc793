// A worker of near-data tasks as the metaserver sees one: it maps bytes that a test holds. Nothing runs but in its
// calls.
#pragma once

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/meta/split_bits.h"
#include "common/rpc/meta_client.h"
#include "common/stripe/held_ranges.h"
#include "common/tasks/csv_record.h"
#include "common/tasks/registry.h"
#include "tests/tasks/cuts.h"

namespace cairn::test {

// What the pinned bytes of each file are, for those who cannot read chunks.
using Contents = std::map<InodeId, std::string>;

inline tasks::Job job_of(const std::string& op, const std::map<std::string, std::string>& arguments,
                         const std::vector<JobFile>& files) {
  tasks::Job job{op, arguments, {}};
  for (const JobFile& file : files) job.files.push_back({file.name, file.size, file.head});
  return job;
}

class FakeWorker {
 public:
  static constexpr size_t kPieceBytes = 64u << 10;
  FakeWorker(const Address& metaserver, ServerId server, const Contents& contents, uint64_t nonce)
      : server_(server), contents_(contents), meta_(real_network(), real_clock(), metaserver) {
    const auto grant = meta_.open_session({.name = "worker", .host = "here", .pid = 1, .mount = false, .nonce = nonce});
    EXPECT_TRUE(grant.ok()) << (grant.ok() ? "" : grant.error().what);
  }
  MetaClient& meta() { return meta_; }
  ServerId server() const { return server_; }

  // Takes what it is given; returns how many there are.
  size_t poll(Duration wait = 20ms, uint32_t slots = 2) {
    TaskPoll poll{server_, slots, {}, {"127.0.0.1", 9}, wait};
    for (const Assignment& one : assigned) poll.running.push_back({one.ref, 1});
    const auto orders = meta_.poll_tasks(poll);
    if (!orders.ok()) {  // the metaserver is being restarted
      last_error = orders.error().what;
      return assigned.size();
    }
    for (const TaskRef& ref : orders->drop) {
      std::erase_if(assigned, [&](const Assignment& one) { return one.ref == ref; });
      dropped.push_back(ref);
    }
    assigned.insert(assigned.end(), orders->start.begin(), orders->start.end());
    return assigned.size();
  }
  // Does the oldest of them.
  Result<TaskVerdict> work() {
    const Assignment one = assigned.front();
    Result<TaskVerdict> verdict = one.ref.phase == JobPhase::merging ? merge(one) : finish(one);
    assigned.erase(assigned.begin());
    return verdict;
  }
  // What finish_task would tell.
  Result<FinishTask> result_of(const Assignment& one) {
    ASSIGN(const std::vector<JobFile> files, files_of(one.ref.job));
    ASSIGN(const std::vector<tasks::Split> splits, splits_of(one));
    FinishTask done{one.ref, server_, {.bytes_local = 1}, {}, {}, {}, {}, {}};
    const auto content = [&](uint32_t file) -> const std::string& { return contents_.at(files[file].inode); };
    if (one.ref.phase == JobPhase::surveying) {
      for (size_t i = 0; i < splits.size(); ++i) {
        const auto& text = content(splits[i].file);
        const auto begin = text.begin() + static_cast<ptrdiff_t>(splits[i].begin);
        const auto end = text.begin() + static_cast<ptrdiff_t>(splits[i].end);
        set_split_bit(done.odd_quotes, i, std::count(begin, end, '"') % 2 != 0);
        if (splits[i].begin == 0)
          done.heads.push_back({splits[i].file, std::string(*tasks::first_csv_record(text, true))});
      }
      return done;
    }
    ASSIGN(const auto op, tasks::make_operator(job_of(description_.op, description_.arguments, files)));
    const auto partial = op->empty();
    for (const tasks::Split& split : splits) TRY(tasks::map_text(*partial, split, content(split.file), kPieceBytes));
    done.partial = tasks::encode_partial(*op, *partial);
    return done;
  }
  Result<std::vector<JobFile>> files_of(JobId job) {
    std::vector<JobFile> files;
    while (true) {
      ASSIGN(description_, meta_.get_job(job, static_cast<uint32_t>(files.size()), 300));
      files.insert(files.end(), description_.files.begin(), description_.files.end());
      if (description_.complete) return files;
    }
  }

  std::vector<Assignment> assigned;
  std::vector<TaskRef> dropped;
  std::string last_error;

 private:
  Result<TaskVerdict> finish(const Assignment& one) {
    ASSIGN(const FinishTask done, result_of(one));
    return meta_.finish_task(done);
  }
  Result<std::vector<tasks::Split>> splits_of(const Assignment& one) {
    std::vector<tasks::Split> splits;
    for (const TaskWindow& window : one.windows) {
      if (one.whole) {
        splits.push_back({window.file, window.begin, window.end, split_bit(one.states, splits.size())});
        continue;
      }
      ASSIGN(const JobLayout layout, meta_.job_layout(one.ref.job, window.file, window.begin, window.end));
      if (layout.covered_until < window.end) return Error{Errc::io, "a layout that does not cover its window"};
      ASSIGN(const auto ranges, held_ranges(window.begin, window.end, layout.extents, layout.holders));
      for (const HeldRange& range : ranges_of(one.owner, ranges))
        splits.push_back({window.file, range.begin, range.end, split_bit(one.states, splits.size())});
    }
    return splits;
  }
  Result<TaskVerdict> merge(const Assignment& one) {
    ASSIGN(const std::string table, merged_table(one.ref.job));
    ASSIGN(const Entry hidden,
           meta_.make_node({one.output->parent, one.hidden_name, S_IFREG | one.output->mode, 0, 0, 0, {}}));
    const InodeId inode = hidden.attributes.inode;
    ASSIGN(const Committed committed, meta_.commit({{{inode, {}, table.size(), {1, 0}, table}}, {}}));
    EXPECT_THAT(committed.files, testing::SizeIs(1));
    return meta_.finish_job({one.ref, server_, {}, inode});
  }

 public:
  Result<std::string> merged_table(JobId job) {
    ASSIGN(const std::vector<JobFile> files, files_of(job));
    ASSIGN(const auto op, tasks::make_operator(job_of(description_.op, description_.arguments, files)));
    const auto all = op->empty();
    for (uint32_t next = 0; true;) {
      ASSIGN(const JobResults page, meta_.job_results(job, next, 7));
      for (const TaskResult& result : page.results) {
        ASSIGN(const auto partial, tasks::decode_partial(*op, result.partial));
        TRY(all->merge(*partial));
      }
      next = page.next;
      if (page.complete) break;
    }
    ASSIGN(const tasks::Table table, all->finish());
    return tasks::to_csv(table);
  }

 private:
  ServerId server_;
  const Contents& contents_;
  MetaClient meta_;
  JobDescription description_;
};

}  // namespace cairn::test
