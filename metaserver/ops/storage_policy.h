// The xattr cairn.policy: gives a directory, for what is created in it from now on, or an empty file another storage
// class.
#pragma once

#include "metaserver/ops/operation.h"

namespace cairn::ops {

// The class of that policy, cell and failure domain: found, or created; what the text leaves out is as in the default
// class. invalid: the text.
Result<ClassId> class_of_policy(Operation& operation, std::string_view text);

// Gives the inode that class. invalid: the text, or a file that has data already. not_supported: other kinds of inodes.
Status set_policy(Operation& operation, InodeId inode, std::string_view text);

// Adds a class under the next id, or gives the one of that name these properties. Raises the map's epoch if anything
// changed.
Result<ClassId> define_class(Operation& operation, StorageClass storage_class);

}  // namespace cairn::ops
