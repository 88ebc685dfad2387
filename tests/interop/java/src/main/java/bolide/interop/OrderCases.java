package bolide.interop;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.common.message.MessageQueue;

/** Queue locks, and what they are for. */
final class OrderCases {
    static final Case[] ALL = {
        Case.of("order.lock-and-unlock", OrderCases::lock),
        Case.of("order.lock-of-another-group", OrderCases::anotherGroup),
        Case.of("order.one-in-flight", OrderCases::oneInFlight),
        Case.of("order.consumer-restarts", OrderCases::consumerRestarts),
        Case.of("order.topic-by-kv", OrderCases::byKv),
    };

    private OrderCases() {
    }

    /** Watches that a queue's messages come in order, one at a time, whoever consumes them. */
    static final class Watch {
        final CopyOnWriteArrayList<String> wrong = new CopyOnWriteArrayList<>();
        final ConcurrentHashMap<Integer, Long> next = new ConcurrentHashMap<>();
        final ConcurrentHashMap<Integer, AtomicInteger> inside = new ConcurrentHashMap<>();
        final TreeSet<String> bodies = new TreeSet<>();
        final AtomicInteger again = new AtomicInteger();

        Inbox consumer(String group, String topic, int sleepMs) throws Exception {
            Inbox in = new Inbox(group).orderly((msgs, context) -> {
                int queue = msgs.get(0).getQueueId();
                AtomicInteger here = inside.computeIfAbsent(queue, k -> new AtomicInteger());
                if (here.incrementAndGet() > 1) {
                    wrong.add("two at once in queue " + queue);
                }
                long offset = msgs.get(0).getQueueOffset();
                long want = next.getOrDefault(queue, 0L);
                if (offset > want) {
                    wrong.add("queue " + queue + ": " + offset + " before " + want);
                } else if (offset < want) {
                    again.incrementAndGet();
                }
                next.put(queue, Math.max(want, offset + 1));
                synchronized (bodies) {
                    bodies.add(Tools.body(msgs.get(0)));
                }
                try {
                    Thread.sleep(sleepMs);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                here.decrementAndGet();
                return ConsumeOrderlyStatus.SUCCESS;
            });
            return in.subscribe(topic, "*").start();
        }

        int count() {
            synchronized (bodies) {
                return bodies.size();
            }
        }
    }

    private static boolean lock(Inbox in, MessageQueue mq) {
        return in.consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().lock(mq);
    }

    private static void lock() throws Exception {
        String topic = Tools.topic("olock", 2);
        Watch watch = new Watch();
        Inbox a = watch.consumer("olock-group", topic, 0);
        a.holds(topic, 2, 25);
        MessageQueue mq = Tools.queue(topic, 0);
        Check.that(lock(a, mq), "who has the lock may take it again", "refused");
        Inbox b = watch.consumer("olock-group", Tools.topic("olock-other", 1), 0);
        Check.that(!lock(b, mq), "another member may not", "granted");
        a.close();
        Check.that(Tools.await(6, () -> lock(b, mq)), "it may when the first has left", "refused");
        b.drop();
    }

    private static void anotherGroup() throws Exception {
        String topic = Tools.topic("olock2", 1);
        Watch watch = new Watch();
        Inbox a = watch.consumer("olock2-a", topic, 0);
        a.holds(topic, 1, 25);
        Inbox b = watch.consumer("olock2-b", topic, 0);
        b.holds(topic, 1, 25);
        MessageQueue mq = Tools.queue(topic, 0);
        Check.that(lock(a, mq) && lock(b, mq), "each group has locks of its own", "refused");
        a.drop();
        b.drop();
    }

    private static void send(String topic, int from, int to) throws Exception {
        for (int i = from; i < to; i++) {
            Tools.producer().send(Tools.text(topic, String.format("m%04d", i)),
                Tools.queue0(topic, i % 4));
        }
    }

    /** A second consumer joins and leaves while messages flow. */
    private static void oneInFlight() throws Exception {
        String topic = Tools.topic("oflight", 4);
        Watch watch = new Watch();
        Inbox a = watch.consumer("oflight-group", topic, 3);
        a.holds(topic, 4, 25);
        send(topic, 0, 200);
        Inbox b = watch.consumer("oflight-group", topic, 3);
        b.holds(topic, 2, 30);
        Check.equal(a.queues(topic).size() + " " + b.queues(topic).size(), "2 2", "2 queues each");
        send(topic, 200, 600);
        b.close();
        send(topic, 600, 800);
        a.holds(topic, 4, 30);
        Tools.await(30, () -> watch.count() == 800);
        Check.equal(watch.count(), 800, "800 messages");
        Check.that(watch.wrong.isEmpty(), "in order, never two of a queue at once", watch.wrong);
        Check.note("delivered again: " + watch.again);
        a.drop();
    }

    private static void consumerRestarts() throws Exception {
        String topic = Tools.topic("orestart", 4);
        Watch watch = new Watch();
        List<Inbox> all = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            Inbox in = watch.consumer("orestart-group", topic, 1);
            in.holds(topic, 4, 30);
            send(topic, round * 200, round * 200 + 200);
            int half = round * 200 + 100;
            Tools.await(20, () -> watch.count() >= half);
            if (round < 2) {
                in.close();
            } else {
                all.add(in);
            }
        }
        Tools.await(20, () -> watch.count() == 600);
        Check.equal(watch.count(), 600, "600 messages over two restarts of the consumer");
        Check.that(watch.wrong.isEmpty(), "in order", watch.wrong);
        Check.note("delivered again: " + watch.again);
        for (Inbox in : all) {
            in.drop();
        }
    }

    /** The name server's ORDER_TOPIC_CONFIG fixes the number of queues that producers see. */
    private static void byKv() throws Exception {
        String topic = Tools.topic("okv", 4);
        String broker = Tools.queue(topic, 0).getBrokerName();
        Properties on = new Properties();
        on.setProperty("orderMessageEnable", "true");
        Desk.admin().updateNameServerConfig(on, Arrays.asList(Tools.namesrv));
        Desk.admin().createOrUpdateOrderConf(topic, broker + ":3", true);
        var route = Desk.admin().examineTopicRouteInfo(topic);
        Check.equal(route.getOrderTopicConf(), broker + ":3", "the route names the order");
        var producer = Tools.newProducer("okv-producer");
        Check.equal(producer.fetchPublishMessageQueues(topic).size(), 3, "queues that a producer sees");
        Check.equal(Tools.queues(topic).size(), 4, "queues that a consumer sees");
        Check.equal(Desk.admin().getKVConfig("ORDER_TOPIC_CONFIG", topic), broker + ":3", "the value");
        Desk.admin().deleteKvConfig("ORDER_TOPIC_CONFIG", topic);
        Check.equal(Desk.admin().examineTopicRouteInfo(topic).getOrderTopicConf(), null,
            "a deleted order is gone from the route");
        Tools.endLater(producer::shutdown);
    }
}
