package bolide.interop;

import java.util.Collection;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.common.message.MessageQueue;

/** Operators move a group's offsets. */
final class ResetCases {
    static final Case[] ALL = {
        Case.of("reset.offline-group", ResetCases::offline),
        Case.of("reset.online-to-beginning", ResetCases::toBeginning),
        Case.of("reset.online-by-time", ResetCases::byTime),
        Case.of("reset.online-to-end", ResetCases::toEnd),
        Case.of("reset.one-queue", ResetCases::oneQueue),
        Case.of("reset.refused", ResetCases::refused),
        Case.of("reset.old-way", ResetCases::oldWay),
        Case.alone("reset.notice-220-to-clients", ResetCases::notice),
        Case.of("clone.offsets", ResetCases::cloneOffsets),
        Case.of("clone.online-refused", ResetCases::cloneOnline),
    };

    private ResetCases() {
    }

    static void send(String topic, int queues, int from, int to) throws Exception {
        for (int i = from; i < to; i++) {
            Tools.producer().send(Tools.text(topic, "m" + i), Tools.queue0(topic, i % queues));
        }
    }

    private static long sum(Collection<Long> offsets) {
        long sum = 0;
        for (long one : offsets) {
            sum += one;
        }
        return sum;
    }

    /** A group that consumed 20 messages of 2 queues and left. */
    private static String consumed(String name) throws Exception {
        String topic = Tools.topic(name, 2);
        Inbox in = new Inbox(name + "-group").subscribe(topic, "*").start(topic, 2);
        send(topic, 2, 0, 20);
        in.has(20, 15);
        in.close();
        return topic;
    }

    private static void offline() throws Exception {
        String topic = consumed("roff");
        var moved = Desk.admin().resetOffsetByTimestamp(topic, Tools.name("roff-group"), 0, true);
        Check.equal(moved.size() + " " + sum(moved.values()), "2 0", "answer: queues and offsets");
        Inbox in = new Inbox("roff-group").subscribe(topic, "*").start(topic, 2);
        Check.that(again(in, topic, 20, 45), "a group that comes back consumes from there", in.got.size());
        in.drop();
    }

    private static Inbox online(String name, String topic, int count) throws Exception {
        Inbox in = new Inbox(name + "-group").subscribe(topic, "*").start(topic, 2);
        send(topic, 2, 0, count);
        in.has(count, 15);
        in.commit();
        return in;
    }

    private static void toBeginning() throws Exception {
        String topic = Tools.topic("rbegin", 2);
        Inbox in = online("rbegin", topic, 20);
        var moved = Desk.admin().resetOffsetByTimestamp(topic, Tools.name("rbegin-group"), 0, true);
        Check.equal(moved.size() + " " + sum(moved.values()), "2 0", "answer: queues and offsets");
        send(topic, 2, 20, 24);
        Check.that(again(in, topic, 44, 45), "a consumer that is there gets all again", in.got.size());
        in.drop();
    }

    /** The client drops a queue whose offset was put right and takes it again when it balances. */
    static boolean again(Inbox in, String topic, int count, int seconds) throws Exception {
        int[] round = {0};
        return Tools.await(seconds, () -> {
            if (++round[0] % 25 == 0) {
                in.consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().rebalanceImmediately();
            }
            return in.got.size() >= count;
        });
    }

    private static void byTime() throws Exception {
        String topic = Tools.topic("rtime", 2);
        Inbox in = online("rtime", topic, 10);
        Thread.sleep(20);
        long time = System.currentTimeMillis();
        Thread.sleep(20);
        send(topic, 2, 10, 20);
        in.has(20, 15);
        in.commit();
        var moved = Desk.admin().resetOffsetByTimestamp(topic, Tools.name("rtime-group"), time, true);
        Check.equal(moved.size() + " " + sum(moved.values()), "2 10", "answer: queues and offsets");
        send(topic, 2, 20, 22);
        again(in, topic, 32, 45);
        Thread.sleep(500);
        Check.equal(in.got.size() + " " + in.different().size(), "32 22", "the younger half again");
        in.drop();
    }

    private static void toEnd() throws Exception {
        String topic = Tools.topic("rend", 2);
        Inbox in = new Inbox("rend-group").subscribe(topic, "*").start(topic, 2);
        in.close();
        send(topic, 2, 0, 20);
        var moved = Desk.admin().resetOffsetByTimestamp(topic, Tools.name("rend-group"), -1, true);
        Check.equal(moved.size() + " " + sum(moved.values()), "2 20", "answer: queues and offsets");
        Inbox next = new Inbox("rend-group").subscribe(topic, "*").start(topic, 2);
        send(topic, 2, 20, 24);
        again(next, topic, 4, 30);
        Thread.sleep(300);
        Check.equal(next.different().toString(), "[m20, m21, m22, m23]", "what was heaped up is skipped");
        next.drop();
    }

    private static void oneQueue() throws Exception {
        String topic = consumed("rqueue");
        Tools.call(Desk.admin(), "resetOffsetByQueueId", Desk.broker(), Tools.name("rqueue-group"), topic,
            1, 7L);
        Inbox in = new Inbox("rqueue-group").subscribe(topic, "*").start(topic, 2);
        again(in, topic, 3, 45);
        Thread.sleep(300);
        Check.equal(in.different().toString(), "[m15, m17, m19]", "queue 1 from offset 7");
        in.drop();
    }

    private static void refused() throws Exception {
        String topic = consumed("rrefuse");
        String group = Tools.name("rrefuse-group");
        String code = Desk.refusalText(() -> Desk.admin().resetOffsetByTimestamp(topic,
            Tools.name("no-group"), 0, true));
        Check.that(code.startsWith("26 "), "an unknown group: 26", code);
        code = Desk.refusalText(() -> Tools.call(Desk.admin(), "resetOffsetByQueueId", Desk.broker(),
            group, topic, 0, 1000L));
        Check.that(code.startsWith("1 "), "an offset beyond the end: 1", code);
        Check.equal(Tools.puller().maxOffset(Tools.queue(topic, 0)), 10L, "nothing else changed");
    }

    /** Before 222 tools moved offsets of a group that is not there with 15. */
    private static void oldWay() throws Exception {
        String topic = consumed("rold");
        var stats = Desk.admin().resetOffsetByTimestampOld(Tools.name("rold-group"), topic, 0, true);
        Check.equal(stats.size(), 2, "answer: queues");
        for (var one : stats) {
            Check.equal(one.getConsumerOffset() + " " + one.getRollbackOffset(), "10 0",
                "offset before and after");
        }
        Inbox in = new Inbox("rold-group").subscribe(topic, "*").start(topic, 2);
        Check.that(again(in, topic, 20, 45), "consumed again", in.got.size());
        in.drop();
    }

    /** useServerSideResetOffset=false: the broker asks the clients, which wait 10 s and go on from there. */
    private static void notice() throws Exception {
        Desk.setting("useServerSideResetOffset", "false");
        try {
            String topic = Tools.topic("r220", 2);
            Inbox in = online("r220", topic, 20);
            var moved = Desk.admin().resetOffsetByTimestamp(topic, Tools.name("r220-group"), 0, true);
            Check.equal(moved.size() + " " + sum(moved.values()), "2 0", "answer: queues and offsets");
            Check.that(again(in, topic, 40, 40), "a consumer that is there gets all again",
                in.got.size());
            in.close();
            int code = Desk.refusal(() -> Desk.admin().resetOffsetByTimestamp(topic,
                Tools.name("r220-group"), 0, true));
            Check.equal(code, 206, "206 when no consumer is there");
        } finally {
            Desk.setting("useServerSideResetOffset", "true");
        }
    }

    private static void cloneOffsets() throws Exception {
        String topic = consumed("clone");
        String dest = Tools.name("clone-dest");
        DefaultMQPullConsumer reader = MemberCases.puller(dest);
        MessageQueue mq = Tools.queue(topic, 1);
        Check.that(reader.fetchConsumeOffset(mq, true) <= 0, "nothing before",
            reader.fetchConsumeOffset(mq, true));
        Desk.admin().cloneGroupOffset(Tools.name("clone-group"), dest, topic, false);
        Check.equal(reader.fetchConsumeOffset(mq, true), 10L, "the same offset after");
        reader.shutdown();
        Inbox in = new Inbox("clone-dest").subscribe(topic, "*").start(topic, 2);
        send(topic, 2, 20, 22);
        in.has(2, 15);
        Check.equal(in.different().toString(), "[m20, m21]", "the other group goes on from there");
        in.drop();
    }

    private static void cloneOnline() throws Exception {
        String topic = Tools.topic("clonon", 2);
        Inbox in = online("clonon", topic, 20);
        String code = Desk.refusalText(() -> {
            Desk.admin().cloneGroupOffset(Tools.name("clonon-group"), Tools.name("clonon-dest"), topic,
                true);
            return null;
        });
        Check.note("clone with isOffline=true of a group that is there: " + code);
        DefaultMQPullConsumer reader = MemberCases.puller(Tools.name("clonon-dest"));
        Check.equal(reader.fetchConsumeOffset(Tools.queue(topic, 0), true), 10L, "cloned all the same");
        Tools.endLater(reader::shutdown);
        in.drop();
    }
}
