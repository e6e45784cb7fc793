#include "metaserver/servers/membership.h"

namespace cairn {

void Membership::add(ServerId server, Instant now) {
  members_.try_emplace(server, Member{.health = Health::unknown, .heard = false, .last_heard = now, .report = {}});
}

std::vector<Transition> Membership::on_heartbeat(ServerId server, const Report& report, Instant now) {
  add(server, now);
  Member& member = members_[server];
  member.heard = true;
  member.last_heard = now;
  member.report = report;
  if (member.health == Health::up) return {};
  member.health = Health::up;
  return {{server, Health::up}};
}

std::vector<Transition> Membership::on_tick(Instant now) {
  std::vector<Transition> transitions;
  for (auto& [server, member] : members_) {
    const Duration silent = now - member.last_heard;
    Health next = member.health;
    if (silent >= timeouts_.down_after) {
      next = Health::down;
    } else if (member.health == Health::up && silent >= timeouts_.suspect_after) {
      next = Health::suspect;
    }
    if (next == member.health) continue;
    member.health = next;
    transitions.push_back({server, next});
  }
  return transitions;
}

Health Membership::health(ServerId server) const {
  const Member* member = find(server);
  return member == nullptr ? Health::unknown : member->health;
}

const Membership::Member* Membership::find(ServerId server) const {
  const auto it = members_.find(server);
  return it == members_.end() ? nullptr : &it->second;
}

}  // namespace cairn
