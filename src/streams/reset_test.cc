#include <gtest/gtest.h>

#include "streams/names.h"
#include "streams/offset_note.h"

namespace weir::streams {
namespace {

TEST(reset, a_transactional_id_is_of_the_application_before_process_and_number) {
  EXPECT_EQ(application_of_id("shop-d2Vpci10ZXN0cy1rYWZrYQ-0"), "shop");
  EXPECT_EQ(application_of_id("shop-orders-d2Vpci10ZXN0cy1rYWZrYQ-12"), "shop-orders");
  EXPECT_EQ(application_of_id("shop-3f2c9a54-0b1d-4e6f-8a7b-9c0d1e2f3a4b-2"), "shop");
}

TEST(reset, dashes_in_a_process_are_not_taken_for_those_between_the_parts) {
  EXPECT_EQ(application_of_id("shop-d2Vpci10ZXN0cy1r-WZrYQ-0"), "shop");
  EXPECT_EQ(application_of_id("shop--2Vpci10ZXN0cy1rYWZrYQ-0"), "shop");
}

TEST(reset, other_ids_are_of_no_application) {
  for (const std::string_view id :
       {"", "-", "billing", "billing-0", "d2Vpci10ZXN0cy1rYWZrYQ-0", "shop-d2Vpci10ZXN0cy1rYWZrYQ",
        "shop-d2Vpci10ZXN0cy1rYWZrYQ-x", "shop-d2Vpci10ZXN0cy1rYWZr!Q-0"})
    EXPECT_EQ(application_of_id(id), "") << id;
}

TEST(reset, a_mark_is_no_note_and_a_note_no_mark) {
  for (const std::string_view mark : {reset_mark, reset_mark_of_none}) {
    EXPECT_TRUE(is_reset_mark(mark));
    EXPECT_FALSE(decode_note(mark));
  }
  EXPECT_FALSE(is_reset_mark(""));
  EXPECT_FALSE(is_reset_mark(encode(OffsetNote{.partition_time_ms = 5})));
}

}  // namespace
}  // namespace weir::streams
