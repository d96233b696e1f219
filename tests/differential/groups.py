"""Groups and their offsets."""
from differential.common import UNKNOWN_ID, make_topic, versions

PROTOCOLS = [{"name": "range", "metadata": b"first"}, {"name": "roundrobin", "metadata": b"second"}]


def find(pair, group):
    pair.ask("FindCoordinator", 2, {"key": group, "key_type": 0})


def join_values(group, member="", instance=None, protocols=None, kind="consumer", session_ms=10_000, rebalance_ms=10_000):
    return {"group_id": group, "session_timeout_ms": session_ms, "rebalance_timeout_ms": rebalance_ms, "member_id": member,
            "group_instance_id": instance, "protocol_type": kind, "protocols": PROTOCOLS if protocols is None else protocols}


def join(pair, group, v=5, line=None, **more):
    """Joins as a member that the group does not wait for; the answer with the member's id."""
    answer = pair.ask("JoinGroup", v, join_values(group, **more), line=line)
    if "MEMBER_ID_REQUIRED" in answer.errors():
        answer = pair.ask("JoinGroup", v, join_values(group, **{**more, "member": answer.get("member_id")}), line=line)
    return answer


def sync_values(group, generation, member, assignments=(), instance=None, kind="consumer", name="range"):
    return {"group_id": group, "generation_id": generation, "member_id": member, "group_instance_id": instance,
            "protocol_type": kind, "protocol_name": name,
            "assignments": [{"member_id": who, "assignment": what} for who, what in assignments]}


def stable(pair, group, v=5, line=None, **more):
    """A group of one member; (its id, the generation)."""
    joined = join(pair, group, v, line, **more)
    member, generation = joined.get("member_id"), joined.get("generation_id")
    pair.ask("SyncGroup", 3, sync_values(group, generation, member, [(member, b"mine")], more.get("instance")), line=line)
    return member, generation


def coordinators_are_found(pair):
    for v in versions(pair, "FindCoordinator"):
        for kind in (0, 1, 7):
            if v == 0 and kind:
                continue
            pair.ask("FindCoordinator", v, {"key": "a-group", "coordinator_keys": ["a-group", "another"], "key_type": kind})
        pair.ask("FindCoordinator", v, {"key": "", "coordinator_keys": [""], "key_type": 0})


def members_join_sync_and_leave(pair):
    for v in versions(pair, "JoinGroup"):
        group = f"joined-{v}"
        find(pair, group)
        joined = join(pair, group, v)
        member, generation = joined.get("member_id"), joined.get("generation_id")
        sync = min(v, 5)
        pair.ask("SyncGroup", sync, sync_values(group, generation, member, [(member, b"assigned")]))
        pair.ask("SyncGroup", sync, sync_values(group, generation, member))
        pair.ask("Heartbeat", min(v, 4), {"group_id": group, "generation_id": generation, "member_id": member})
        again = pair.ask("JoinGroup", v, join_values(group, member=member))
        pair.ask("SyncGroup", sync, sync_values(group, again.get("generation_id"), member, [(member, b"anew")]))
        line, other = pair.line("second"), None
        # A second member: the first one must rejoin before either is answered.
        sent = line.send("JoinGroup", v, join_values(group))
        if v >= 4:
            told = pair.answers(line, sent)
            other = told.get("member_id")
            sent = line.send("JoinGroup", v, join_values(group, member=other))
        pair.until("Heartbeat", min(v, 4), {"group_id": group, "generation_id": again.get("generation_id"), "member_id": member},
                   lambda answer: answer["error_code"] == 27)
        pair.ask("SyncGroup", sync, sync_values(group, again.get("generation_id"), member))
        first = pair.ask("JoinGroup", v, join_values(group, member=member))
        second = pair.answers(line, sent)
        other = second.get("member_id")
        generation = first.get("generation_id")
        follower = line.send("SyncGroup", sync, sync_values(group, generation, other))
        pair.ask("SyncGroup", sync, sync_values(group, generation, member, [(member, b"one"), (other, b"two")]))
        pair.answers(line, follower)
        pair.ask("DescribeGroups", 4, {"groups": [group]})
        leave = min(v, 5)
        pair.ask("LeaveGroup", leave, {"group_id": group, "member_id": other, "members": [{"member_id": other}]})
        pair.ask("LeaveGroup", leave, {"group_id": group, "member_id": other, "members": [{"member_id": other}]})
        pair.ask("LeaveGroup", leave, {"group_id": group, "member_id": member, "members": [{"member_id": member}]})
        line.close()


def wrong_joins_are_refused(pair):
    for v in versions(pair, "JoinGroup"):
        group = f"refused-{v}"
        find(pair, group)
        stable(pair, group, v)
        for values in (join_values(""), join_values(group, session_ms=10), join_values(group, session_ms=10_000_000),
                       join_values(group, member="nobody"), join_values(group, kind="connect"),
                       join_values(group, protocols=[{"name": "other", "metadata": b""}]),
                       join_values(f"{group}-none", protocols=[]), join_values(f"{group}-kind", kind=""),
                       join_values(f"{group}-unknown", member="nobody")):
            pair.ask("JoinGroup", v, values)


def the_group_is_full(pair):
    find(pair, "full")
    one, two, three = (pair.line(f"member {n}") for n in range(3))

    def first_call(line):
        """A member is told its id, and has to come again with it."""
        return pair.ask("JoinGroup", 5, join_values("full"), line=line).get("member_id")
    first = first_call(one)
    pair.ask("JoinGroup", 5, join_values("full", member=first), line=one)
    second = first_call(two)
    sent = two.send("JoinGroup", 5, join_values("full", member=second))
    pair.until("Heartbeat", 3, {"group_id": "full", "generation_id": 1, "member_id": first},
               lambda answer: answer["error_code"] == 27)
    pair.ask("JoinGroup", 5, join_values("full", member=first), line=one)
    pair.answers(two, sent)
    third = first_call(three)
    pair.ask("JoinGroup", 5, join_values("full", member=third), line=three)
    pair.ask("JoinGroup", 3, join_values("full"), line=three)


def static_members_come_back(pair):
    for v in (version for version in versions(pair, "JoinGroup") if version >= 5):
        group = f"static-{v}"
        find(pair, group)
        joined = pair.ask("JoinGroup", v, join_values(group, instance="i"))
        old, generation = joined.get("member_id"), joined.get("generation_id")
        pair.ask("SyncGroup", 3, sync_values(group, generation, old, [(old, b"mine")], "i"))
        back = pair.ask("JoinGroup", v, join_values(group, instance="i"))
        new, generation = back.get("member_id"), back.get("generation_id")
        pair.ask("SyncGroup", 3, sync_values(group, generation, new, (), "i"))
        pair.ask("Heartbeat", 3, {"group_id": group, "generation_id": generation, "member_id": old, "group_instance_id": "i"})
        pair.ask("Heartbeat", 3, {"group_id": group, "generation_id": generation, "member_id": new, "group_instance_id": "i"})
        pair.ask("SyncGroup", 3, sync_values(group, generation, old, (), "i"))
        pair.ask("JoinGroup", v, join_values(group, member=old, instance="i"))
        pair.ask("JoinGroup", v, join_values(group, member=new, instance="j"))
        pair.ask("OffsetCommit", 7, {"group_id": group, "generation_id_or_member_epoch": generation, "member_id": old,
                                     "group_instance_id": "i", "topics": []})
        pair.ask("LeaveGroup", 3, {"group_id": group, "members": [{"member_id": old, "group_instance_id": "i"}]})
        pair.ask("LeaveGroup", 3, {"group_id": group, "members": [{"member_id": "", "group_instance_id": "i"},
                                                                  {"member_id": "", "group_instance_id": "none"}]})


def wrong_members_are_told(pair):
    find(pair, "wrong")
    member, generation = stable(pair, "wrong")
    for v in versions(pair, "SyncGroup"):
        pair.ask("SyncGroup", v, sync_values("wrong", 99, member))
        pair.ask("SyncGroup", v, sync_values("wrong", generation, "nobody"))
        pair.ask("SyncGroup", v, sync_values("wrong-none", 1, "nobody"))
        pair.ask("SyncGroup", v, sync_values("wrong", generation, member, kind="connect"))
        pair.ask("SyncGroup", v, sync_values("wrong", generation, member, name="other"))
        pair.ask("SyncGroup", v, sync_values("", 1, "nobody"))
    for v in versions(pair, "Heartbeat"):
        for group, number, who in (("wrong", generation, member), ("wrong", 99, member), ("wrong", generation, "nobody"),
                                   ("wrong-none", 1, "nobody"), ("", 1, "nobody")):
            pair.ask("Heartbeat", v, {"group_id": group, "generation_id": number, "member_id": who})
    for v in versions(pair, "LeaveGroup"):
        for group, who in (("wrong", "nobody"), ("wrong-none", "nobody"), ("", "nobody")):
            pair.ask("LeaveGroup", v, {"group_id": group, "member_id": who, "members": [{"member_id": who}]})


def groups_are_described_and_listed(pair):
    find(pair, "described")
    stable(pair, "described")
    for v in versions(pair, "DescribeGroups"):
        pair.ask("DescribeGroups", v, {"groups": ["described", "no-such-group", ""]})
        pair.ask("DescribeGroups", v, {"groups": ["described"], "include_authorized_operations": True})
    for v in versions(pair, "ListGroups"):
        pair.ask("ListGroups", v, {})
        if v >= 4:
            pair.ask("ListGroups", v, {"states_filter": ["Stable"]})
            pair.ask("ListGroups", v, {"states_filter": ["empty"]})
            pair.ask("ListGroups", v, {"states_filter": ["Nonsense"]})
        if v >= 5:
            pair.ask("ListGroups", v, {"types_filter": ["classic"]})
            pair.ask("ListGroups", v, {"types_filter": ["nonsense"]})


def commit_values(group, name, topic_id, offset, partition=0, generation=-1, member="", metadata="note", instance=None):
    return {"group_id": group, "generation_id_or_member_epoch": generation, "member_id": member, "group_instance_id": instance,
            "retention_time_ms": -1, "topics": [{"name": name, "topic_id": topic_id, "partitions": [
                {"partition_index": partition, "committed_offset": offset, "committed_leader_epoch": 0,
                 "committed_metadata": metadata}]}]}


def offsets_are_committed(pair):
    topic_id = make_topic(pair, "committed", 2)
    for v in versions(pair, "OffsetCommit"):
        group = f"commits-{v}"
        find(pair, group)

        def commit(offset, group=group, v=v, name="committed", topic_id=topic_id, **more):
            pair.ask("OffsetCommit", v, commit_values(group, name, topic_id, offset, **more))
        commit(5)
        commit(4, partition=1, metadata=None)
        commit(6, metadata="x" * 5000)
        commit(7, partition=9)
        commit(8, name="no-such-topic", topic_id=UNKNOWN_ID)
        commit(8, generation=3)
        commit(8, generation=3, member="nobody")
        commit(8, member="nobody")
        commit(-5)
        commit(1, group="")
        pair.ask("OffsetCommit", v, {"group_id": group, "generation_id_or_member_epoch": -1, "topics": []})
        pair.ask("OffsetFetch", 5, {"group_id": group, "topics": None})
        member, generation = stable(pair, group)
        commit(9, generation=generation, member=member)
        commit(10)
        commit(10, generation=99, member=member)
        commit(10, generation=generation, member="nobody")
        pair.ask("OffsetFetch", 5, {"group_id": group, "topics": None})


def commits_wait_for_the_group(pair):
    topic_id = make_topic(pair, "waiting")
    find(pair, "waiting")
    joined = join(pair, "waiting")
    pair.ask("OffsetCommit", 8, commit_values("waiting", "waiting", topic_id, 1, generation=joined.get("generation_id"),
                                              member=joined.get("member_id")))


def offsets_are_fetched(pair):
    topic_id = make_topic(pair, "kept", 2)
    find(pair, "keeper")
    pair.ask("OffsetCommit", 8, commit_values("keeper", "kept", topic_id, 5))
    for v in versions(pair, "OffsetFetch"):
        def fetch(group, topics, v=v, member=None, epoch=-1, **more):
            pair.ask("OffsetFetch", v, {"group_id": group, "topics": topics, "groups": [
                {"group_id": group, "topics": topics, "member_id": member, "member_epoch": epoch}], **more})

        def asked(name, *partitions, topic_id=topic_id):
            return {"name": name, "topic_id": topic_id, "partition_indexes": list(partitions)}
        fetch("keeper", [asked("kept", 0, 1, 7)])
        fetch("keeper", [asked("no-such-topic", 0, topic_id=UNKNOWN_ID)])
        fetch("no-such-group", [asked("kept", 0)])
        fetch("keeper", [asked("kept", 0)], require_stable=True)
        fetch("keeper", [asked("kept", 0)], member="nobody", epoch=3)
        fetch("", [asked("kept", 0)])
        if v >= 2:
            fetch("keeper", None)
            fetch("no-such-group", None)
        if v >= 8:
            pair.ask("OffsetFetch", v, {"groups": [{"group_id": "keeper", "topics": None}, {"group_id": "nobody", "topics": None}]})


def groups_and_their_offsets_are_deleted(pair):
    topic_id = make_topic(pair, "forgotten", 2)
    for v in versions(pair, "DeleteGroups"):
        group = f"doomed-{v}"
        find(pair, group)
        pair.ask("OffsetCommit", 8, commit_values(group, "forgotten", topic_id, 5))
        alive = f"alive-{v}"
        stable(pair, alive)
        pair.ask("DeleteGroups", v, {"groups_names": [group, alive, "no-such-group", ""]})
        pair.ask("OffsetFetch", 5, {"group_id": group, "topics": None})
    subscription = b"\0\1\0\0\0\1\0\x09forgotten\xff\xff\xff\xff\0\0\0\0"
    member, _ = stable(pair, "subscribed", protocols=[{"name": "range", "metadata": subscription}])
    for name, partition in (("forgotten", 0), ("forgotten", 9), ("no-such-topic", 0)):
        for group in ("subscribed", "no-such-group", ""):
            pair.ask("OffsetDelete", 0, {"group_id": group, "topics": [
                {"name": name, "partitions": [{"partition_index": partition}]}]})
    pair.ask("LeaveGroup", 3, {"group_id": "subscribed", "members": [{"member_id": member}]})
    pair.ask("OffsetCommit", 8, commit_values("subscribed", "forgotten", topic_id, 5))
    pair.ask("OffsetDelete", 0, {"group_id": "subscribed", "topics": [
        {"name": "forgotten", "partitions": [{"partition_index": 0}, {"partition_index": 1}]}]})
    pair.ask("OffsetFetch", 5, {"group_id": "subscribed", "topics": None})


SCENARIOS = [coordinators_are_found, members_join_sync_and_leave, wrong_joins_are_refused, the_group_is_full,
             static_members_come_back, wrong_members_are_told, groups_are_described_and_listed, offsets_are_committed,
             commits_wait_for_the_group, offsets_are_fetched, groups_and_their_offsets_are_deleted]
