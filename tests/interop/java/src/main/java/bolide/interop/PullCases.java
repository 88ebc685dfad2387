package bolide.interop;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers that choose queues and offsets themselves, and offsets that cannot be. */
final class PullCases {
    static final Case[] ALL = {
        Case.of("pull.illegal-offsets", PullCases::illegal),
        Case.of("pull.illegal-queues", PullCases::queues),
        Case.of("pull.long-poll", PullCases::longPoll),
        Case.of("pull.corrected-push-consumer", PullCases::corrected),
        Case.of("pull.assign-two", PullCases::assign),
        Case.of("pull.seek", PullCases::seek),
        Case.of("pull.lite-group", PullCases::liteGroup),
        Case.of("pull.search-by-time", PullCases::search),
        Case.of("pull.search-boundaries", PullCases::boundaries),
        Case.of("pull.from-last", () -> fromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET)),
        Case.of("pull.from-timestamp", () -> fromWhere(ConsumeFromWhere.CONSUME_FROM_TIMESTAMP)),
        Case.of("pull.batch-size", PullCases::batchSize),
    };

    private PullCases() {
    }

    private static String filled(String name, int queues, int each) throws Exception {
        String topic = Tools.topic(name, queues);
        for (int q = 0; q < queues; q++) {
            for (int i = 0; i < each; i++) {
                Tools.producer().send(Tools.text(topic, q + "-" + i), Tools.queue0(topic, q));
            }
        }
        return topic;
    }

    private static String shape(PullResult r) {
        return r.getPullStatus() + " next " + r.getNextBeginOffset() + " min " + r.getMinOffset()
            + " max " + r.getMaxOffset();
    }

    private static void illegal() throws Exception {
        String topic = filled("illegal", 1, 10);
        MessageQueue mq = Tools.queue(topic, 0);
        DefaultMQPullConsumer p = Tools.puller();
        Check.equal(shape(p.pull(mq, "*", 11, 5)), "OFFSET_ILLEGAL next 10 min 0 max 10", "one behind");
        Check.equal(shape(p.pull(mq, "*", Long.MAX_VALUE, 5)), "OFFSET_ILLEGAL next 10 min 0 max 10",
            "far behind");
        Check.equal(shape(p.pull(mq, "*", 10, 5)), "NO_NEW_MSG next 10 min 0 max 10", "at the end");
        Check.equal(shape(p.pull(mq, "*", 9, 5)), "FOUND next 10 min 0 max 10", "the last");
        String empty = Tools.topic("illegal-empty", 1);
        MessageQueue none = Tools.queue(empty, 0);
        Check.equal(shape(p.pull(none, "*", 0, 5)), "NO_NEW_MSG next 0 min 0 max 0", "an empty queue");
        Check.equal(shape(p.pull(none, "*", 5, 5)), "OFFSET_ILLEGAL next 0 min 0 max 0",
            "an empty queue, offset 5");
        int negative = Desk.refusal(() -> p.pull(mq, "*", -1, 5));
        Check.equal(negative, -1, "the client itself refuses a negative offset");
    }

    private static void queues() throws Exception {
        String topic = filled("badqueue", 2, 1);
        MessageQueue mq = new MessageQueue(topic, Tools.queue(topic, 0).getBrokerName(), 7);
        String refused = Desk.refusalText(() -> Tools.puller().pull(mq, "*", 0, 1));
        Check.that(refused.startsWith("29 "), "a queue that is not there: 29", refused);
        Check.equal(Tools.puller().maxOffset(mq), 0L, "its max offset");
        Check.equal(Tools.puller().searchOffset(mq, System.currentTimeMillis()), 0L, "by time");
        MessageQueue gone = new MessageQueue(Tools.name("nowhere"), mq.getBrokerName(), 0);
        refused = Desk.refusalText(() -> Tools.puller().pull(gone, "*", 0, 1));
        Check.that(refused.startsWith("17 "), "a topic that is not there: 17", refused);
    }

    private static void longPoll() throws Exception {
        String topic = Tools.topic("longpoll", 1);
        MessageQueue mq = Tools.queue(topic, 0);
        DefaultMQPullConsumer p = MemberCases.puller(Tools.name("longpoll-group"));
        long[] took = new long[2];
        PullResult[] result = new PullResult[1];
        Thread t = new Thread(() -> {
            long start = System.nanoTime();
            try {
                result[0] = p.pullBlockIfNotFound(mq, "*", 0, 1);
            } catch (Exception e) {
                Check.that(false, "a held pull", e);
            }
            took[0] = (System.nanoTime() - start) / 1000000;
        });
        t.start();
        Thread.sleep(1500);
        Tools.producer().send(Tools.text(topic, "wake"), mq);
        t.join(10000);
        Check.that(result[0] != null && result[0].getPullStatus() == PullStatus.FOUND,
            "a held pull gets the message", result[0]);
        Check.that(took[0] >= 1400 && took[0] < 2500, "when it comes", took[0] + " ms");
        Tools.endLater(p::shutdown);
    }

    /** A push consumer whose committed offset is beyond the end is put right by 21. */
    private static void corrected() throws Exception {
        String topic = filled("correct", 1, 5);
        MessageQueue mq = Tools.queue(topic, 0);
        DefaultMQPullConsumer p = MemberCases.puller(Tools.name("correct-group"));
        p.updateConsumeOffset(mq, 100);
        p.getOffsetStore().persist(mq);
        Tools.await(5, () -> {
            try {
                return p.fetchConsumeOffset(mq, true) == 100;
            } catch (Exception e) {
                return false;
            }
        });
        Tools.endLater(p::shutdown);
        Inbox in = new Inbox("correct-group").subscribe(topic, "*").start(topic, 1);
        // the client drops the queue and takes it again 10 s later at the earliest
        Check.that(Tools.await(25, () -> in.committed(mq) == 5), "the offset is the end now",
            in.committed(mq));
        in.holds(topic, 1, 25);
        Tools.producer().send(Tools.text(topic, "next"), mq);
        Check.that(in.has(1, 25), "and the next message comes", in.got);
        in.drop();
    }

    private static DefaultLitePullConsumer lite(String group) throws Exception {
        DefaultLitePullConsumer lite = Tools.newLite(group);
        lite.setAutoCommit(false);
        lite.start();
        return lite;
    }

    private static TreeSet<String> poll(DefaultLitePullConsumer lite, int count, int seconds)
        throws Exception {
        TreeSet<String> all = new TreeSet<>();
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (all.size() < count && System.nanoTime() < end) {
            for (MessageExt m : lite.poll(200)) {
                all.add(Tools.body(m));
            }
        }
        return all;
    }

    private static void assign() throws Exception {
        String topic = filled("assign", 4, 3);
        DefaultLitePullConsumer lite = lite("assign-group");
        List<MessageQueue> all = new ArrayList<>(new TreeSet<>(lite.fetchMessageQueues(topic)));
        lite.assign(all.subList(1, 3));
        Check.equal(poll(lite, 6, 15).toString(), "[1-0, 1-1, 1-2, 2-0, 2-1, 2-2]", "two of four");
        lite.assign(Collections.singletonList(all.get(3)));
        TreeSet<String> more = poll(lite, 3, 15);
        Check.equal(more.toString(), "[3-0, 3-1, 3-2]", "then another");
        Tools.endLater(lite::shutdown);
    }

    private static void seek() throws Exception {
        String topic = filled("seek", 1, 20);
        DefaultLitePullConsumer lite = lite("seek-group");
        MessageQueue mq = new ArrayList<>(lite.fetchMessageQueues(topic)).get(0);
        lite.assign(Collections.singletonList(mq));
        for (long at : new long[] {15, 3, 19}) {
            List<MessageExt> got = Collections.emptyList();
            for (int i = 0; i < 16 && got.isEmpty(); i++) {
                if (i % 4 == 0) {
                    lite.seek(mq, at); // the client can lose a seek that meets the answer of a pull
                }
                got = lite.poll(500);
            }
            Check.equal(got.isEmpty() ? -1L : got.get(0).getQueueOffset(), at, "seek to " + at);
        }
        lite.commitSync();
        Check.that(Tools.await(5, () -> {
            try {
                return lite.committed(mq) == 20;
            } catch (Exception e) {
                return false;
            }
        }), "committed", lite.committed(mq));
        try {
            lite.seek(mq, 21);
            Check.that(false, "a seek beyond the end is refused", "accepted");
        } catch (Exception e) {
            Check.that(true, "a seek beyond the end is refused", e);
        }
        Tools.endLater(lite::shutdown);
    }

    private static void liteGroup() throws Exception {
        String topic = Tools.topic("litegroup", 4);
        List<DefaultLitePullConsumer> both = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            DefaultLitePullConsumer lite = Tools.newLite("lite-group");
            lite.subscribe(topic, "*");
            lite.start();
            both.add(lite);
        }
        Check.that(Tools.await(40, () -> {
            try {
                return both.get(0).assignment().size() == 2 && both.get(1).assignment().size() == 2;
            } catch (Exception e) {
                return false;
            }
        }), "two of four queues each", both.get(0).assignment() + " " + both.get(1).assignment());
        for (int i = 0; i < 20; i++) {
            Tools.producer().send(Tools.text(topic, "m" + i), Tools.queue0(topic, i % 4));
        }
        TreeSet<String> one = poll(both.get(0), 10, 10);
        TreeSet<String> two = poll(both.get(1), 10, 10);
        Check.equal(one.size() + " " + two.size(), "10 10", "half of the messages each");
        one.addAll(two);
        Check.equal(one.size(), 20, "all of them");
        for (DefaultLitePullConsumer lite : both) {
            Tools.endLater(lite::shutdown);
        }
    }

    private static void search() throws Exception {
        String topic = Tools.topic("bytime", 1);
        MessageQueue mq = Tools.queue(topic, 0);
        long[] before = new long[5];
        for (int i = 0; i < 5; i++) {
            before[i] = System.currentTimeMillis();
            Thread.sleep(5);
            Tools.producer().send(Tools.text(topic, "t" + i), mq);
            Thread.sleep(5);
        }
        for (int i = 0; i < 5; i++) {
            Check.equal(Tools.puller().searchOffset(mq, before[i]), (long) i, "before message " + i);
        }
        Check.equal(Tools.puller().searchOffset(mq, System.currentTimeMillis() + 100000), 5L, "later");
        Check.equal(Tools.puller().searchOffset(mq, 0), 0L, "time 0");
        Check.equal(Tools.puller().searchOffset(mq, -1), 0L, "time -1");
        DefaultLitePullConsumer lite = lite("bytime-group");
        Check.equal(lite.offsetForTimestamp(new ArrayList<>(lite.fetchMessageQueues(topic)).get(0),
            before[3]), 3L, "offsetForTimestamp of a lite consumer");
        Tools.endLater(lite::shutdown);
    }

    /** Several messages of one millisecond: the first of them, or the last. */
    private static void boundaries() throws Exception {
        String topic = Tools.topic("bound", 1);
        MessageQueue mq = Tools.queue(topic, 0);
        Tools.producer().send(Tools.text(topic, "0"), mq);
        Thread.sleep(20);
        Tools.producer().send(Arrays.asList(Tools.text(topic, "1"), Tools.text(topic, "2"),
            Tools.text(topic, "3")), mq);
        Thread.sleep(20);
        Tools.producer().send(Tools.text(topic, "4"), mq);
        List<MessageExt> all = Tools.drain(topic, 5, 10);
        long time = all.get(1).getStoreTimestamp();
        Check.equal(Tools.call(Desk.admin(), "searchLowerBoundaryOffset", mq, time), 1L, "lower");
        Check.equal(Tools.call(Desk.admin(), "searchUpperBoundaryOffset", mq, time), 3L, "upper");
        Check.equal(Tools.call(Desk.admin(), "searchLowerBoundaryOffset", mq, time + 5), 4L,
            "lower, between two");
        Check.equal(Tools.call(Desk.admin(), "searchUpperBoundaryOffset", mq, time + 5), 3L,
            "upper, between two");
        Check.equal(Tools.call(Desk.admin(), "searchUpperBoundaryOffset", mq, 0L), 0L,
            "upper, before all");
        Check.equal(Tools.call(Desk.admin(), "searchLowerBoundaryOffset", mq, time + 1000000), 5L,
            "lower, after all");
    }

    /** A young queue, whose first message is still in memory, is consumed from its beginning. */
    private static void fromWhere(ConsumeFromWhere where) throws Exception {
        String name = "from" + where.ordinal();
        String topic = filled(name, 1, 5);
        Inbox in = new Inbox(name + "-group").subscribe(topic, "*");
        in.consumer.setConsumeFromWhere(where);
        in.start(topic, 1);
        Tools.producer().send(Tools.text(topic, "new"), Tools.queue(topic, 0));
        in.has(6, 15);
        Check.equal(in.got.size(), 6, "all of a young queue");
        in.drop();
    }

    private static void batchSize() throws Exception {
        String topic = filled("sizes32", 1, 100);
        MessageQueue mq = Tools.queue(topic, 0);
        Check.equal(Tools.puller().pull(mq, "*", 0, 1).getMsgFoundList().size(), 1, "1");
        Check.equal(Tools.puller().pull(mq, "*", 0, 32).getMsgFoundList().size(), 32, "32");
        int many = Tools.puller().pull(mq, "*", 0, 1000).getMsgFoundList().size();
        Check.that(many >= 32 && many <= 100, "1,000 asked for: at least 32, what the broker likes", many);
        Check.equal(Tools.puller().pull(mq, "*", 98, 32).getMsgFoundList().size(), 2, "the rest");
    }
}
