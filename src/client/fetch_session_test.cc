#include "client/fetch_session.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace weir::client {
namespace {

using Outcome = FetchSession::Outcome;
using Names = std::vector<std::string>;

FetchWish wish(std::string topic, std::int32_t partition, std::int64_t offset) {
  return {.partition = {std::move(topic), partition}, .offset = offset, .max_bytes = 100};
}

class FetchSessionTest : public testing::Test {
 protected:
  /// Names of what was sent, "a-0@5" and "-b-1" for what was forgotten.
  Names send(std::vector<FetchWish> wanted, std::int16_t version = 12) {
    wishes = std::move(wanted);
    request = {};
    session.fill(request, wishes, version);
    Names out;
    for (const auto& topic : request.topics)
      for (const auto& p : topic.partitions)
        out.push_back(std::string(topic.topic) + "-" + std::to_string(p.partition) + "@" +
                      std::to_string(p.fetch_offset));
    for (const auto& topic : request.forgotten_topics_data)
      for (const auto p : topic.partitions)
        out.push_back("-" + std::string(topic.topic) + "-" + std::to_string(p));
    return out;
  }
  Outcome answer(std::int32_t id, Errc code = Errc::none) {
    kafka::FetchResponse response;
    response.session_id = id;
    response.error_code = static_cast<std::int16_t>(code);
    return session.on_answer(response);
  }

  FetchSession session;
  kafka::FetchRequest request;
  std::vector<FetchWish> wishes;
};

TEST_F(FetchSessionTest, after_the_first_request_only_changes_are_sent) {
  EXPECT_EQ(send({wish("a", 0, 5), wish("a", 1, 0), wish("b", 0, 7)}),
            (Names{"a-0@5", "a-1@0", "b-0@7"}));
  EXPECT_EQ(request.session_id, 0);
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_EQ(answer(77), Outcome::whole);
  EXPECT_EQ(send({wish("a", 0, 6), wish("a", 1, 0), wish("b", 0, 7)}), Names{"a-0@6"});
  EXPECT_EQ(request.session_id, 77);
  EXPECT_EQ(request.session_epoch, 1);
  EXPECT_EQ(answer(77), Outcome::incremental);
  EXPECT_EQ(send({wish("a", 0, 6), wish("b", 0, 7), wish("c", 2, 1)}), (Names{"c-2@1", "-a-1"}));
  EXPECT_EQ(request.session_epoch, 2);
  EXPECT_EQ(answer(77), Outcome::incremental);
  EXPECT_EQ(send({}), (Names{"-a-0", "-b-0", "-c-2"}));
}

TEST_F(FetchSessionTest, a_broker_that_opens_no_session_is_sent_everything_each_time) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(send({wish("a", 0, 5)}), Names{"a-0@5"});
    EXPECT_EQ(request.session_id, 0);
    EXPECT_EQ(request.session_epoch, 0);
    EXPECT_EQ(answer(0), Outcome::whole);
  }
}

TEST_F(FetchSessionTest, a_lost_session_is_followed_by_a_whole_request) {
  for (const Errc code : {Errc::fetch_session_id_not_found, Errc::invalid_fetch_session_epoch,
                          Errc::fetch_session_topic_id_error}) {
    SCOPED_TRACE(name_of(code));
    send({wish("a", 0, 5)});
    answer(7);
    send({wish("a", 0, 5)});
    EXPECT_EQ(answer(0, code), Outcome::lost);
    EXPECT_EQ(send({wish("a", 0, 5)}), Names{"a-0@5"});
    EXPECT_EQ(request.session_epoch, 0);
    // One that the broker still has is ended by the same request.
    EXPECT_EQ(request.session_id, code == Errc::fetch_session_id_not_found ? 0 : 7);
    answer(0);
  }
}

TEST_F(FetchSessionTest, a_request_without_an_answer_is_followed_by_a_whole_one) {
  send({wish("a", 0, 5)});
  answer(7);
  send({wish("a", 0, 5)});
  session.on_failure();
  EXPECT_EQ(send({wish("a", 0, 5)}), Names{"a-0@5"});
  EXPECT_EQ(request.session_id, 7);
  EXPECT_EQ(request.session_epoch, 0);
}

TEST_F(FetchSessionTest, an_answer_of_another_session_is_not_believed) {
  send({wish("a", 0, 5)});
  answer(7);
  send({wish("a", 0, 5)});
  EXPECT_EQ(answer(8), Outcome::lost);
  send({wish("a", 0, 5)});
  EXPECT_EQ(request.session_epoch, 0);
}

TEST_F(FetchSessionTest, a_session_that_the_broker_ends_in_an_answer_is_over_after_it) {
  send({wish("a", 0, 5)});
  answer(7);
  send({wish("a", 0, 5)});
  EXPECT_EQ(answer(0), Outcome::incremental);
  EXPECT_EQ(send({wish("a", 0, 6)}), Names{"a-0@6"});
  EXPECT_EQ(request.session_epoch, 0);
}

TEST_F(FetchSessionTest, names_and_ids_do_not_share_a_session) {
  send({wish("a", 0, 5)}, 12);
  answer(7);
  EXPECT_EQ(send({wish("a", 0, 5)}, 13), Names{"a-0@5"});
  EXPECT_EQ(request.session_epoch, 0);
}

TEST_F(FetchSessionTest, a_topic_that_was_made_again_is_forgotten_and_asked_for_by_its_new_id) {
  const TopicId old_id = Rng(1).uuid();
  const TopicId new_id = Rng(2).uuid();
  auto before = wish("a", 0, 5);
  before.topic_id = old_id;
  send({before}, 13);
  answer(7);
  auto after = wish("a", 0, 0);
  after.topic_id = new_id;
  EXPECT_EQ(send({after}, 13), (Names{"a-0@0", "-a-0"}));
  EXPECT_EQ(request.topics.front().topic_id, new_id);
  EXPECT_EQ(request.forgotten_topics_data.front().topic_id, old_id);
}

TEST_F(FetchSessionTest, old_versions_have_no_sessions) {
  EXPECT_EQ(send({wish("a", 0, 5)}, 6), Names{"a-0@5"});
  EXPECT_EQ(request.session_id, 0);
  EXPECT_EQ(request.session_epoch, -1);
}

}  // namespace
}  // namespace weir::client
