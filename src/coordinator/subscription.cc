#include "coordinator/subscription.h"

#include <algorithm>

#include "base/bytes.h"
#include "kafka/records/consumer_protocol_subscription.h"

namespace weir::coordinator {

bool add_subscribed_topics(std::string_view metadata, std::set<std::string, std::less<>>& topics) {
  if (metadata.size() < 2) return false;
  const auto said = load_be<std::int16_t>(metadata.data());
  if (said < 0) return false;
  kafka::Decoder decoder(metadata.substr(2));
  kafka::ConsumerProtocolSubscription subscription;
  subscription.decode(decoder, std::min(said, kafka::ConsumerProtocolSubscription::max_version));
  if (!decoder.ok()) return false;
  for (const auto topic : subscription.topics) topics.emplace(topic);
  return true;
}

}  // namespace weir::coordinator
