package bolide.interop;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Consumer groups: who gets what, how often, and in which order.
 *
 * <p>Client 5.5.0 sometimes gives a consumer that starts its queues only at a later rebalance (20 s
 * apart): waits for a start are 60 s. What needs the server's notice alone is given 10 s.
 */
final class GroupCases {
    static final Case[] ALL = {
        Case.alone("group.cluster", GroupCases::cluster),
        Case.of("group.broadcast", GroupCases::broadcast),
        Case.of("group.restart", GroupCases::restart),
        Case.of("group.filter", GroupCases::filter),
        Case.of("group.orderly", GroupCases::orderly),
    };

    static final int QUEUES = 12;
    static final int STEADY = 100000;
    static final int MOVING = 20000;

    private GroupCases() {
    }

    /** Messages are numbers; how often each was consumed. */
    private static final class Tally implements MessageListenerConcurrently {
        final AtomicIntegerArray seen = new AtomicIntegerArray(STEADY + MOVING + 1);
        final AtomicInteger distinct = new AtomicInteger();
        final AtomicInteger again = new AtomicInteger();

        @Override
        public ConsumeConcurrentlyStatus consumeMessage(List<MessageExt> msgs,
            org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext context) {
            for (MessageExt m : msgs) {
                int n = ByteBuffer.wrap(m.getBody()).getInt();
                if (seen.getAndIncrement(n) == 0) {
                    distinct.incrementAndGet();
                } else {
                    again.incrementAndGet();
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        }
    }

    private static Message number(String topic, int n) {
        return new Message(topic, ByteBuffer.allocate(4).putInt(n).array());
    }

    private static int assigned(DefaultMQPushConsumer consumer, String topic) {
        int count = 0;
        for (MessageQueue mq : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl()
            .getProcessQueueTable().keySet()) {
            count += mq.getTopic().equals(topic) ? 1 : 0;
        }
        return count;
    }

    private static boolean even(List<DefaultMQPushConsumer> all, String topic, int queues) {
        for (DefaultMQPushConsumer c : all) {
            if (assigned(c, topic) != queues / all.size()) {
                return false;
            }
        }
        return true;
    }

    private static String spread(List<DefaultMQPushConsumer> all, String topic) {
        List<Integer> counts = new ArrayList<>();
        for (DefaultMQPushConsumer c : all) {
            counts.add(assigned(c, topic));
        }
        return counts.toString();
    }

    static void cluster() throws Exception {
        String topic = Tools.name("cluster");
        Tools.createTopic(topic, QUEUES);
        Tally tally = new Tally();
        List<DefaultMQPushConsumer> group = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) {
                group.add(member(topic, tally));
            }
            Check.that(Tools.await(60, () -> even(group, topic, QUEUES)),
                "cluster: 3 consumers have 4 of 12 queues each", spread(group, topic));
            Thread.sleep(500);
            steady(topic, tally, group);
            wake(topic, tally);
            moving(topic, tally, group);
        } finally {
            for (DefaultMQPushConsumer c : group) {
                c.shutdown();
            }
        }
    }

    private static DefaultMQPushConsumer member(String topic, Tally tally) throws Exception {
        DefaultMQPushConsumer c = Tools.newPush("cluster-group");
        c.setConsumeMessageBatchMaxSize(32);
        c.subscribe(topic, "*");
        c.registerMessageListener(tally);
        c.start();
        return c;
    }

    private static void steady(String topic, Tally tally, List<DefaultMQPushConsumer> group)
        throws Exception {
        long start = System.nanoTime();
        AtomicReference<Throwable> error = new AtomicReference<>();
        Thread one = thread(error, () -> sendAsync(topic, 0, STEADY / 2, error));
        Thread two = thread(error, () -> sendBatches(topic, STEADY / 2, STEADY));
        one.join();
        two.join();
        Check.that(error.get() == null, "cluster: 2 producers sent 100,000", error.get());
        double sent = (System.nanoTime() - start) / 1e9;
        Tools.await(30, () -> tally.distinct.get() == STEADY);
        double got = (System.nanoTime() - start) / 1e9;
        Thread.sleep(1000);
        Check.equal(tally.distinct.get(), STEADY, "cluster: 100,000 messages consumed, none lost");
        Check.equal(tally.again.get(), 0, "cluster: none consumed twice");
        Check.note(String.format("cluster: sent in %.1f s, consumed in %.1f s", sent, got));
        long committed = 0;
        for (DefaultMQPushConsumer c : group) {
            TreeSet<MessageQueue> mine = new TreeSet<>(c.getDefaultMQPushConsumerImpl()
                .getRebalanceImpl().getProcessQueueTable().keySet());
            mine.removeIf(mq -> !mq.getTopic().equals(topic));
            c.getDefaultMQPushConsumerImpl().getOffsetStore().persistAll(mine);
        }
        Thread.sleep(300);
        for (MessageQueue mq : Tools.queues(topic)) {
            committed += group.get(0).getDefaultMQPushConsumerImpl().getOffsetStore()
                .readOffset(mq, ReadOffsetType.READ_FROM_STORE);
        }
        Check.equal(committed, (long) STEADY, "cluster: committed offsets add up to 100,000");
    }

    /** An idle group hears of a message at once: the pull was parked and is woken. */
    private static void wake(String topic, Tally tally) throws Exception {
        Thread.sleep(2000);
        int n = STEADY + MOVING;
        long start = System.nanoTime();
        Tools.producer().send(number(topic, n));
        Tools.await(10, () -> tally.seen.get(n) > 0);
        long ms = (System.nanoTime() - start) / 1000000;
        Check.that(ms < 500, "cluster: an idle consumer gets a message within 500 ms", ms + " ms");
    }

    private static void moving(String topic, Tally tally, List<DefaultMQPushConsumer> group)
        throws Exception {
        int before = tally.distinct.get();
        tally.again.set(0);
        AtomicReference<Throwable> error = new AtomicReference<>();
        AtomicInteger at = new AtomicInteger(STEADY);
        Thread sender = thread(error, () -> {
            for (int i = STEADY; i < STEADY + MOVING; i += 50) {
                sendBatches(topic, i, i + 50);
                at.set(i + 50);
                Thread.sleep(10);
            }
        });
        Tools.await(20, () -> at.get() >= STEADY + MOVING / 4);
        group.add(member(topic, tally));
        Check.that(Tools.await(60, () -> even(group, topic, QUEUES)),
            "cluster: a 4th joins, 3 queues each", spread(group, topic));
        Tools.await(20, () -> at.get() >= STEADY + MOVING / 2);
        group.remove(0).shutdown();
        Check.that(Tools.await(10, () -> even(group, topic, QUEUES)),
            "cluster: one leaves, 4 queues each within 10 s", spread(group, topic));
        sender.join();
        Tools.await(20, () -> tally.distinct.get() == before + MOVING);
        Check.that(error.get() == null && tally.distinct.get() == before + MOVING,
            "cluster: none lost while consumers join and leave",
            tally.distinct.get() - before + " of " + MOVING + ", " + error.get());
        Check.note("cluster: consumed twice while moving: " + tally.again.get());
        Check.that(tally.again.get() < MOVING / 10,
            "cluster: few are consumed twice while queues move", tally.again.get());
    }

    private interface Work {
        void run() throws Exception;
    }

    private static Thread thread(AtomicReference<Throwable> error, Work work) {
        Thread t = new Thread(() -> {
            try {
                work.run();
            } catch (Throwable e) {
                error.set(e);
            }
        });
        t.start();
        return t;
    }

    private static void sendAsync(String topic, int from, int to, AtomicReference<Throwable> error)
        throws Exception {
        DefaultMQProducer producer = Tools.newProducer("cluster-async");
        Semaphore window = new Semaphore(256);
        for (int i = from; i < to && error.get() == null; i++) {
            window.acquire();
            producer.send(number(topic, i), new SendCallback() {
                @Override
                public void onSuccess(SendResult r) {
                    window.release();
                }

                @Override
                public void onException(Throwable e) {
                    error.set(e);
                    window.release();
                }
            });
        }
        window.acquire(256);
        producer.shutdown();
    }

    private static DefaultMQProducer batcher;

    private static synchronized DefaultMQProducer batcher() throws Exception {
        if (batcher == null) {
            batcher = Tools.newProducer("cluster-batch");
        }
        return batcher;
    }

    private static void sendBatches(String topic, int from, int to) throws Exception {
        for (int i = from; i < to; i += 50) {
            List<Message> list = new ArrayList<>();
            for (int k = i; k < i + 50; k++) {
                list.add(number(topic, k));
            }
            batcher().send(list);
        }
    }

    static void orderly() throws Exception {
        String topic = Tools.name("orderly");
        Tools.createTopic(topic, 4);
        ConcurrentHashMap<Integer, Integer> last = new ConcurrentHashMap<>();
        CopyOnWriteArrayList<String> wrong = new CopyOnWriteArrayList<>();
        AtomicInteger count = new AtomicInteger();
        List<DefaultMQPushConsumer> group = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            DefaultMQPushConsumer c = Tools.newPush("orderly-group");
            c.subscribe(topic, "*");
            c.registerMessageListener((MessageListenerOrderly) (msgs, context) -> {
                for (MessageExt m : msgs) {
                    int n = ByteBuffer.wrap(m.getBody()).getInt();
                    Integer before = last.put(n % 40, n);
                    if (before != null ? n != before + 40 : n >= 40) {
                        wrong.add(before + " then " + n);
                    }
                    count.incrementAndGet();
                }
                return ConsumeOrderlyStatus.SUCCESS;
            });
            c.start();
            group.add(c);
        }
        Check.that(Tools.await(60, () -> even(group, topic, 4)),
            "orderly: 2 consumers lock 2 queues each", spread(group, topic));
        for (int i = 0; i < 2000; i++) {
            Tools.producer().send(number(topic, i),
                (mqs, m, key) -> mqs.get((Integer) key % mqs.size()), i % 40);
        }
        Tools.await(30, () -> count.get() >= 2000);
        Check.equal(count.get(), 2000, "orderly: 2,000 consumed, each once");
        Check.that(wrong.isEmpty(), "orderly: each of 40 keys in the order sent", wrong);
        for (DefaultMQPushConsumer c : group) {
            c.shutdown();
        }
    }

    static void filter() throws Exception {
        String topic = Tools.name("filter");
        Tools.createTopic(topic, 3);
        ConcurrentHashMap<String, AtomicInteger> tags = new ConcurrentHashMap<>();
        DefaultMQPushConsumer c = Tools.newPush("filter-group");
        c.subscribe(topic, "A || C");
        c.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
            for (MessageExt m : msgs) {
                tags.computeIfAbsent(m.getTags(), k -> new AtomicInteger()).incrementAndGet();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
        // "AaAa" and "BBBB" have one hash code: the server lets both pass, the client does not
        String[] all = {"A", "B", "C", "AaAa", "BBBB", ""};
        for (int i = 0; i < 300; i++) {
            String tag = all[i % all.length];
            Tools.producer().send(new Message(topic, tag, ("f" + i).getBytes()));
        }
        for (MessageQueue mq : Tools.queues(topic)) {
            Tools.producer().send(new Message(topic, "A", "last".getBytes()), mq);
        }
        Tools.await(60, () -> tags.size() == 2 && tags.get("A").get() + tags.get("C").get() == 103);
        Thread.sleep(300);
        Check.equal(new TreeMap<>(tags).toString(), "{A=53, C=50}", "filter: only tags A and C");
        c.shutdown();
        Thread.sleep(200);
        Check.equal(ends(topic, "filter-group"), 303L,
            "filter: offsets go past what does not match");
    }

    /** Sum of the group's committed offsets. */
    private static long ends(String topic, String group) {
        DefaultMQPushConsumer reader = Tools.newPush(group);
        long sum = 0;
        try {
            reader.subscribe(Tools.name("other"), "*");
            reader.registerMessageListener((MessageListenerConcurrently) (msgs, context) ->
                ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
            reader.start();
            for (MessageQueue mq : Tools.queues(topic)) {
                sum += reader.getDefaultMQPushConsumerImpl().getOffsetStore()
                    .readOffset(mq, ReadOffsetType.READ_FROM_STORE);
            }
        } catch (Exception e) {
            sum = -1;
        }
        reader.shutdown();
        return sum;
    }

    static void broadcast() throws Exception {
        String topic = Tools.name("broadcast");
        Tools.createTopic(topic, 2);
        List<AtomicInteger> counts = Arrays.asList(new AtomicInteger(), new AtomicInteger());
        List<DefaultMQPushConsumer> group = new ArrayList<>();
        for (AtomicInteger count : counts) {
            DefaultMQPushConsumer c = Tools.newPush("broadcast-group");
            Tools.broadcasting(c);
            c.subscribe(topic, "*");
            c.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
                count.addAndGet(msgs.size());
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            c.start();
            group.add(c);
        }
        for (int i = 0; i < 100; i++) {
            Tools.producer().send(Tools.text(topic, "b" + i));
        }
        Tools.await(60, () -> counts.get(0).get() >= 100 && counts.get(1).get() >= 100);
        Thread.sleep(300);
        Check.equal(counts.toString(), "[100, 100]", "broadcast: both get every message");
        for (DefaultMQPushConsumer c : group) {
            c.shutdown();
        }
    }

    /** A new group starts at the end of a topic that is old, and where it left after a restart. */
    static void restart() throws Exception {
        String topic = Tools.name("restart");
        Tools.createTopic(topic, 2);
        AtomicLong sum = new AtomicLong();
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 50; i++) {
                Tools.producer().send(number(topic, 1));
            }
            long want = (round + 1) * 50L;
            DefaultMQPushConsumer c = Tools.newPush("restart-group");
            c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            c.subscribe(topic, "*");
            c.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
                sum.addAndGet(msgs.size());
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            c.start();
            Tools.await(60, () -> sum.get() >= want);
            Thread.sleep(300);
            c.shutdown();
            Check.equal(sum.get(), want, "restart: round " + round + " consumes only new messages");
        }
    }
}
