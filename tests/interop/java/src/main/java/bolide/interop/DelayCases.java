package bolide.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Delay levels, as lib/interop.py sets them (LEVELS). */
final class DelayCases {
    static final Case[] ALL = {
        Case.of("delay.every-level", DelayCases::levels),
        Case.of("delay.levels-are-never-early", () -> early("dearly")),
        Case.of("delay.level-beyond-the-last", DelayCases::beyond),
        Case.of("delay.keeps-everything", DelayCases::keeps),
        Case.of("delay.order-of-a-queue", DelayCases::order),
        Case.of("delay.tags-and-sql", DelayCases::filtered),
        Case.of("delay.batch-refused", DelayCases::batch),
    };
    static final int[] SECONDS = {1, 2, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 3, 4, 5, 6, 8};

    private DelayCases() {
    }

    static Message level(String topic, String body, int level) {
        Message m = Tools.text(topic, body);
        m.setDelayTimeLevel(level);
        return m;
    }

    /** How late each body was, in ms after when it was due. */
    private static TreeMap<Integer, Long> late(String name) throws Exception {
        String topic = Tools.topic(name, 2);
        TreeMap<Integer, Long> due = new TreeMap<>();
        TreeMap<Integer, Long> late = new TreeMap<>();
        for (int level = 1; level <= SECONDS.length; level++) {
            due.put(level, System.currentTimeMillis() + SECONDS[level - 1] * 1000L);
            SendResult r = Tools.producer().send(level(topic, "" + level, level));
            Check.equal(r.getSendStatus(), SendStatus.SEND_OK, "level " + level + " is sent");
        }
        for (MessageExt m : Tools.drain(topic, SECONDS.length, 25)) {
            int level = Integer.parseInt(Tools.body(m));
            late.put(level, m.getStoreTimestamp() - due.get(level));
        }
        return late;
    }

    private static void levels() throws Exception {
        TreeMap<Integer, Long> late = late("dlevels");
        Check.equal(late.size(), SECONDS.length, "all arrive");
        for (int level : late.keySet()) {
            Check.that(late.get(level) > -1100 && late.get(level) < 2500, "level " + level
                + " comes when it is due", late.get(level) + " ms late");
        }
    }

    private static void early(String name) throws Exception {
        TreeMap<Integer, Long> late = late(name);
        Check.that(!late.isEmpty() && new TreeSet<>(late.values()).first() >= 0, "none is early", late);
    }

    /** A level above the last counts as the last. */
    private static void beyond() throws Exception {
        String topic = Tools.topic("dbeyond", 1);
        long sent = System.currentTimeMillis();
        Tools.producer().send(level(topic, "far", 99));
        Tools.producer().send(level(topic, "none", 0));
        Tools.producer().send(level(topic, "negative", -5));
        List<MessageExt> now = Tools.drain(topic, 2, 5);
        Check.equal(now.size(), 2, "level 0 and a negative one are none");
        List<MessageExt> all = Tools.drain(topic, 3, 20);
        Check.equal(all.size(), 3, "level 99 arrives");
        long after = all.isEmpty() ? 0 : all.get(all.size() - 1).getStoreTimestamp() - sent;
        Check.that(after > 6900 && after < 10500, "as level 18", after);
    }

    private static void keeps() throws Exception {
        String topic = Tools.topic("dkeeps", 4);
        Message m = new Message(topic, "TagD", "key-d", 5, "kept".getBytes(), true);
        m.putUserProperty("colour", "red");
        m.setDelayTimeLevel(1);
        SendResult sent = Tools.producer().send(m, Tools.queue(topic, 2));
        Check.equal(sent.getSendStatus(), SendStatus.SEND_OK, "sent");
        Check.equal(Tools.drain(topic, 0, 0).size(), 0, "not there at once");
        List<MessageExt> all = Tools.drain(topic, 1, 15);
        if (!Check.equal(all.size(), 1, "arrives")) {
            return;
        }
        MessageExt got = all.get(0);
        Check.equal(got.getMsgId(), sent.getMsgId(), "unique id");
        Check.equal(got.getTags() + " " + got.getKeys() + " " + got.getFlag() + " " + Tools.body(got),
            "TagD key-d 5 kept", "tags, keys, flag, body");
        Check.equal(got.getUserProperty("colour"), "red", "user property");
        Check.equal(got.getQueueId() + " " + got.getQueueOffset(), "2 0", "queue and offset");
        Check.that(got.getStoreTimestamp() > got.getBornTimestamp() + 800, "store time is the delivery's",
            got.getStoreTimestamp() - got.getBornTimestamp());
        Check.equal(got.getProperty("REAL_TOPIC") + " " + got.getProperty("REAL_QID"), topic + " 2",
            "REAL_TOPIC and REAL_QID");
        Check.equal(got.getReconsumeTimes(), 0, "reconsume times");
        MessageExt found = Tools.producer().viewMessage(topic, sent.getMsgId());
        Check.that(found != null && Tools.body(found).equals("kept"), "found by its unique id", found);
        String key = Desk.refusalText(() -> Tools.producer().queryMessage(topic, "key-d", 32, 0,
            Long.MAX_VALUE));
        Check.equal(key, "0", "found by its key");
    }

    private static void order() throws Exception {
        String topic = Tools.topic("dorder", 1);
        StringBuilder want = new StringBuilder();
        for (int i = 0; i < 30; i++) {
            Tools.producer().send(level(topic, "m" + i, 2), Tools.queue(topic, 0));
            want.append("m").append(i).append(' ');
        }
        StringBuilder got = new StringBuilder();
        for (MessageExt m : Tools.drain(topic, 30, 15)) {
            got.append(Tools.body(m)).append(' ');
        }
        Check.equal(got.toString(), want.toString(), "30 of one level and queue, in the order sent");
    }

    private static void filtered() throws Exception {
        String topic = Tools.topic("dfilter", 1);
        for (int i = 0; i < 6; i++) {
            Message m = new Message(topic, i % 2 == 0 ? "A" : "B", ("m" + i).getBytes());
            m.putUserProperty("n", "" + i);
            m.setDelayTimeLevel(1);
            Tools.producer().send(m);
        }
        Tools.drain(topic, 6, 15);
        Check.equal(TagCases.pulled(Tools.queue(topic, 0), "A"), "m0 m2 m4", "by tag");
        Inbox in = new Inbox("dfilter-group").subscribe(topic,
            org.apache.rocketmq.client.consumer.MessageSelector.bySql("n > 3")).start(topic, 1);
        in.has(2, 15);
        Check.equal(in.different().toString(), "[m4, m5]", "by SQL");
        in.drop();
    }

    /** The client refuses delays in a batch. */
    private static void batch() throws Exception {
        String topic = Tools.topic("dbatch", 1);
        List<Message> list = new ArrayList<>();
        list.add(level(topic, "a", 1));
        list.add(level(topic, "b", 1));
        try {
            Tools.producer().send(list);
            Check.that(false, "a batch with delays", "accepted");
        } catch (Exception e) {
            Check.that(true, "a batch with delays", e);
        }
    }
}
