#include "metaserver/ops/storage_policy.h"

#include "common/meta/policy.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

Result<ClassId> class_of_policy(Operation& operation, std::string_view text) {
  ASSIGN(const PolicyText parsed, parse_policy(text));
  ASSIGN(const std::vector<StorageClass> classes, queries::classes(operation.rows));
  if (classes.empty()) return Error{Errc::corrupt, "metadata: there is no default storage class"};
  StorageClass wanted = classes.front();  // the default
  wanted.policy = parsed.policy;
  wanted.cell_bytes = parsed.cell_bytes.value_or(wanted.cell_bytes);
  wanted.failure_domain = parsed.failure_domain.value_or(wanted.failure_domain);
  for (const StorageClass& known : classes) {
    wanted.id = known.id;
    wanted.name = known.name;
    if (known == wanted) return known.id;
  }
  wanted.name = policy_text(wanted);
  return define_class(operation, wanted);
}

Status set_policy(Operation& operation, InodeId id, std::string_view text) {
  ASSIGN(InodeRow* const inode, operation.inode(id));
  if (!is_directory(*inode)) {
    if (!is_regular(*inode)) return Error{Errc::not_supported, "only directories and files have a storage policy"};
    if (inode->attributes.size != 0 || inode->attributes.stored != 0) {
      return Error{Errc::invalid, "the file already has data; set cairn.policy on an empty file or on a directory"};
    }
  }
  ASSIGN(const ClassId storage_class, class_of_policy(operation, text));

  inode->attributes.storage_class = storage_class;
  operation.touch_ctime(*inode);
  return {};
}

Result<ClassId> define_class(Operation& operation, StorageClass storage_class) {
  TRY(check_class(storage_class));
  const std::string name_key = keys::class_name(storage_class.name);
  ASSIGN(const std::optional<ClassNameRow> named, find_row<ClassNameRow>(operation.rows, name_key));
  ASSIGN(queries::Counters* const counters, operation.counters());
  ClassRow row{operation.index, {}};
  if (named) {
    storage_class.id = named->id;
    ASSIGN(const StorageClass known, queries::storage_class(operation.rows, named->id));
    if (known == storage_class) return named->id;
  } else {
    storage_class.id = ClassId{counters->next_class++};
    operation.rows.put(name_key, encode_row(ClassNameRow{storage_class.id}));
  }
  counters->map_epoch = Epoch{raw(counters->map_epoch) + 1};
  row.storage_class = storage_class;
  operation.rows.put(keys::storage_class(storage_class.id), encode_row(row));
  return storage_class.id;
}

Result<Answer> run(Operation& operation, const DefineClass& request) {
  ASSIGN(const ClassId id, define_class(operation, request.storage_class));
  return Answer(id);
}

}  // namespace cairn::ops
