// A generated struct to bytes and back.
#include <cstdio>

#include "shop/order.h"

int main() {
  std::string bytes;
  if (!weir::avro::encode(shop::Order{.id = "o-17", .cents = 1999}, bytes)) return 1;
  const auto order = weir::avro::decode<shop::Order>(bytes);
  if (!order) return 1;
  std::printf("%s costs %lld cents\n", order->id.c_str(), static_cast<long long>(order->cents));
  return 0;
}
