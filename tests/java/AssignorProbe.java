import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** Reads the groups of assignor_probe.cc and prints the lines anew, with what Kafka's assignors make of them. */
public final class AssignorProbe {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split(" ", -1);
            List<PartitionInfo> partitions = new ArrayList<>();
            Node node = new Node(0, "localhost", 1);
            for (String topic : parts[0].split(",")) {
                String[] pair = topic.split("=");
                for (int i = 0; i < Integer.parseInt(pair[1]); i++)
                    partitions.add(new PartitionInfo(pair[0], i, node, new Node[] {node}, new Node[] {node}));
            }
            Cluster cluster = new Cluster("c", List.of(node), partitions, Collections.emptySet(), Collections.emptySet());
            List<String> ids = new ArrayList<>();
            Map<String, Subscription> subscriptions = new HashMap<>();
            for (String member : parts[1].split(",")) {
                String[] pair = member.split("=", -1);
                String[] names = pair[0].split("/");
                Subscription subscription = new Subscription(pair[1].isEmpty() ? List.of() : List.of(pair[1].split("\\+")));
                subscription.setGroupInstanceId(names.length > 1 ? Optional.of(names[1]) : Optional.empty());
                ids.add(names[0]);
                subscriptions.put(names[0], subscription);
            }
            StringBuilder out = new StringBuilder(parts[0] + " " + parts[1]);
            for (AbstractPartitionAssignor assignor : List.of(new RangeAssignor(), new RoundRobinAssignor())) {
                Map<String, Assignment> given =
                    assignor.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
                List<String> texts = new ArrayList<>();
                for (String id : ids) {
                    List<String> owned = new ArrayList<>();
                    for (TopicPartition partition : given.get(id).partitions()) owned.add(partition.toString());
                    texts.add(id + "=" + String.join("+", owned));
                }
                out.append(' ').append(String.join(",", texts));
            }
            System.out.println(out);
        }
    }
}
