// What must hold in every state, recounted from the rows.
#pragma once

#include <string>

#include "metaserver/store/ordered_store.h"

namespace cairn {

// Everything that is wrong, a line each; empty if nothing is.
std::string violations(const StoreView& view);

}  // namespace cairn
