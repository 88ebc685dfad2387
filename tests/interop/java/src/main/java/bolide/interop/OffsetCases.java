package bolide.interop;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.TreeMap;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Offsets, single messages, and the consumer that seeks. */
final class OffsetCases {
    static final Case[] ALL = {
        Case.of("offset.queue", OffsetCases::offsets),
        Case.of("offset.lite", OffsetCases::lite),
        Case.of("offset.view", OffsetCases::view),
        Case.of("offset.query", OffsetCases::query),
    };

    private OffsetCases() {
    }

    static void offsets() throws Exception {
        String topic = Tools.name("offsets");
        Tools.createTopic(topic, 1);
        MessageQueue mq = Tools.queues(topic).get(0);
        Check.equal(Tools.puller().maxOffset(mq), 0L, "offsets: max of an empty queue");
        Check.equal(Tools.puller().minOffset(mq), 0L, "offsets: min of an empty queue");
        Check.equal(Tools.puller().searchOffset(mq, System.currentTimeMillis()), 0L,
            "offsets: by time in an empty queue");
        for (int i = 0; i < 40; i++) {
            Tools.producer().send(Tools.text(topic, "o" + i), mq);
            Thread.sleep(4);
        }
        List<MessageExt> all = Tools.drain(topic, 40, 5);
        Check.equal(all.size(), 40, "offsets: 40 read back");
        Check.equal(Tools.puller().maxOffset(mq), 40L, "offsets: max");
        Check.equal(Tools.puller().minOffset(mq), 0L, "offsets: min");
        Check.equal(Tools.puller().earliestMsgStoreTime(mq), all.get(0).getStoreTimestamp(),
            "offsets: earliest store time");
        byTime(mq, all);
        pullEdges(mq);
    }

    private static void byTime(MessageQueue mq, List<MessageExt> all) throws Exception {
        TreeMap<Long, Long> wrong = new TreeMap<>();
        for (MessageExt m : all) {
            long time = m.getStoreTimestamp();
            long want = m.getQueueOffset();
            while (want > 0 && all.get((int) want - 1).getStoreTimestamp() >= time) {
                want--;
            }
            long got = Tools.puller().searchOffset(mq, time);
            if (got != want) {
                wrong.put(m.getQueueOffset(), got);
            }
        }
        Check.that(wrong.isEmpty(), "offsets: by time, each message's own time finds it", wrong);
        Check.equal(Tools.puller().searchOffset(mq, all.get(0).getStoreTimestamp() - 60000), 0L,
            "offsets: by time, before all");
        Check.equal(Tools.puller().searchOffset(mq, all.get(39).getStoreTimestamp() + 60000), 40L,
            "offsets: by time, after all");
    }

    private static void pullEdges(MessageQueue mq) throws Exception {
        PullResult r = Tools.puller().pull(mq, "*", 10, 5);
        Check.that(r.getPullStatus() == PullStatus.FOUND && r.getNextBeginOffset() == 15
            && r.getMinOffset() == 0 && r.getMaxOffset() == 40, "pull: 5 from offset 10", r);
        r = Tools.puller().pull(mq, "*", 40, 5);
        Check.that(r.getPullStatus() == PullStatus.NO_NEW_MSG && r.getNextBeginOffset() == 40,
            "pull: at the end, no new message", r);
        r = Tools.puller().pull(mq, "*", 100, 5);
        Check.that(r.getPullStatus() == PullStatus.OFFSET_ILLEGAL && r.getNextBeginOffset() == 40,
            "pull: behind the end, illegal offset, next is the end", r);
        r = Tools.puller().pull(mq, "none", 0, 5);
        Check.that(r.getPullStatus() == PullStatus.NO_MATCHED_MSG && r.getNextBeginOffset() > 0,
            "pull: no message with this tag", r);
        long start = System.nanoTime();
        Tools.puller().updateConsumeOffset(mq, 17);
        Tools.puller().getOffsetStore().persist(mq);
        Check.that(Tools.await(5, () -> {
            try {
                return Tools.puller().fetchConsumeOffset(mq, true) == 17;
            } catch (Exception e) {
                return false;
            }
        }), "offsets: a committed offset is read from the server",
            Tools.puller().fetchConsumeOffset(mq, true));
        Check.note("commit and read took " + (System.nanoTime() - start) / 1000000 + " ms");
    }

    static void view() throws Exception {
        String topic = Tools.name("view");
        Tools.createTopic(topic, 2);
        Message sent = new Message(topic, "T", "viewkey", "look at me".getBytes());
        SendResult r = Tools.producer().send(sent);
        MessageExt got = Tools.producer().viewMessage(topic, r.getOffsetMsgId());
        Check.equal(Tools.body(got), "look at me", "view: by offset message id");
        Check.equal(got.getQueueOffset(), r.getQueueOffset(), "view: queue offset");
        Check.equal(got.getKeys(), "viewkey", "view: keys");
        String id = r.getOffsetMsgId();
        String wrong = id.substring(0, id.length() - 4) + "7FF3";
        try {
            MessageExt other = Tools.producer().viewMessage(topic, wrong);
            Check.that(other == null, "view: an offset with no record is refused", other);
        } catch (MQBrokerException | MQClientException e) {
            Check.note("view of a wrong id: " + e.getMessage().split("\n")[0]);
            Check.that(true, "view: an offset with no record is refused", e);
        }
    }

    static void query() throws Exception {
        String topic = Tools.name("query");
        Tools.createTopic(topic, 2);
        SendResult r = null;
        for (int i = 0; i < 10; i++) {
            r = Tools.producer().send(new Message(topic, "T", "k" + i % 2 + " same",
                ("q" + i).getBytes()));
        }
        Check.equal(found(topic, "k1", 5), 5, "query: 5 messages by one of two keys");
        Check.equal(found(topic, "same", 10), 10, "query: 10 messages by the other key");
        MessageExt m = Tools.producer().viewMessage(topic, r.getMsgId());
        Check.equal(m == null ? null : Tools.body(m), "q9", "query: by unique id");
        Check.equal(found(topic, "nokey", 0), 0, "query: none by an unknown key");
    }

    private static int found(String topic, String key, int want) throws Exception {
        int[] count = {0};
        Tools.await(want == 0 ? 0 : 10, () -> {
            try {
                QueryResult q = Tools.producer().queryMessage(topic, key, 32, 0, Long.MAX_VALUE);
                count[0] = q.getMessageList().size();
            } catch (Exception e) {
                count[0] = 0;
            }
            return count[0] == want;
        });
        return count[0];
    }

    static void lite() throws Exception {
        String topic = Tools.name("lite");
        Tools.createTopic(topic, 4);
        for (MessageQueue mq : Tools.queues(topic)) {
            for (int i = 0; i < 50; i++) {
                Tools.producer().send(Tools.text(topic, mq.getQueueId() + "-" + i), mq);
            }
        }
        liteSubscribe(topic);
        liteAssign(topic);
    }

    private static void liteSubscribe(String topic) throws Exception {
        DefaultLitePullConsumer lite = Tools.newLite("lite-sub");
        lite.subscribe(topic, "*");
        lite.setAutoCommit(false);
        lite.start();
        int count = 0;
        for (int i = 0; i < 40 && count < 200; i++) {
            count += lite.poll(500).size();
        }
        Check.equal(count, 200, "lite: subscribe, 200 messages polled");
        lite.commitSync();
        Collection<MessageQueue> mqs = lite.fetchMessageQueues(topic);
        Check.that(Tools.await(5, () -> committed(lite, mqs) == 200),
            "lite: committed offsets are the ends", committed(lite, mqs));
        lite.shutdown();
    }

    private static long committed(DefaultLitePullConsumer lite, Collection<MessageQueue> mqs) {
        long sum = 0;
        for (MessageQueue mq : mqs) {
            try {
                sum += lite.committed(mq);
            } catch (MQClientException e) {
                return -1;
            }
        }
        return sum;
    }

    private static void liteAssign(String topic) throws Exception {
        DefaultLitePullConsumer lite = Tools.newLite("lite-assign");
        lite.setAutoCommit(false);
        lite.start();
        MessageQueue mq = new ArrayList<>(lite.fetchMessageQueues(topic)).get(1);
        lite.assign(Collections.singletonList(mq));
        lite.seek(mq, 10);
        Check.equal(first(lite), 10L, "lite: assign and seek to 10");
        Check.equal(firstAfterSeek(lite, mq, 0), 0L, "lite: seek to the beginning");
        Check.equal(firstAfterSeek(lite, mq, 49), 49L, "lite: seek to the last");
        lite.seekToEnd(mq);
        Check.equal(first(lite), -1L, "lite: seek to the end finds nothing");
        Tools.producer().send(Tools.text(topic, "late"), new MessageQueue(topic,
            mq.getBrokerName(), mq.getQueueId()));
        Check.equal(first(lite), 50L, "lite: then the next message");
        Check.equal(lite.offsetForTimestamp(mq, 0L), 0L, "lite: offset for time 0");
        lite.commitSync();
        Check.that(Tools.await(5, () -> committed(lite, Collections.singleton(mq)) == 51),
            "lite: committed 51", committed(lite, Collections.singleton(mq)));
        lite.shutdown();
    }

    /**
     * A pull that was under way when the client seeks still fills its cache when its answer comes behind the first
     * look at the new offset (PullTaskImpl), whatever the server: then it seeks again.
     */
    private static long firstAfterSeek(DefaultLitePullConsumer lite, MessageQueue mq, long offset) throws Exception {
        long first = -1;
        for (int tries = 0; tries < 3 && first != offset; tries++) {
            lite.seek(mq, offset);
            first = first(lite);
        }
        return first;
    }

    /** Offset of the first message polled, -1 when none comes. */
    private static long first(DefaultLitePullConsumer lite) {
        List<MessageExt> list = lite.poll(1500);
        return list.isEmpty() ? -1L : list.get(0).getQueueOffset();
    }
}
