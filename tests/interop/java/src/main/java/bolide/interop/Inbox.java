package bolide.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** A push consumer and what it was given, as it was at that moment: the client changes messages later. */
final class Inbox {
    /** What one delivery looked like. */
    static final class Got {
        final String body;
        final String topic;
        final String id;
        final String tags;
        final String keys;
        final int times;
        final int queue;
        final long offset;
        final long born;
        final long stored;
        final long at = System.currentTimeMillis();
        final Map<String, String> properties;

        Got(MessageExt m) {
            body = new String(m.getBody(), StandardCharsets.UTF_8);
            topic = m.getTopic();
            id = m.getMsgId();
            tags = m.getTags();
            keys = m.getKeys();
            times = m.getReconsumeTimes();
            queue = m.getQueueId();
            offset = m.getQueueOffset();
            born = m.getBornTimestamp();
            stored = m.getStoreTimestamp();
            properties = new TreeMap<>(m.getProperties());
        }

        @Override
        public String toString() {
            return body + "(" + times + ")";
        }
    }

    /** What the listener says; null is success. */
    interface Concurrently {
        ConsumeConcurrentlyStatus say(List<MessageExt> msgs, ConsumeConcurrentlyContext context);
    }

    interface Orderly {
        ConsumeOrderlyStatus say(List<MessageExt> msgs, ConsumeOrderlyContext context);
    }

    final DefaultMQPushConsumer consumer;
    final List<Got> got = new CopyOnWriteArrayList<>();

    Inbox(String group) {
        this(Tools.newPush(group));
    }

    Inbox(DefaultMQPushConsumer consumer) {
        this.consumer = consumer;
        consumer.setPollNameServerInterval(1000);
        says((msgs, context) -> null);
    }

    Inbox says(Concurrently verdict) {
        consumer.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
            note(msgs);
            ConsumeConcurrentlyStatus status = verdict.say(msgs, context);
            return status == null ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS : status;
        });
        return this;
    }

    Inbox orderly(Orderly verdict) {
        consumer.registerMessageListener((MessageListenerOrderly) (msgs, context) -> {
            note(msgs);
            ConsumeOrderlyStatus status = verdict.say(msgs, context);
            return status == null ? ConsumeOrderlyStatus.SUCCESS : status;
        });
        return this;
    }

    private void note(List<MessageExt> msgs) {
        for (MessageExt m : msgs) {
            got.add(new Got(m));
        }
    }

    Inbox subscribe(String topic, String tags) throws Exception {
        consumer.subscribe(topic, tags);
        return this;
    }

    Inbox subscribe(String topic, MessageSelector selector) throws Exception {
        consumer.subscribe(topic, selector);
        return this;
    }

    Inbox start() throws Exception {
        consumer.start();
        return this;
    }

    /** Starts it and waits until it has this many of the topic's queues and knows its retry topic. */
    Inbox start(String topic, int queues) throws Exception {
        consumer.start();
        holds(topic, queues, 30);
        return this;
    }

    /** Waits for this many queues, asking the client to balance anew now rather than in 20 s. */
    boolean holds(String topic, int queues, int seconds) throws InterruptedException {
        int[] round = {0};
        return Tools.await(seconds, () -> {
            if (++round[0] % 25 == 0) {
                consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().rebalanceImmediately();
            }
            return queues(topic).size() == queues;
        });
    }

    /** The retry topic of a new group is known after the next look at the name server. */
    boolean knowsRetries() throws InterruptedException {
        return holds("%RETRY%" + consumer.getConsumerGroup(), 1, 30);
    }

    /** Ids of the topic's queues that it has now. */
    TreeSet<Integer> queues(String topic) {
        TreeSet<Integer> ids = new TreeSet<>();
        for (MessageQueue mq : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl()
            .getProcessQueueTable().keySet()) {
            if (mq.getTopic().equals(topic)) {
                ids.add(mq.getQueueId());
            }
        }
        return ids;
    }

    boolean has(int count, int seconds) throws InterruptedException {
        return Tools.await(seconds, () -> got.size() >= count);
    }

    List<String> bodies() {
        List<String> all = new ArrayList<>();
        for (Got g : got) {
            all.add(g.body);
        }
        return all;
    }

    TreeSet<String> different() {
        return new TreeSet<>(bodies());
    }

    /** Commits what is consumed now rather than in 5 s. */
    void commit() {
        consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
    }

    /** The group's committed offset of a queue, asked from the broker; -1 when there is none. */
    long committed(MessageQueue mq) {
        return consumer.getDefaultMQPushConsumerImpl().getOffsetStore()
            .readOffset(mq, ReadOffsetType.READ_FROM_STORE);
    }

    String clientId() {
        return consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
    }

    /** Ends it and waits for that. */
    void close() {
        consumer.shutdown();
    }

    /** Ends it some time. */
    void drop() {
        Tools.endLater(consumer::shutdown);
    }
}
