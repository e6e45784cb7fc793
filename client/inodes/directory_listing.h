// The entries of one directory as the metaserver listed them: whole, or the pages from the start that came so far.
//
//   page after 0 --> rows of cookies 3..9 --page after 9--> ..3..20 --last page--> whole: answers any page itself
//
// Cookies are the metaserver's, so a program goes on at the right place whether its next page comes from here or from
// there. All pages are of one state of the directory: the owner forgets the listing when the directory's lease goes or
// the directory changes, and adds no answer that may be older than that. Of what an entry names the type is kept, which
// never changes, and not the attributes. No thread rules of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/meta/requests.h"

namespace cairn {

class DirectoryListing {
 public:
  // A page that was asked for after that cookie. It begins the listing anew, goes on with it, or changes nothing.
  void add(uint64_t after_cookie, const DirectoryPage& page);
  // Entries behind the cookie, at most `limit`; their attributes are the inode and the type alone. Nothing: not whole.
  std::optional<DirectoryPage> page(InodeId directory, uint64_t after_cookie, uint32_t limit) const;

  bool empty() const { return !begun_; }
  size_t bytes() const { return rows_.capacity() * sizeof(Row) + names_.capacity(); }

 private:
  struct Row {
    uint64_t cookie = 0;
    InodeId inode{};
    uint32_t name_at = 0;  // in names_
    uint16_t type = 0;     // S_IFMT of the mode
    uint8_t name_bytes = 0;
  };
  bool begun_ = false;
  bool whole_ = false;
  InodeId parent_{};       // of the directory
  std::vector<Row> rows_;  // ascending cookies
  std::string names_;      // one behind the other
};

}  // namespace cairn
