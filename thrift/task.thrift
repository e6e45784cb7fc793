// Near-data tasks. Reserved: the names and numbers are fixed here, the service answers not_supported until it exists.
namespace cpp cairn.thrift
include "types.thrift"

struct JobRequest {
  1: types.Mutation mutation
  2: string operation
  3: list<string> inputs
  4: map<string, string> arguments
  5: string output
}
struct JobReply { 1: optional types.Error error  2: optional i64 job }
