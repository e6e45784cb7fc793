// The judge of shared names: it must accept every order that there is, and nothing else.
#include "tests/campaign/shared_names.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

using Model = NamesModel;
using Kind = Model::Kind;
using Answer = Model::Answer;

Model::Call look(size_t name) { return {.kind = Kind::look, .name = name}; }
Model::Call make(size_t name, Model::Token token) { return {.kind = Kind::make, .name = name, .token = token}; }
Model::Call unlink(size_t name) { return {.kind = Kind::unlink, .name = name}; }
Answer sees(size_t name, Model::Token token) {
  Answer answer;
  answer.names[name] = token;
  return answer;
}
const Answer kDone{}, kAbsent{Errc::not_found, {}}, kTaken{Errc::exists, {}};

// Calls one after the other.
bool possible(Model& model, const Model::Call& call, const Answer& answer) {
  return !model.end(model.begin(0, call), answer);
}

TEST(NamesModelTest, CallsOneAfterTheOtherHaveOneAnswer) {
  Model model;
  EXPECT_TRUE(possible(model, look(0), kAbsent));
  EXPECT_TRUE(possible(model, make(0, 2), kDone));
  EXPECT_TRUE(possible(model, make(0, 4), kTaken));
  EXPECT_TRUE(possible(model, {.kind = Kind::link, .name = 1, .token = 2}, kDone));
  EXPECT_TRUE(possible(model, unlink(0), kDone));
  EXPECT_TRUE(possible(model, {.kind = Kind::rename, .name = 1, .new_name = 3}, kDone));
  EXPECT_TRUE(possible(model, look(3), sees(3, 2)));
  EXPECT_TRUE(possible(model, make(2, 5), kDone));
  EXPECT_TRUE(possible(model, unlink(2), {Errc::is_directory, {}}));
  EXPECT_TRUE(possible(model, {.kind = Kind::list}, {{}, {0, 0, 5, 2}}));
  EXPECT_EQ(model.states(), 1u);
  EXPECT_FALSE(possible(model, look(1), sees(1, 2))) << "it has been moved";
}

TEST(NamesModelTest, AbsenceThatIsOverIsNotPossible) {
  Model model;
  EXPECT_TRUE(possible(model, make(0, 2), kDone));
  EXPECT_FALSE(possible(model, look(0), kAbsent));
}

TEST(NamesModelTest, OfTwoThatMakeOneNameOneFinds) {
  Model model;
  const Model::Id first = model.begin(0, make(0, 2)), second = model.begin(1, make(0, 4));
  EXPECT_FALSE(model.end(second, kDone));
  EXPECT_TRUE(model.end(first, kDone)) << "not both";
}

TEST(NamesModelTest, WhatOneHasSeenAnotherDoesNotSeeUndone) {
  Model model;
  EXPECT_TRUE(possible(model, make(0, 2), kDone));
  const Model::Id removal = model.begin(0, unlink(0));
  EXPECT_TRUE(possible(model, look(0), sees(0, 2))) << "it may not have happened";
  EXPECT_TRUE(possible(model, look(0), kAbsent)) << "it may have happened";
  EXPECT_FALSE(possible(model, look(0), sees(0, 2))) << "it has been seen to have happened";
  (void)removal;
}

TEST(NamesModelTest, ALookUnderWayMayBeOfBeforeOrAfter) {
  for (const Answer& answer : {kAbsent, sees(0, 2)}) {
    Model model;
    const Model::Id slow = model.begin(1, look(0));
    EXPECT_TRUE(possible(model, make(0, 2), kDone));
    EXPECT_FALSE(model.end(slow, answer));
  }
}

TEST(NamesModelTest, ACallWithoutAnswerHappensAtAnyTimeUntilItIsSettled) {
  for (const bool happened : {false, true}) {
    Model model;
    (void)model.begin(7, make(0, 2));
    EXPECT_TRUE(possible(model, look(0), kAbsent));
    if (happened) {
      EXPECT_TRUE(possible(model, look(0), sees(0, 2)));
    }
    model.settle(7);
    EXPECT_EQ(model.states(), happened ? 1u : 2u);
    EXPECT_TRUE(possible(model, look(0), happened ? sees(0, 2) : kAbsent));
    EXPECT_EQ(model.states(), 1u);
    EXPECT_FALSE(possible(model, look(0), happened ? kAbsent : sees(0, 2)));
  }
}

}  // namespace
}  // namespace cairn
