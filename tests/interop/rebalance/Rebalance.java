import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Many push consumers of one group in one JVM, each a client of its own; after each change, how long
 * until every queue of the topic is read by exactly one. Prints "NAME milliseconds", -1: not in time.
 * Arguments: name server, topic, queues, consumers, group.
 */
public class Rebalance {
    private static final long PATIENCE_MS = 60000;
    private static final Map<Integer, DefaultMQPushConsumer> consumers = new HashMap<>();
    private static String namesrv, topic, group;
    private static int queues;

    private static void join(int number) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName("rebalance-" + number);
        consumer.setConsumeThreadMin(1);
        consumer.setConsumeThreadMax(1);
        consumer.setPullBatchSize(1);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) ->
            ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
        consumer.start();
        consumers.put(number, consumer);
    }

    /** What a consumer reads is what its rebalancing put into its table. */
    private static boolean isSettled() {
        Set<Integer> owned = new HashSet<>();
        int count = 0;
        for (DefaultMQPushConsumer consumer : consumers.values()) {
            for (MessageQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl()
                    .getProcessQueueTable().keySet()) {
                if (!queue.getTopic().equals(topic)) {
                    continue;
                }
                count++;
                owned.add(queue.getQueueId());
            }
        }
        return count == queues && owned.size() == queues;
    }

    private static void settle(String name, long sinceNs) throws Exception {
        long tookMs = 0;
        while (!isSettled() && tookMs < PATIENCE_MS) {
            Thread.sleep(5);
            tookMs = (System.nanoTime() - sinceNs) / 1000000;
        }
        System.out.println(name + " " + (isSettled() ? (System.nanoTime() - sinceNs) / 1000000 : -1));
        Thread.sleep(2500);
        if (!isSettled()) {
            System.out.println(name + "_stays -1");
        }
    }

    public static void main(String[] args) throws Exception {
        namesrv = args[0];
        topic = args[1];
        queues = Integer.parseInt(args[2]);
        int count = Integer.parseInt(args[3]);
        group = args[4];
        long last = 0;
        for (int i = 0; i < count; i++) {
            last = System.nanoTime();
            join(i);
        }
        settle("all_join", last);
        List<DefaultMQPushConsumer> gone = new ArrayList<>();
        gone.add(consumers.remove(count / 2));
        last = System.nanoTime();
        gone.get(0).shutdown();
        settle("one_leaves", last);
        last = System.nanoTime();
        join(count / 2);
        settle("one_joins", last);
        for (int i = 0; i < count; i += 5) {
            DefaultMQPushConsumer consumer = consumers.remove(i);
            last = System.nanoTime();
            consumer.shutdown();
        }
        settle("fifth_leaves", last);
        System.out.println("end 0");
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
