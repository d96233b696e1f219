// Bounds of group state that have no setting of Kafka's; each says what happens when it is reached.
#pragma once

#include <cstddef>

namespace weir::coordinator::limits {

/// Bytes of a group id, an instance id, a protocol type or a protocol's name, as they must fit the
/// record of their group. A longer group id is INVALID_GROUP_ID, the others INVALID_REQUEST.
inline constexpr std::size_t name_bytes = 4096;
/// Bytes of the client id that a generated member id begins with; the rest is left out.
inline constexpr std::size_t member_id_prefix_bytes = 256;
/// Bytes of the reason that a member gives (KIP-800), for the log; the rest is left out.
inline constexpr std::size_t reason_bytes = 255;
/// Protocols that one member offers; more is INVALID_REQUEST.
inline constexpr std::size_t protocols_per_member = 64;
/// Bytes of the metadata that one member sends, over all its protocols; more is INVALID_REQUEST.
inline constexpr std::size_t member_metadata_bytes = 1U << 20U;
/// Members that were given an id and have not joined with it (KIP-394), of one group. One more is
/// GROUP_MAX_SIZE_REACHED.
inline constexpr std::size_t pending_members = 10'000;
/// Bytes of one record of a group, which holds every member's subscription and assignment. A larger
/// one is not written: the members are told UNKNOWN_SERVER_ERROR, as Kafka does, and join again.
inline constexpr std::size_t group_record_bytes = 16U << 20U;
/// Groups. A new one more: GROUP_MAX_SIZE_REACHED to who joins, INVALID_COMMIT_OFFSET_SIZE to who
/// commits.
inline constexpr std::size_t groups = 100'000;
/// Bytes of all state of groups in memory. Beyond it no member and no offset of a new partition is
/// taken in, with the two errors above; who is there goes on.
inline constexpr std::size_t state_bytes = 256U << 20U;
/// Transactional ids that are remembered. A new one more: POLICY_VIOLATION to its InitProducerId.
inline constexpr std::size_t transactional_ids = 100'000;
/// Partitions of one transaction, which one record must hold; one more is POLICY_VIOLATION.
inline constexpr std::size_t partitions_per_transaction = 100'000;
/// Transactional ids that one step of their expiry forgets; the next step follows soon.
inline constexpr std::size_t ids_per_expiry_step = 1'000;
/// Offsets that one step of the expiry looks at; the next step follows soon.
inline constexpr std::size_t offsets_per_expiry_step = 10'000;

}  // namespace weir::coordinator::limits
